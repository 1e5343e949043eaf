#include <memory>

#include "policy/policy.h"

namespace cleave {
namespace {

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
      const double total_us = Predict(cost, observation).total_us();
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
    return {best, best_us, can_send ? Reason::kFastest : Reason::kEdgeUnusable};
  }

 private:
  const Constraints constraints_;
};

}  // namespace

std::unique_ptr<Policy> MakeDynamicPolicy(Constraints constraints) {
  return std::make_unique<DynamicPolicy>(constraints);
}

}  // namespace cleave
