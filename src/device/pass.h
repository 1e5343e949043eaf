#ifndef CLEAVE_DEVICE_PASS_H_
#define CLEAVE_DEVICE_PASS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cleave/device.h"
#include "device/local_model.h"
#include "device/plan_table.h"
#include "device/shared_heads.h"
#include "device/timeout.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "policy/policy_spec.h"

namespace cleave {

// The policy in force and what the user said it is.
struct ChosenPolicy {
  std::shared_ptr<const Policy> policy;
  std::optional<FixedPlan> plan;  // That the user fixed ("edge": cut 0).
  bool local = false;             // "device"
};

// What the device finishes by itself while the edge's answer is on its way.
struct HedgePlan {
  PlanCost cost;
  const LocalExit* exit = nullptr;
  SharedHeads::Point from;        // Where it leaves the way of the decided plan.
  std::vector<NamedTensor> live;  // There. Empty as long as pictures are not decoded.
};

// One inference under way. The threads of a device hand it on, and never share it.
struct Pass {
  std::int64_t start_us = 0;
  std::int64_t batch = 1;
  const std::vector<std::string>* pictures = nullptr;  // Where the inputs came as files.
  Observation observation;
  PlanCost cost;
  bool entropy = false;
  ChosenPolicy chosen;
  std::shared_ptr<const EdgeOffer> offer;
  const LocalExit* exit = nullptr;  // That the plan ends at.
  int boundary = 0;                 // Of the exit's chain, where `live` is.
  std::vector<NamedTensor> live;    // Empty as long as pictures are not decoded.
  std::vector<NamedTensor> early;   // Outputs that came out on the way.
  std::optional<HedgePlan> hedge;

  bool plain_edge() const { return offer != nullptr && offer->plain; }
};

// What the wait for the edge is weighed against, from `now_us` on.
WaitTerms TermsOfWait(const Pass& pass, const DeviceOptions& options, std::int64_t now_us);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_PASS_H_
