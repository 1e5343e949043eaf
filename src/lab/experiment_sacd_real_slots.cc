#include "lab/experiment_sacd_real_slots.h"

#include <algorithm>
#include <memory>
#include <random>

#include "absl/strings/str_cat.h"
#include "policy/policy.h"

namespace cleave::sacd {
namespace {

std::string FixedSpec(const PlanTable& table, int row) {
  return absl::StrCat("fixed:", PlanText(table.plans[static_cast<std::size_t>(row)].plan));
}

Slot Named(const char* name, dsc::Worker* worker, std::string spec) {
  return {.name = name, .worker = worker, .choose = [spec](double) { return spec; }};
}

Slot Random(const Environment& environment, dsc::Worker* worker, std::uint64_t seed) {
  const auto random = std::make_shared<std::mt19937_64>(seed);
  return {.name = kRandom, .worker = worker, .choose = [&environment, random](double) {
            const std::vector<int>& rows = environment.rows();
            return FixedSpec(environment.table(), rows[(*random)() % rows.size()]);
          }};
}

Slot Oracle(const Environment& environment, dsc::Worker* worker, double deadline_us,
            Truth& truth) {
  return {.name = kOracle,
          .worker = worker,
          .choose = [&environment, &truth, deadline_us](double now_us) {
            return FixedSpec(environment.table(), truth.BestRow(now_us, deadline_us));
          }};
}

bool HasJpeg(const PlanTable& table) {
  return std::any_of(table.plans.begin(), table.plans.end(), [](const PlanCost& cost) {
    return cost.plan.encoding == Encoding::kJpeg;
  });
}

}  // namespace

std::vector<Slot> MakeSlots(const Environment& environment, const Workers& workers,
                            const RealOptions& options, int best_fixed_row, Truth& truth) {
  std::vector<Slot> slots = {Named(kDeviceOnly, workers.timed, "device"),
                             Named(kEdgeOnly, workers.timed, "edge")};
  if (HasJpeg(environment.table())) {
    slots.push_back(Named(kEdgeJpeg, workers.timed, "fixed:0/jpeg"));
  }
  slots.push_back(
      Named(kBestFixed, workers.timed, FixedSpec(environment.table(), best_fixed_row)));
  slots.push_back(Named(kDynamic, workers.untimed, "dynamic"));
  slots.push_back(Named(kExact, workers.timed, "dynamic"));
  slots.push_back(Random(environment, workers.timed, options.seed));
  slots.push_back(Oracle(environment, workers.timed, options.deadline_us, truth));
  for (const LearnedPolicy& policy : options.learned) {
    Slot slot = Named(policy.name.c_str(), workers.timed, policy.files.front());
    slot.files = {policy.files.front()};
    if (policy.name == kSacd && workers.hedged != nullptr) {
      Slot hedged = slot;
      hedged.name = kSacdHedged;
      hedged.worker = workers.hedged;
      slots.push_back(std::move(hedged));
    }
    slots.push_back(std::move(slot));
  }
  return slots;
}

}  // namespace cleave::sacd
