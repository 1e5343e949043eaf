#include "policy/policy_spec.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/status_macros.h"
#include "policy/learned.h"

namespace cleave {

namespace {

constexpr absl::string_view kFixed = "fixed:";
constexpr absl::string_view kForms = "dynamic, device, edge or fixed:K[/ENCODING[/EXIT]]";

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
  if (spec == "dynamic:means") return MakeDynamicPolicy(constraints, DeadlineRule::kByMeans);
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
  if (IsLearnedSpec(spec) || spec == "dynamic" || spec == "dynamic:means" || spec == "device" ||
      spec == "edge") {
    return absl::OkStatus();
  }
  if (!absl::StartsWith(spec, kFixed)) return UnknownSpec(spec);
  return ReadFixedPlan(spec).status();
}

}  // namespace cleave
