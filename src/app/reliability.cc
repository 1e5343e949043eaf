#include "app/reliability.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"

namespace cleave::app {
namespace {

// Chance of at most `most` successes in so many trials.
double BinomialCdf(std::int64_t most, std::int64_t trials, double p) {
  const auto n = static_cast<double>(trials);
  double sum = 0;
  double log_term = n * std::log1p(-p);
  for (std::int64_t k = 0; k <= most; ++k) {
    sum += std::exp(log_term);
    const auto at = static_cast<double>(k);
    log_term += std::log((n - at) / (at + 1)) + std::log(p) - std::log1p(-p);
  }
  return sum;
}

// The chance of a failure at which so few are as rare as the interval allows.
double MostFailures(std::int64_t failures, std::int64_t trials, double tail) {
  if (failures >= trials) return 1;
  constexpr int kHalvings = 60;
  double low = 0;
  double high = 1;
  for (int i = 0; i < kHalvings; ++i) {
    const double p = (low + high) / 2;
    (BinomialCdf(failures, trials, p) > tail ? low : high) = p;
  }
  return high;
}

double LeastFailures(std::int64_t failures, std::int64_t trials, double tail) {
  return failures == 0 ? 0 : MostFailures(failures - 1, trials, 1 - tail);
}

}  // namespace

Reliability ReliabilityOf(std::int64_t successes, std::int64_t trials) {
  const std::int64_t failures = trials - successes;
  constexpr double kTail = (1 - kConfidence) / 2;
  return {static_cast<double>(successes) / static_cast<double>(trials),
          1 - MostFailures(failures, trials, kTail), 1 - LeastFailures(failures, trials, kTail)};
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
