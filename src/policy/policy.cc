#include "policy/policy.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/status_macros.h"
#include "policy/learned.h"
#include "policy/predict.h"

namespace cleave {

namespace {

constexpr absl::string_view kFixed = "fixed:";
constexpr absl::string_view kForms = "dynamic, device, edge or fixed:K[/ENCODING[/EXIT]]";

absl::Status CheckShare(absl::string_view field, const std::optional<double>& share) {
  if (!share || (*share >= 0 && *share <= 1)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": found ", *share, ", expected a share from 0 to 1"));
}

std::optional<int> ParseIndex(absl::string_view text) {
  int index = 0;
  const bool digits = text.find_first_not_of("0123456789") == absl::string_view::npos;
  if (!digits || !absl::SimpleAtoi(text, &index)) return std::nullopt;
  return index;
}

absl::Status UnknownSpec(absl::string_view spec) {
  return absl::InvalidArgumentError(absl::StrCat(
      "policy: found '", spec, "', expected ", kForms,
      " (K: index of a cut; EXIT: index of an exit, else the last), or a learned policy's "
      "file FILE.onnx"));
}

absl::StatusOr<FixedPlan> ReadFixedPlan(absl::string_view spec) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(spec.substr(kFixed.size()), absl::MaxSplits('/', 3));
  const std::optional<int> cut = ParseIndex(parts[0]);
  if (!cut || parts.size() > 3) return UnknownSpec(spec);
  FixedPlan plan{.cut = *cut, .encoding = Encoding::kFp32, .exit = std::nullopt};
  if (parts.size() > 1) {
    const absl::StatusOr<Encoding> encoding = ParseEncoding(parts[1]);
    if (!encoding.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("policy: '", spec, "': ", encoding.status().message()));
    }
    plan.encoding = *encoding;
  }
  if (parts.size() > 2) {
    plan.exit = ParseIndex(parts[2]);
    if (!plan.exit) return UnknownSpec(spec);
  }
  if (IsPicture(plan.encoding) && plan.cut > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("policy: '", spec, "': found encoding ", EncodingName(plan.encoding),
                     " at cut ", plan.cut, ", expected cut 0, where the tensor is a picture"));
  }
  return plan;
}

}  // namespace

Prediction Predict(const PlanCost& cost, const Observation& observation) {
  return PredictInline(cost, observation);
}

absl::Status Constraints::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckShare("min_accuracy", min_accuracy));
  CLEAVE_RETURN_IF_ERROR(CheckShare("accuracy_drop", accuracy_drop));
  if (!max_device_us || *max_device_us >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("max_device_us: found ", *max_device_us, ", expected at least 0"));
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
    case Reason::kMostAccurate:
      return "most accurate in time";
    case Reason::kNoneInTime:
      return "none in time";
    case Reason::kLearned:
      return "learned";
    case Reason::kUnfamiliar:
      return "unfamiliar, exact search";
    case Reason::kGuarded:
      return "guarded, exact search";
  }
  return "unknown";
}

std::string FixedPlan::ToString() const {
  if (exit) return absl::StrCat(cut, "/", EncodingName(encoding), "/", *exit);
  if (encoding != Encoding::kFp32) return absl::StrCat(cut, "/", EncodingName(encoding));
  return absl::StrCat(cut);
}

std::optional<FixedPlan> ParseFixedPlan(absl::string_view spec) {
  if (!absl::StartsWith(spec, kFixed)) return std::nullopt;
  const absl::StatusOr<FixedPlan> plan = ReadFixedPlan(spec);
  return plan.ok() ? std::optional<FixedPlan>(*plan) : std::nullopt;
}

std::optional<int> FixedCut(absl::string_view spec) {
  const std::optional<FixedPlan> plan = ParseFixedPlan(spec);
  return plan ? std::optional<int>(plan->cut) : std::nullopt;
}

bool IsLearnedSpec(absl::string_view spec) { return absl::EndsWith(spec, ".onnx"); }

absl::StatusOr<std::unique_ptr<Policy>> MakePolicy(absl::string_view spec, Constraints constraints,
                                                   const std::string& model_digest) {
  CLEAVE_RETURN_IF_ERROR(CheckPolicySpec(spec, constraints));
  if (IsLearnedSpec(spec)) return LoadLearnedPolicy(std::string(spec), model_digest, constraints);
  if (spec == "dynamic") return MakeDynamicPolicy(constraints);
  if (spec == "device") return MakeDevicePolicy();
  if (spec == "edge") return MakeEdgePolicy();
  CLEAVE_ASSIGN_OR_RETURN(const FixedPlan plan, ReadFixedPlan(spec));
  return MakeFixedPolicy(plan);
}

absl::Status CheckPolicySpec(absl::string_view spec, const Constraints& constraints) {
  CLEAVE_RETURN_IF_ERROR(constraints.Validate());
  if (constraints.no_raw_input && (spec == "edge" || FixedCut(spec) == 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("policy: found '", spec,
                     "', which sends the model's input, expected dynamic, device or fixed:K with K "
                     "above 0 because raw input must not be sent"));
  }
  if (IsLearnedSpec(spec) || spec == "dynamic" || spec == "device" || spec == "edge") {
    return absl::OkStatus();
  }
  if (!absl::StartsWith(spec, kFixed)) return UnknownSpec(spec);
  return ReadFixedPlan(spec).status();
}

}  // namespace cleave
