#include <algorithm>
#include <memory>

#include "policy/policy.h"

namespace cleave {
namespace {

// A rate is believed for this many times the bytes that it was tried with; what is beyond that
// counts double. Small probes pass in a shaper's burst, and one transfer of half a megabyte on the
// strength of them would cost more than many inferences save.
constexpr double kTrust = 32;

double UntriedUs(const PlanCost& cost, const LinkEstimate& link) {
  return std::max(0.0, cost.bytes_up - kTrust * link.tried_bytes) * link.up_us_per_byte.mean;
}

class DynamicPolicy : public Policy {
 public:
  explicit DynamicPolicy(Constraints constraints) : constraints_(constraints) {}

  absl::string_view name() const override { return "dynamic"; }

  Decision Decide(const PlanTable& table, const Observation& observation) const override {
    const bool can_send = observation.edge_usable && observation.link.up;
    const int last = static_cast<int>(table.plans.size()) - 1;
    int best = -1;
    double best_us = 0;
    for (int i = 0; i <= last; ++i) {
      const PlanCost& cost = table.plans[i];
      if (cost.remote() && !can_send) continue;
      if (!constraints_.Allows(cost, observation)) continue;
      const double total_us =
          Predict(cost, observation).total_us() + UntriedUs(cost, observation.link);
      const bool better = best < 0 || total_us < best_us ||
                          (total_us == best_us && cost.bytes_up < table.plans[best].bytes_up);
      if (!better) continue;
      best = i;
      best_us = total_us;
    }
    if (best < 0) {
      const double total_us = Predict(table.plans[last], observation).total_us();
      return {last, total_us, can_send ? Reason::kOnlyOneLeft : Reason::kEdgeUnusable};
    }
    const double predicted_us = Predict(table.plans[best], observation).total_us();
    return {best, predicted_us, can_send ? Reason::kFastest : Reason::kEdgeUnusable};
  }

 private:
  const Constraints constraints_;
};

}  // namespace

std::unique_ptr<Policy> MakeDynamicPolicy(Constraints constraints) {
  return std::make_unique<DynamicPolicy>(constraints);
}

}  // namespace cleave
