#include "runtime/options.h"

#include "absl/strings/str_cat.h"
#include "cleave/device.h"
#include "core/status_macros.h"
#include "model/cuts.h"
#include "policy/policy.h"
#include "wire/client.h"

namespace cleave {
namespace {

absl::Status AtLeastOne(absl::string_view field, std::int64_t value) {
  if (value >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": found ", value, ", expected at least 1"));
}

}  // namespace

absl::Status DeviceOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(AtLeastOne("batch", batch));
  CLEAVE_RETURN_IF_ERROR(AtLeastOne("threads", threads));
  CLEAVE_RETURN_IF_ERROR(AtLeastOne("remote_timeout_us", remote_timeout_us));
  if (max_device_us) CLEAVE_RETURN_IF_ERROR(AtLeastOne("max_device_us", *max_device_us));
  if (deadline_us) CLEAVE_RETURN_IF_ERROR(AtLeastOne("deadline_us", *deadline_us));
  CLEAVE_RETURN_IF_ERROR(CandidateSpec::Parse(cuts).status());
  CLEAVE_RETURN_IF_ERROR(ProviderSpec::Parse(provider).status());
  Constraints constraints;
  constraints.no_raw_input = no_raw_input;
  CLEAVE_RETURN_IF_ERROR(MakePolicy(policy, constraints).status());
  if (edge.empty()) return absl::OkStatus();
  ClientOptions client;
  client.target = edge;
  return client.Validate();
}

}  // namespace cleave
