#include "policy/policy.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cleave {

Prediction Predict(const PlanCost& cost, const Observation& observation) {
  Prediction prediction;
  prediction.head_us = cost.head_us * observation.device_slowdown.mean;
  prediction.encode_us = cost.encode_us * observation.device_slowdown.mean;
  if (!cost.remote()) return prediction;
  const LinkEstimate& link = observation.link;
  const double one_way_us = link.rtt_us.mean / 2;
  prediction.uplink_us = one_way_us + cost.bytes_up * link.up_us_per_byte.mean;
  prediction.queue_us = observation.edge_queue_us;
  prediction.tail_us = cost.tail_us * observation.edge_slowdown.mean;
  prediction.downlink_us = one_way_us + cost.bytes_down * link.down_us_per_byte.mean;
  return prediction;
}

bool Constraints::Allows(const PlanCost& cost, const Observation& observation) const {
  if (no_raw_input && cost.remote() && cost.plan.cut == 0) return false;
  return !max_device_us || cost.head_us * observation.device_slowdown.mean <= *max_device_us;
}

absl::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kFastest:
      return "fastest";
    case Reason::kFixed:
      return "fixed";
    case Reason::kEdgeUnusable:
      return "edge unusable";
    case Reason::kOnlyOneLeft:
      return "only one left";
  }
  return "unknown";
}

std::optional<int> FixedCut(absl::string_view spec) {
  constexpr absl::string_view kPrefix = "fixed:";
  int cut = 0;
  if (!absl::StartsWith(spec, kPrefix)) return std::nullopt;
  const absl::string_view digits = spec.substr(kPrefix.size());
  const bool plain = digits.find_first_not_of("0123456789") == absl::string_view::npos;
  if (!plain || !absl::SimpleAtoi(digits, &cut)) return std::nullopt;
  return cut;
}

absl::StatusOr<std::unique_ptr<Policy>> MakePolicy(absl::string_view spec,
                                                   Constraints constraints) {
  const std::optional<int> fixed = FixedCut(spec);
  if (constraints.no_raw_input && (spec == "edge" || fixed == 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("policy: found '", spec,
                     "', which sends the model's input, expected dynamic, device or fixed:K with K "
                     "above 0 because raw input must not be sent"));
  }
  if (spec == "dynamic") return MakeDynamicPolicy(constraints);
  if (spec == "device") return MakeDevicePolicy();
  if (spec == "edge") return MakeEdgePolicy();
  if (fixed) return MakeFixedPolicy(*fixed);
  return absl::InvalidArgumentError(absl::StrCat(
      "policy: found '", spec, "', expected dynamic, device, edge or fixed:K (K: index of a cut)"));
}

}  // namespace cleave
