#include "device/options.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "device/confidence.h"
#include "model/cuts.h"
#include "policy/constraints.h"
#include "policy/policy_spec.h"
#include "runtime/options.h"

namespace cleave {
namespace {

constexpr std::int64_t kMostInFlight = 64;

// A device that looks at early exits on its way has none left to hedge with.
absl::Status CheckHedging(const DeviceOptions& options) {
  const std::optional<double>& max_miss = options.deadline.max_miss;
  if (!max_miss || options.plans.exit_confidence.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("max_miss: found ", *max_miss, " with exit_confidence '",
                   options.plans.exit_confidence, "', expected one of the two"));
}

// The hedge of one inference would hold up the heads of others.
absl::Status CheckStreamAlone(const DeviceOptions& options) {
  const std::int64_t in_flight = options.stream.max_in_flight;
  if (in_flight == 1 || !options.deadline.max_miss) return absl::OkStatus();
  return FieldError("max_in_flight", absl::StrCat(in_flight, " with max_miss"),
                    "1, or no max_miss");
}

// What goes by the time of each inference has no part in the most of them.
absl::Status CheckThroughputAlone(const DeviceOptions& options) {
  if (options.plans.objective != Objective::kThroughput) return absl::OkStatus();
  if (options.deadline.deadline_us) {
    return FieldError("objective", "throughput with a deadline",
                      "max_latency_us in place of the deadline, or the objective latency");
  }
  if (!IsLearnedSpec(options.plans.policy)) return absl::OkStatus();
  return FieldError("objective",
                    absl::StrCat("throughput with the learned policy '", options.plans.policy, "'"),
                    "latency, which policies are trained for, or the policy dynamic");
}

// A filter ends an inference on the way of the last exit; what else ends or doubles it has no part
// in that.
absl::Status CheckFilterAlone(const DeviceOptions& options) {
  if (!options.filter.file) return absl::OkStatus();
  if (!options.plans.exit_confidence.empty()) {
    return FieldError("filter",
                      absl::StrCat("exit_confidence '", options.plans.exit_confidence, "' as well"),
                      "one of the two");
  }
  if (!options.deadline.max_miss) return absl::OkStatus();
  return FieldError("filter", absl::StrCat("max_miss ", *options.deadline.max_miss, " as well"),
                    "one of the two");
}

}  // namespace

ClientOptions ClientOptionsOf(const DeviceOptions::Edge& edge) {
  ClientOptions client;
  client.target = edge.address;
  client.tls = edge.tls;
  client.token_file = edge.token_file;
  client.insecure = edge.insecure;
  return client;
}

absl::StatusOr<std::vector<Encoding>> EncodingsOf(const DeviceOptions::Plans& plans) {
  if (plans.encodings == "all") return AllEncodings();
  std::vector<Encoding> encodings = {Encoding::kFp32};
  for (const absl::string_view name : absl::StrSplit(plans.encodings, ',')) {
    CLEAVE_ASSIGN_OR_RETURN(const Encoding encoding, ParseEncoding(name));
    encodings.push_back(encoding);
  }
  std::sort(encodings.begin(), encodings.end());
  encodings.erase(std::unique(encodings.begin(), encodings.end()), encodings.end());
  return encodings;
}

absl::Status CheckAccuracyBar(const LocalModel& model, const DeviceOptions::Plans& plans) {
  if (!plans.min_accuracy && !plans.accuracy_drop) return absl::OkStatus();
  const char* field = plans.min_accuracy ? "min_accuracy" : "accuracy_drop";
  if (!model.accuracy) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": the model is not calibrated, expected a calibration in its sidecar (cleave ",
        "calibrate writes it)"));
  }
  const double best = model.AccuracyOfExit(model.main_exit).value_or(0);
  if (!plans.min_accuracy || *plans.min_accuracy <= best) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("min_accuracy: found %.1f%%, expected at most the %.1f%% of exit %d",
                      100 * *plans.min_accuracy, 100 * best, model.main_exit));
}

absl::Status CheckConfidenceExit(const LocalModel& model, const DeviceOptions::Plans& plans) {
  const int last = model.graph->exit_count() - 1;
  if (plans.exit_confidence.empty() || model.main_exit == last) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("exit_confidence: found '", plans.exit_confidence,
                                                 "' with exit ", model.main_exit,
                                                 ", expected the last exit (", last, ") or none"));
}

