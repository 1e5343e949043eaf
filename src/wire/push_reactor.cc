#include "wire/push_reactor.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::int64_t kMaxPartBytes = 4 << 20;
constexpr double kLeastBytesPerUs = 8192 / 1e6;

absl::StatusOr<v1::PushRequest> Parsed(grpc::ByteBuffer& bytes) {
  const auto size = static_cast<std::int64_t>(bytes.Length());
  if (size > kMaxPartBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("push: found a message of ", size,
                                                     " bytes, expected at most ", kMaxPartBytes));
  }
  v1::PushRequest part;
  grpc::ProtoBufferReader reader(&bytes);
  if (!reader.status().ok() || !part.ParseFromZeroCopyStream(&reader)) {
    return absl::InvalidArgumentError("PushRequest: found bytes that are not such a message");
  }
  bytes.Clear();
  return part;
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

PushReactor::PushReactor(const CallHost& host, grpc::CallbackServerContext& context,
                         const CallMethod& method, std::atomic<bool>& pushing,
                         grpc::ByteBuffer& response)
    : CallReactor(host, context, method), pushing_(pushing), response_(response) {
  Begin();
}

PushReactor::~PushReactor() { Leave(); }

void PushReactor::Leave() {
  if (std::exchange(is_the_push_, false)) pushing_ = false;
}

// Who has the answer may push again.
void PushReactor::EndPush(const absl::Status& status) {
  Leave();
  End(status);
}

void PushReactor::OnMessage(Arrival arrival) {
  if (!is_the_push_) {
    if (arrival == Arrival::kNone) {
      return EndPush(absl::InvalidArgumentError("push: expected a header first"));
    }
    if (const absl::Status taken = TakeHeader(); !taken.ok()) return EndPush(taken);
    return host().slow_threads.Run([this] { OfferFile(); });
  }
  if (arrival == Arrival::kNone) return host().slow_threads.Run([this] { FinishFile(); });
  if (const absl::Status taken = TakeChunk(); !taken.ok()) return EndPush(taken);
  Await(TimeLeftUs());
}

absl::Status PushReactor::TakeHeader() {
  CLEAVE_ASSIGN_OR_RETURN(const v1::PushRequest part, Parsed(message()));
  if (!part.has_header()) return absl::InvalidArgumentError("push: expected a header first");
  if (pushing_.exchange(true)) {
    return absl::UnavailableError("push: another push is under way, expected one at a time");
  }
  is_the_push_ = true;
  CLEAVE_ASSIGN_OR_RETURN(offer_, OfferOf(part.header()));
  return absl::OkStatus();
}

void PushReactor::OfferFile() {
  const absl::StatusOr<PushDecision> decision = host().handler.BeginPush(offer_, Context());
  if (!decision.ok()) return EndPush(decision.status());
  if (*decision == PushDecision::kHaveIt) return EndWell();
  started_us_ = Clock::Steady().NowUs();
  Await(GraceUs());
}

absl::Status PushReactor::TakeChunk() {
  CLEAVE_ASSIGN_OR_RETURN(const v1::PushRequest part, Parsed(message()));
  if (!part.has_chunk()) {
    return absl::InvalidArgumentError("push: found a second header, expected a chunk");
  }
  if (static_cast<std::int64_t>(bytes_.size() + part.chunk().size()) > offer_.size_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "push: found more bytes than the ", offer_.size_bytes, " that the header announced"));
  }
  bytes_ += part.chunk();
  return absl::OkStatus();
}

std::int64_t PushReactor::TimeLeftUs() const {
  const auto allowed_us =
      static_cast<std::int64_t>(static_cast<double>(bytes_.size()) / kLeastBytesPerUs);
  const std::int64_t due_us = started_us_ + GraceUs() + allowed_us;
  return std::clamp<std::int64_t>(due_us - Clock::Steady().NowUs(), 0, GraceUs());
}

std::int64_t PushReactor::GraceUs() const { return host().message_timeout_us / 2; }

absl::Status PushReactor::CheckWhole() const {
  if (Context().cancel.cancelled()) return absl::CancelledError("push: the client has gone");
  if (static_cast<std::int64_t>(bytes_.size()) == offer_.size_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("push: found ", bytes_.size(),
                                                 " bytes, expected the ", offer_.size_bytes,
                                                 " that the header announced"));
}

void PushReactor::FinishFile() {
  absl::Status status = CheckWhole();
  if (status.ok()) status = host().handler.FinishPush(offer_, std::move(bytes_), Context());
  if (!status.ok()) return EndPush(status);
  EndWell();
}

void PushReactor::EndWell() {
  v1::PushResponse taken;
  taken.set_name(offer_.name);
  taken.set_digest(offer_.digest);
  const grpc::Slice slice(taken.SerializeAsString());
  response_ = grpc::ByteBuffer(&slice, 1);
  EndPush(absl::OkStatus());
}

}  // namespace cleave
