#include "app/reliability.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"
#include "core/statistics.h"

namespace cleave::app {

Reliability ReliabilityOf(std::int64_t successes, std::int64_t trials) {
  const Bounds bounds = ClopperPearson(successes, trials, kConfidence);
  return {static_cast<double>(successes) / static_cast<double>(trials), bounds.low, bounds.high};
}

double Nines(double share) {
  return share >= 1 ? std::numeric_limits<double>::infinity() : -std::log10(1 - share);
}

std::string ReliabilityText(const Reliability& reliability) {
  std::string text =
      absl::StrFormat("%.6g%% (%.0f%% interval %.6g%% to %.6g%%), ", 100 * reliability.share,
                      100 * kConfidence, 100 * reliability.low, 100 * reliability.high);
  if (reliability.share < 1) absl::StrAppendFormat(&text, "%.1f nines, ", Nines(reliability.share));
  absl::StrAppendFormat(&text, "at least %.1f", Nines(reliability.low));
  if (reliability.share >= 1) text += " nines";
  return text;
}

}  // namespace cleave::app
