#include "device/backoff.h"

#include <algorithm>

namespace cleave {

std::int64_t Backoff::NextDelayUs() {
  const std::int64_t delay_us = next_us_;
  next_us_ = std::min(max_us_, next_us_ * 2);
  return delay_us - std::uniform_int_distribution<std::int64_t>(0, delay_us / 4)(random_);
}

}  // namespace cleave
