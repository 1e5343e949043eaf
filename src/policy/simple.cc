#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "policy/policy_spec.h"
#include "policy/predict.h"

namespace cleave {
namespace {

Decision Choose(const PlanTable& table, const Observation& observation, int index, Reason reason) {
  const Prediction prediction = Predict(table.plans[index], observation);
  return {index, prediction.total_us(), reason, prediction.entropy};
}

int DeviceIndex(const PlanTable& table) { return static_cast<int>(table.plans.size()) - 1; }

template <typename Predicate>
std::optional<int> IndexWhere(const PlanTable& table, const Predicate& predicate) {
  const auto found = std::find_if(table.plans.begin(), table.plans.end(), predicate);
  if (found == table.plans.end()) return std::nullopt;
  return static_cast<int>(found - table.plans.begin());
}

int ExitOf(const PlanTable& table, const FixedPlan& plan) {
  return plan.exit.value_or(table.plans.back().plan.exit);
}

std::optional<int> IndexOf(const PlanTable& table, const FixedPlan& plan) {
  const Plan wanted{ExitOf(table, plan), plan.cut, plan.encoding};
  return IndexWhere(table, [&](const PlanCost& cost) { return cost.plan == wanted; });
}

class DevicePolicy : public Policy {
 public:
  absl::string_view name() const override { return "device"; }

  Decision Decide(const PlanTable& table, const Observation& observation) const override {
    return Choose(table, observation, DeviceIndex(table), Reason::kFixed);
  }
};

class FixedPolicy : public Policy {
 public:
  FixedPolicy(std::string name, FixedPlan plan) : name_(std::move(name)), plan_(plan) {}

  absl::string_view name() const override { return name_; }

  Decision Decide(const PlanTable& table, const Observation& observation) const override {
    const std::optional<int> index = IndexOf(table, plan_);
    if (!index) return Stay(table, observation, Reason::kOnlyOneLeft);
    if (table.plans[*index].remote() && !observation.edge_usable) {
      return Stay(table, observation, Reason::kEdgeUnusable);
    }
    return Choose(table, observation, *index, Reason::kFixed);
  }

 private:
  Decision Stay(const PlanTable& table, const Observation& observation, Reason reason) const {
    const int exit = ExitOf(table, plan_);
    const std::optional<int> same_exit = IndexWhere(
        table, [&](const PlanCost& cost) { return cost.plan.exit == exit && !cost.remote(); });
    return Choose(table, observation, same_exit.value_or(DeviceIndex(table)), reason);
  }

  const std::string name_;
  const FixedPlan plan_;
};

}  // namespace

std::unique_ptr<Policy> MakeDevicePolicy() { return std::make_unique<DevicePolicy>(); }

std::unique_ptr<Policy> MakeEdgePolicy() {
  return std::make_unique<FixedPolicy>("edge", FixedPlan());
}

std::unique_ptr<Policy> MakeFixedPolicy(FixedPlan plan) {
  return std::make_unique<FixedPolicy>(absl::StrCat("fixed:", plan.ToString()), plan);
}

bool HasPlan(const PlanTable& table, const FixedPlan& plan) {
  return IndexOf(table, plan).has_value();
}

bool HasCut(const PlanTable& table, int cut) {
  return IndexWhere(table, [cut](const PlanCost& cost) { return cost.plan.cut == cut; })
      .has_value();
}

}  // namespace cleave
