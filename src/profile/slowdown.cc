#include "profile/slowdown.h"

#include <algorithm>
#include <cmath>

namespace cleave {
namespace {

constexpr double kGain = 0.2;  // The weight of an ordinary run.
// Below this, a measured time depends on the clock and the scheduler, not on the machine.
constexpr double kShortRunUs = 50;
constexpr double kForgetUs = 30e6;  // The half-life of the longest run.
// A ratio farther off than this is a stall, or a new state.
constexpr double kSurpriseFactor = 1.5;
constexpr int kSurprisesThatAreAChange = 2;  // They are in a row.

}  // namespace

void SlowdownTracker::Add(double predicted_us, double measured_us, std::int64_t now_us) {
  if (predicted_us <= 0 || measured_us <= 0) return;
  const double ratio = measured_us / predicted_us;
  const double age = static_cast<double>(std::max<std::int64_t>(0, now_us - last_us_)) / kForgetUs;
  longest_us_ = std::max(predicted_us, longest_us_ * std::exp2(-age));
  const double weight = std::min(1.0, predicted_us / kShortRunUs) * predicted_us / longest_us_;
  last_us_ = now_us;
  ++samples_;
  if (samples_ == 1) {
    factor_ += weight * (ratio - factor_);
    deviation_ = 0.25 * factor_;
    return;
  }
  const double off = std::abs(std::log(ratio / factor_));
  const bool surprise = off > std::max(std::log(kSurpriseFactor), 3 * deviation_ / factor_);
  surprises_ = surprise ? surprises_ + 1 : 0;
  if (surprise && surprises_ < kSurprisesThatAreAChange) return;  // One stall is no trend.
  const double gain = weight * std::max({kGain, 1.0 / samples_, surprise ? weight : 0.0});
  const double error = ratio - factor_;
  factor_ += gain * error;
  deviation_ = std::sqrt((1 - gain) * (deviation_ * deviation_ + gain * error * error));
  if (surprise) deviation_ = 0.25 * factor_;
}

}  // namespace cleave
