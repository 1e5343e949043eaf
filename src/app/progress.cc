#include "app/progress.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cleave::app {
namespace {

constexpr int kBarWidth = 30;
constexpr const char* kWipeLine = "\r\x1b[K";
constexpr std::int64_t kLeastElapsedUs = 1'000'000;  // Before that, a forecast is a guess.

}  // namespace

std::string DurationText(double seconds) {
  if (seconds < 90) return absl::StrFormat("%.0f s", std::ceil(seconds));
  if (seconds < 90 * 60) return absl::StrFormat("%.0f min", seconds / 60);
  return absl::StrFormat("%.1f h", seconds / 3600);
}

Progress::Progress(std::ostream& out, Style style, const Clock& clock)
    : out_(out), style_(style), clock_(clock) {}

void Progress::Report(const std::string& what, double share) {
  share = std::clamp(share, 0.0, 1.0);
  const std::int64_t now_us = clock_.NowUs();
  if (!start_us_ || share < share_) {
    if (!start_us_) told_us_ = now_us;
    start_us_ = now_us;
    first_share_ = share;
  }
  share_ = share;
  if (style_ == Style::kBar) {
    const int filled = static_cast<int>(std::lround(share * kBarWidth));
    out_ << kWipeLine << "[" << std::string(filled, '#') << std::string(kBarWidth - filled, '.')
         << "] " << what << TimeLeft(now_us, share) << std::flush;
    return;
  }
  if (now_us - told_us_ < kLineEveryUs) return;
  told_us_ = now_us;
  out_ << absl::StrFormat("%s: %.0f%%%s\n", what, 100 * share, TimeLeft(now_us, share))
       << std::flush;
}

void Progress::End() {
  if (style_ == Style::kBar) out_ << kWipeLine << std::flush;
  start_us_.reset();
  share_ = 0;
}

std::string Progress::TimeLeft(std::int64_t now_us, double share) const {
  const std::int64_t elapsed_us = now_us - *start_us_;
  const double done = share - first_share_;
  if (elapsed_us < kLeastElapsedUs || done <= 0) return "";
  const double left_us = static_cast<double>(elapsed_us) * (1 - share) / done;
  return absl::StrCat(", ", DurationText(left_us / 1e6), " left");
}

}  // namespace cleave::app
