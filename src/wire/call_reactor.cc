#include "wire/call_reactor.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "wire/credentials.h"
#include "wire/status.h"

namespace cleave {

CallReactor::CallReactor(const CallHost& host, grpc::CallbackServerContext& context,
                         const CallMethod& method)
    : host_(host),
      context_(context),
      method_(method),
      identity_(host.handler.Authorize(CredentialsOf(context), method.needed)),
      share_(host.budget, context.peer(), identity_.ok() ? *identity_ : ""),
      watch_(host.watcher, [this] { OnLate(); }) {}

void CallReactor::Begin() {
  if (!identity_.ok()) return End(identity_.status());
  if (const absl::Status taken = share_.TakeCall(); !taken.ok()) return End(taken);
  Await(host_.message_timeout_us);
}

void CallReactor::Await(std::int64_t limit_us) {
  const absl::MutexLock lock(&starting_);
  turn_ = Turn::kPeer;
  watch_.Allow(limit_us);
  StartRead(&message_);
}

bool CallReactor::TakeTurn() {
  const absl::MutexLock lock(&starting_);
  Turn expected = Turn::kPeer;
  return turn_.compare_exchange_strong(expected, Turn::kServer);
}

void CallReactor::OnReadDone(bool ok) {
  if (!TakeTurn()) return;
  watch_.Allow(host_.call_timeout_us);
  arrived_us_ = Clock::Steady().NowUs();
  if (ok) received_bytes_ += static_cast<std::int64_t>(message_.Length());
  OnMessage(ok ? Arrival::kMessage : Arrival::kNone);
}

void CallReactor::OnLate() {
  if (TakeTurn()) {
    End(Refused(Refusal::kSlow,
                absl::DeadlineExceededError("the message did not arrive in the time that it has")));
  } else if (turn_ == Turn::kEnding) {
    context_.TryCancel();
  } else {
    late_ = true;
    cancel_.Cancel();
  }
}

void CallReactor::End(const absl::Status& status, std::int64_t answer_bytes) {
  turn_ = Turn::kEnding;
  watch_.Allow(host_.message_timeout_us);
  const bool gave_up = late_ && absl::IsCancelled(status);
  const absl::Status told =
      gave_up ? Refused(Refusal::kSlow,
                        absl::DeadlineExceededError("the call took longer than the server allows"))
              : status;
  Tell(told, answer_bytes);
  Finish(ToGrpcStatus(host_.handler.ForPeer(told), context_));
}

void CallReactor::Tell(const absl::Status& status, std::int64_t answer_bytes) const {
  const absl::string_view path = method_.path;
  EdgeCall call;
  call.method = std::string(path.substr(path.rfind('/') + 1));
  call.peer = share_.address();
  call.identity = identity_.ok() ? *identity_ : "";
  call.code = status.code();
  call.refusal = GetRefusal(status);
  call.error = std::string(status.message());
  call.received_bytes = received_bytes_;
  if (status.ok()) call.sent_bytes = answer_bytes;
  host_.handler.OnCallEnd(call);
}

CallContext CallReactor::Context() const {
  CallContext limits;
  limits.arrived_us = arrived_us_;
  limits.cancel = cancel_;
  limits.peer = share_.address();
  limits.identity = identity_.ok() ? *identity_ : "";
  const auto deadline = context_.deadline();
  if (deadline != std::chrono::system_clock::time_point::max()) {
    const auto left = deadline - std::chrono::system_clock::now();
    limits.deadline_us = Clock::Steady().NowUs() +
                         std::chrono::duration_cast<std::chrono::microseconds>(left).count();
  }
  return limits;
}

}  // namespace cleave
