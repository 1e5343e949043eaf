#include "wire/edge_service.h"

#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "core/status_macros.h"
#include "wire/convert.h"
#include "wire/inference_service.h"
#include "wire/status.h"

namespace cleave {
namespace {

constexpr std::int64_t kMaxProbeBytes = 1 << 20;
constexpr std::int64_t kPushIdleUs = 30'000'000;

absl::StatusOr<std::string> ReadChunks(std::int64_t size_bytes,
                                       grpc::ServerReader<v1::PushRequest>& reader,
                                       CallWatcher::Watch& watch) {
  const auto size = static_cast<std::size_t>(size_bytes);
  std::string bytes;
  v1::PushRequest part;
  while (reader.Read(&part)) {
    watch.Touch();
    if (!part.has_chunk()) {
      return absl::InvalidArgumentError("push: found a second header, expected a chunk");
    }
    if (part.chunk().size() > size - bytes.size()) {
      return absl::InvalidArgumentError(absl::StrCat("push: found more bytes than the ", size_bytes,
                                                     " that the header announced"));
    }
    bytes += part.chunk();
  }
  if (bytes.size() != size) {
    return absl::InvalidArgumentError(absl::StrCat("push: found ", bytes.size(),
                                                   " bytes, expected the ", size_bytes,
                                                   " that the header announced"));
  }
  return bytes;
}

absl::StatusOr<PushOffer> OfferOf(const v1::PushRequest::Header& header) {
  if (header.size_bytes() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("push: found a size of ", header.size_bytes(), ", expected 0 or more"));
  }
  PushOffer offer{
      .name = header.name(), .digest = header.digest(), .size_bytes = header.size_bytes()};
  switch (header.content()) {
    case v1::PushRequest::MODEL:
      return offer;
    case v1::PushRequest::CODEC:
      offer.content = PushOffer::Content::kCodec;
      return offer;
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "push: found content ", static_cast<int>(header.content()), ", expected 0 or 1"));
  }
}

}  // namespace

grpc::Status EdgeService::Status(grpc::ServerContext* /*context*/,
                                 const v1::StatusRequest* /*request*/,
                                 v1::StatusResponse* response) {
  *response = ToStatusResponse(handler_.GetStatus());
  return grpc::Status::OK;
}

grpc::Status EdgeService::Probe(grpc::ServerContext* context, const v1::ProbeRequest* request,
                                v1::ProbeResponse* response) {
  const std::int64_t arrived_us = Clock::Steady().NowUs();
  const auto up_bytes = static_cast<std::int64_t>(request->payload().size());
  if (request->reply_bytes() < 0 || request->reply_bytes() > kMaxProbeBytes ||
      up_bytes > kMaxProbeBytes) {
    return ToGrpcStatus(absl::InvalidArgumentError(absl::StrCat(
                            "probe: found ", up_bytes, " bytes up and ", request->reply_bytes(),
                            " down, expected 0 to ", kMaxProbeBytes, " each")),
                        *context);
  }
  response->mutable_payload()->assign(static_cast<std::size_t>(request->reply_bytes()), '\x5a');
  response->set_expected_wait_us(handler_.ExpectedWaitUs());
  response->set_arrived_us(arrived_us);
  response->set_edge_us(Clock::Steady().NowUs() - arrived_us);
  return grpc::Status::OK;
}

namespace {

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

grpc::Status EdgeService::GetProfile(grpc::ServerContext* context,
                                     const v1::GetProfileRequest* request,
                                     v1::GetProfileResponse* response) {
  const std::int64_t arrived_us = Clock::Steady().NowUs();
  const CallWatcher::Watch watch(watcher_, *context);
  absl::StatusOr<std::string> json =
      handler_.GetProfile(request->model(), request->digest(), request->exit(), QueryOf(*request),
                          MakeCallContext(*context, watch.token(), arrived_us));
  if (!json.ok()) return ToGrpcStatus(json.status(), *context);
  response->set_json(*std::move(json));
  return grpc::Status::OK;
}

grpc::Status EdgeService::Push(grpc::ServerContext* context,
                               grpc::ServerReader<v1::PushRequest>* reader,
                               v1::PushResponse* response) {
  return ToGrpcStatus(TakeFile(*context, *reader, *response), *context);
}

absl::Status EdgeService::TakeFile(grpc::ServerContext& context,
                                   grpc::ServerReader<v1::PushRequest>& reader,
                                   v1::PushResponse& response) {
  CallWatcher::Watch watch(watcher_, context, kPushIdleUs);
  v1::PushRequest part;
  if (!reader.Read(&part) || !part.has_header()) {
    return absl::InvalidArgumentError("push: expected a header first");
  }
  if (pushing_.exchange(true)) {
    return absl::UnavailableError("push: another push is under way, expected one at a time");
  }
  const absl::Cleanup done = [this] { pushing_.store(false); };
  const v1::PushRequest::Header header = part.header();
  CLEAVE_ASSIGN_OR_RETURN(const PushOffer offer, OfferOf(header));
  response.set_name(header.name());
  response.set_digest(header.digest());
  CLEAVE_ASSIGN_OR_RETURN(const PushDecision decision, handler_.BeginPush(offer));
  if (decision == PushDecision::kHaveIt) return absl::OkStatus();
  watch.Touch();
  CLEAVE_ASSIGN_OR_RETURN(std::string bytes, ReadChunks(header.size_bytes(), reader, watch));
  return handler_.FinishPush(offer, std::move(bytes));
}

}  // namespace cleave
