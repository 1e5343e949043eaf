#include "cli/progress.h"

#include <unistd.h>

#include <iostream>
#include <memory>

#include "app/progress.h"

namespace cleave::cli {
namespace {

app::Progress::Style StyleOfStderr() {
  return isatty(STDERR_FILENO) != 0 ? app::Progress::Style::kBar : app::Progress::Style::kLines;
}

}  // namespace

std::function<void(const std::string&, double)> ProgressBar() {
  const auto progress =
      std::make_shared<app::Progress>(std::cerr, StyleOfStderr(), Clock::Steady());
  return [progress](const std::string& what, double share) { progress->Report(what, share); };
}

void EndProgressBar() { app::Progress(std::cerr, StyleOfStderr(), Clock::Steady()).End(); }

}  // namespace cleave::cli
