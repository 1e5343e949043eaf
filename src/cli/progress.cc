#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>

namespace cleave::cli {

constexpr int kBarWidth = 30;
constexpr const char* kWipeLine = "\r\x1b[K";

std::function<void(const std::string&, double)> ProgressBar() {
  if (isatty(STDERR_FILENO) == 0) return {};
  return [](const std::string& what, double share) {
    const int filled = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * kBarWidth));
    std::cerr << kWipeLine << "[" << std::string(filled, '#')
              << std::string(kBarWidth - filled, '.') << "] " << what << std::flush;
  };
}

void EndProgressBar() {
  if (isatty(STDERR_FILENO) != 0) std::cerr << kWipeLine << std::flush;
}

}  // namespace cleave::cli
