#include "wire/edge_service.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "core/status_macros.h"
#include "wire/convert.h"
#include "wire/push_reactor.h"

namespace cleave {
namespace {

constexpr std::int64_t kMaxProbeBytes = 1 << 20;
constexpr CallMethod kPush = {"/cleave.v1.Edge/Push", Permission::kPush};

ProfileQuery QueryOf(const v1::GetProfileRequest& request) {
  ProfileQuery query;
  query.batches.assign(request.batches().begin(), request.batches().end());
  for (const v1::InputShapes& point : request.points()) {
    std::vector<Shape>& shapes = query.points.emplace_back();
    for (const auto& input : point.inputs()) {
      shapes.emplace_back(input.dims().begin(), input.dims().end());
    }
  }
  return query;
}

}  // namespace

EdgeService::EdgeService(const CallHost& host) : CallService(host) {
  Add<v1::StatusRequest, v1::StatusResponse>(
      "/cleave.v1.Edge/Status", {},
      [this](CallReactor&, const auto&) { return ToStatusResponse(handler().GetStatus()); });
  // The payload may be larger than what is taken, for the error to say so.
  Add<v1::ProbeRequest, v1::ProbeResponse>(
      "/cleave.v1.Edge/Probe", {.max_bytes = 2 * kMaxProbeBytes},
      [this](CallReactor& call, const auto& request) { return Probe(call, request); });
  Add<v1::GetProfileRequest, v1::GetProfileResponse>(
      "/cleave.v1.Edge/GetProfile", {.place = Place::kSlowThreads, .needed = Permission::kProfile},
      [this](CallReactor& call, const auto& request) { return GetProfile(call, request); });
  AddReactor(kPush.path, [this](grpc::CallbackServerContext& context, grpc::ByteBuffer& response) {
    return new PushReactor(this->host(), context, kPush, pushing_, response);
  });
}

absl::StatusOr<v1::ProbeResponse> EdgeService::Probe(CallReactor& call,
                                                     const v1::ProbeRequest& request) {
  const std::int64_t arrived_us = call.Context().arrived_us;
  const auto up_bytes = static_cast<std::int64_t>(request.payload().size());
  if (request.reply_bytes() < 0 || request.reply_bytes() > kMaxProbeBytes ||
      up_bytes > kMaxProbeBytes) {
    return absl::InvalidArgumentError(absl::StrCat("probe: found ", up_bytes, " bytes up and ",
                                                   request.reply_bytes(), " down, expected 0 to ",
                                                   kMaxProbeBytes, " each"));
  }
  v1::ProbeResponse response;
  response.mutable_payload()->assign(static_cast<std::size_t>(request.reply_bytes()), '\x5a');
  response.set_expected_wait_us(handler().ExpectedWaitUs(call.Context().client()));
  response.set_arrived_us(arrived_us);
  response.set_edge_us(Clock::Steady().NowUs() - arrived_us);
  return response;
}

absl::StatusOr<v1::GetProfileResponse> EdgeService::GetProfile(
    CallReactor& call, const v1::GetProfileRequest& request) {
  CLEAVE_ASSIGN_OR_RETURN(std::string json,
                          handler().GetProfile(request.model(), request.digest(), request.exit(),
                                               QueryOf(request), call.Context()));
  v1::GetProfileResponse response;
  response.set_json(std::move(json));
  return response;
}

}  // namespace cleave