Constraints ConstraintsOf(const DeviceOptions& options) {
  const DeviceOptions::Plans& plans = options.plans;
  Constraints constraints;
  constraints.no_raw_input = plans.no_raw_input;
  if (plans.max_device_us) {
    constraints.max_device_us = static_cast<double>(*plans.max_device_us);
  }
  constraints.min_accuracy = plans.min_accuracy;
  constraints.accuracy_drop = plans.accuracy_drop;
  constraints.objective = plans.objective;
  if (plans.max_latency_us) {
    constraints.max_latency_us = static_cast<double>(*plans.max_latency_us);
  }
  constraints.max_in_flight = options.stream.max_in_flight;
  return constraints;
}

absl::Status DeviceOptions::Edge::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("remote_timeout_us", remote_timeout_us, 1));
  CLEAVE_RETURN_IF_ERROR(CheckShare("verify_share", verify_share));
  if (data_budget_bps) {
    CLEAVE_RETURN_IF_ERROR(CheckAtLeast<double>("data_budget_bps", *data_budget_bps, 1));
  }
  if (address.empty()) return absl::OkStatus();
  return ClientOptionsOf(*this).Validate();
}

absl::Status DeviceOptions::Plans::Validate() const {
  if (max_device_us)
    CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("max_device_us", *max_device_us, 1));
  CLEAVE_RETURN_IF_ERROR(CandidateSpec::Parse(cuts).status());
  CLEAVE_RETURN_IF_ERROR(CheckShare("min_accuracy", min_accuracy));
  CLEAVE_RETURN_IF_ERROR(CheckShare("accuracy_drop", accuracy_drop));
  CLEAVE_RETURN_IF_ERROR(EncodingsOf(*this).status());
  CLEAVE_RETURN_IF_ERROR(ConfidenceRule::Parse(exit_confidence).status());
  if (max_latency_us) {
    CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("max_latency_us", *max_latency_us, 1));
    if (objective != Objective::kThroughput) {
      return FieldError("max_latency_us", "the objective latency", "throughput");
    }
  }
  Constraints constraints;
  constraints.no_raw_input = no_raw_input;
  return CheckPolicySpec(policy, constraints);
}

absl::Status DeviceOptions::Deadline::Validate() const {
  if (deadline_us)
    CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("deadline_us", *deadline_us, 1));
  if (!max_miss) return absl::OkStatus();
  CLEAVE_RETURN_IF_ERROR(CheckShare("max_miss", max_miss));
  if (deadline_us) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "max_miss: found ", *max_miss, " and no deadline_us, expected a deadline as well"));
}

absl::Status DeviceOptions::Stream::Validate() const {
  if (max_in_flight >= 1 && max_in_flight <= kMostInFlight) return absl::OkStatus();
  return FieldError("max_in_flight", absl::StrCat(max_in_flight),
                    absl::StrCat("1 to ", kMostInFlight));
}

absl::Status DeviceOptions::Answers::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckShare("score_threshold", score_threshold));
  CLEAVE_RETURN_IF_ERROR(CheckShare("iou_threshold", iou_threshold));
  if (classes) CLEAVE_RETURN_IF_ERROR(CheckAtLeast("classes", *classes, 1));
  return absl::OkStatus();
}

absl::Status DeviceOptions::Filter::Validate() const {
  return CheckShare("check_share", check_share);
}

absl::Status DeviceOptions::Runtime::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("batch", batch, 1));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("threads", threads, 1));
  return ProviderSpec::Parse(provider).status();
}

absl::Status DeviceOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(runtime.Validate());
  CLEAVE_RETURN_IF_ERROR(deadline.Validate());
  CLEAVE_RETURN_IF_ERROR(stream.Validate());
  CLEAVE_RETURN_IF_ERROR(CheckStreamAlone(*this));
  CLEAVE_RETURN_IF_ERROR(CheckThroughputAlone(*this));
  CLEAVE_RETURN_IF_ERROR(answers.Validate());
  CLEAVE_RETURN_IF_ERROR(CheckHedging(*this));
  CLEAVE_RETURN_IF_ERROR(filter.Validate());
  CLEAVE_RETURN_IF_ERROR(CheckFilterAlone(*this));
  CLEAVE_RETURN_IF_ERROR(plans.Validate());
  return edge.Validate();
}

}  // namespace cleave
