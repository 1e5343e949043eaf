#include "device/explain.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "device/local_model.h"
#include "device/plan_table.h"

namespace cleave {
namespace {

constexpr double kEncodeUsPerByte = 0.0003;

absl::Status AtLeast(absl::string_view field, double value, double least) {
  if (value >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": found ", value, ", expected at least ", least));
}

absl::StatusOr<EdgeOffer> OfferOf(const LocalModel& model, const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string json, ReadFile(path));
  CLEAVE_ASSIGN_OR_RETURN(Profile profile, Profile::FromJson(json, path));
  if (profile.key().model_digest != model.graph->digest()) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": model_digest: found ",
                                                      profile.key().model_digest, ", expected ",
                                                      model.graph->digest()));
  }
  if (profile.batches().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": batches: found none, expected at least one"));
  }
  EdgeOffer offer;
  offer.cuts = model.candidates;
  offer.profile = std::make_shared<const Profile>(std::move(profile));
  return offer;
}

}  // namespace

absl::Status AssumedState::Validate() const {
  CLEAVE_RETURN_IF_ERROR(AtLeast("up_bps", up_bps, 1));
  CLEAVE_RETURN_IF_ERROR(AtLeast("down_bps", down_bps, 1));
  CLEAVE_RETURN_IF_ERROR(AtLeast("rtt_us", rtt_us, 0));
  CLEAVE_RETURN_IF_ERROR(AtLeast("queue_us", queue_us, 0));
  CLEAVE_RETURN_IF_ERROR(AtLeast("device_slowdown", device_slowdown, 0.001));
  return AtLeast("edge_slowdown", edge_slowdown, 0.001);
}

absl::StatusOr<std::vector<CutForecast>> ExplainAssumed(const std::string& model_path,
                                                        const DeviceOptions& options,
                                                        const AssumedState& state) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_RETURN_IF_ERROR(state.Validate());
  CLEAVE_ASSIGN_OR_RETURN(const LocalModel model, LocalModel::Load(model_path, options));
  EdgeOffer offer;
  offer.cuts = model.candidates;
  if (!state.edge_profile.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(offer, OfferOf(model, state.edge_profile));
  }
  Constraints constraints;
  constraints.no_raw_input = options.no_raw_input;
  if (options.max_device_us) {
    constraints.max_device_us = static_cast<double>(*options.max_device_us);
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Policy> policy,
                          MakePolicy(options.policy, constraints));
  Observation observation;
  observation.batch = model.graph->fixed_batch() > 0 ? model.table.batch : options.batch;
  observation.link.known = true;
  observation.link.rtt_us = {state.rtt_us, 0};
  observation.link.up_us_per_byte = {8e6 / state.up_bps, 0};
  observation.link.down_us_per_byte = {8e6 / state.down_bps, 0};
  observation.device_slowdown = {state.device_slowdown, 0};
  observation.edge_slowdown = {state.edge_slowdown, 0};
  observation.edge_queue_us = state.queue_us;
  const auto table = MakePlanTable(model, &offer, kEncodeUsPerByte, observation.batch);
  return ForecastPlans(model, *table, observation, *policy, constraints);
}

}  // namespace cleave
