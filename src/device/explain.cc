#include "device/explain.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "device/local_model.h"
#include "device/options.h"
#include "device/plan_table.h"
#include "model/input_shapes.h"
#include "policy/policy_spec.h"

namespace cleave {
namespace {

// An edge that starts tails wherever the device can stop.
EdgeOffer OfferOfAll(const LocalModel& model) {
  EdgeOffer offer;
  offer.codecs = true;
  for (const LocalExit& exit : model.exits) offer.exits.push_back({exit.model.candidates, nullptr});
  return offer;
}

absl::StatusOr<EdgeOffer> OfferOf(const LocalModel& model, const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string json, ReadFile(path));
  CLEAVE_ASSIGN_OR_RETURN(Profile profile, Profile::FromJson(json, path));
  if (profile.key().model_digest != model.graph->digest()) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": model_digest: found ",
                                                      profile.key().model_digest, ", expected ",
                                                      model.graph->digest()));
  }
  if (profile.empty()) return FieldError(absl::StrCat(path, ": points"), "none", "at least one");
  EdgeOffer offer = OfferOfAll(model);
  const int exit = profile.key().exit;
  if (exit < 0 || exit >= static_cast<int>(offer.exits.size())) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": exit: found ", exit, ", expected 0 to ", offer.exits.size() - 1));
  }
  offer.exits[static_cast<std::size_t>(exit)].profile =
      std::make_shared<const Profile>(std::move(profile));
  return offer;
}

}  // namespace

absl::Status AssumedState::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<double>("up_bps", up_bps, 1));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<double>("down_bps", down_bps, 1));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<double>("rtt_us", rtt_us, 0));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<double>("queue_us", queue_us, 0));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<double>("picture_bytes", picture_bytes, 0));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<double>("device_slowdown", device_slowdown, 0.001));
  return CheckAtLeast<double>("edge_slowdown", edge_slowdown, 0.001);
}

absl::StatusOr<std::vector<PlanForecast>> ExplainAssumed(const std::string& model_path,
                                                         const DeviceOptions& options,
                                                         const AssumedState& state) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_RETURN_IF_ERROR(state.Validate());
  CLEAVE_ASSIGN_OR_RETURN(const LocalModel model, LocalModel::Load(model_path, options));
  CLEAVE_RETURN_IF_ERROR(CheckAccuracyBar(model, options.plans));
  EdgeOffer offer = OfferOfAll(model);
  if (!state.edge_profile.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(offer, OfferOf(model, state.edge_profile));
  }
  const Constraints constraints = ConstraintsOf(options);
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Policy> policy,
                          MakePolicy(options.plans.policy, constraints, model.graph->digest()));
  Observation observation;
  observation.batch = FixedBatch(*model.graph) > 0 ? model.batch() : options.runtime.batch;
  observation.link.known = true;
  observation.link.rtt_us = {state.rtt_us, 0};
  observation.link.up_us_per_byte = {8e6 / state.up_bps, 0};
  observation.link.down_us_per_byte = {8e6 / state.down_bps, 0};
  observation.device_slowdown = {state.device_slowdown, 0};
  observation.edge_slowdown = {state.edge_slowdown, 0};
  observation.edge_queue_us = state.queue_us;
  if (const auto& deadline_us = options.deadline.deadline_us) {
    observation.deadline_us = static_cast<double>(*deadline_us);
  }
  PlanTableTerms terms;
  terms.batch = observation.batch;
  terms.encode.LearnPicture(model.picture_us, /*slowdown=*/1);
  terms.picture_bytes = state.picture_bytes * static_cast<double>(terms.batch);
  CLEAVE_ASSIGN_OR_RETURN(terms.encodings, EncodingsOf(options.plans));
  const auto table = MakePlanTable(model, &offer, terms);
  return ForecastPlans(model, *table, observation, *policy, constraints);
}

}  // namespace cleave
