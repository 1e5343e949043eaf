#include "link/data_budget.h"

#include <algorithm>

namespace cleave {

double DataBudget::LeftBytes(std::int64_t now_us) const {
  const auto since_us = static_cast<double>(std::max<std::int64_t>(0, now_us - at_us_));
  return std::min(left_bytes_ + bytes_per_us_ * since_us, Full());
}

void DataBudget::Spend(double bytes, std::int64_t now_us) {
  left_bytes_ = LeftBytes(now_us) - bytes;
  at_us_ = std::max(at_us_, now_us);
}

}  // namespace cleave
