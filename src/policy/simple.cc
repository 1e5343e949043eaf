#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "policy/policy.h"

namespace cleave {
namespace {

Decision Choose(const PlanTable& table, const Observation& observation, int index, Reason reason) {
  return {index, Predict(table.plans[index], observation).total_us(), reason};
}

int DeviceIndex(const PlanTable& table) { return static_cast<int>(table.plans.size()) - 1; }

std::optional<int> IndexOfCut(const PlanTable& table, int cut) {
  for (std::size_t i = 0; i < table.plans.size(); ++i) {
    if (table.plans[i].plan.cut == cut) return static_cast<int>(i);
  }
  return std::nullopt;
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
  FixedPolicy(std::string name, int cut) : name_(std::move(name)), cut_(cut) {}

  absl::string_view name() const override { return name_; }

  Decision Decide(const PlanTable& table, const Observation& observation) const override {
    const std::optional<int> index = IndexOfCut(table, cut_);
    if (!index) return Choose(table, observation, DeviceIndex(table), Reason::kOnlyOneLeft);
    if (table.plans[*index].remote() && !observation.edge_usable) {
      return Choose(table, observation, DeviceIndex(table), Reason::kEdgeUnusable);
    }
    return Choose(table, observation, *index, Reason::kFixed);
  }

 private:
  const std::string name_;
  const int cut_;
};

}  // namespace

std::unique_ptr<Policy> MakeDevicePolicy() { return std::make_unique<DevicePolicy>(); }

std::unique_ptr<Policy> MakeEdgePolicy() { return std::make_unique<FixedPolicy>("edge", 0); }

std::unique_ptr<Policy> MakeFixedPolicy(int cut) {
  return std::make_unique<FixedPolicy>(absl::StrCat("fixed:", cut), cut);
}

bool HasCut(const PlanTable& table, int cut) { return IndexOfCut(table, cut).has_value(); }

}  // namespace cleave
