#ifndef CLEAVE_LINK_DATA_BUDGET_H_
#define CLEAVE_LINK_DATA_BUDGET_H_

#include <cstdint>

namespace cleave {

// Keeps what travels within a rate on average, by a token bucket: it fills at that rate, to what a
// minute of it earns, and is full at first. What is spent beyond it is a debt, so that the average
// holds. Thread-compatible: callers lock.
class DataBudget {
 public:
  // REQUIRES: rate_bps > 0.
  explicit DataBudget(double rate_bps) : bytes_per_us_(rate_bps / 8e6), left_bytes_(Full()) {}

  // So many bytes may be sent and received now; negative while there is a debt.
  double LeftBytes(std::int64_t now_us) const;
  // So many were.
  void Spend(double bytes, std::int64_t now_us);

 private:
  double Full() const { return bytes_per_us_ * 60e6; }

  double bytes_per_us_;
  double left_bytes_;  // At `at_us_`.
  std::int64_t at_us_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_LINK_DATA_BUDGET_H_
