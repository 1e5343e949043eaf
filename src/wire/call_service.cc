#include "wire/call_service.h"

#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <utility>

#include "core/status_macros.h"

namespace cleave {
namespace {

// A call with one message each way.
class UnaryReactor final : public CallReactor {
 public:
  using Answer = std::function<absl::Status(CallReactor&, grpc::ByteBuffer&, grpc::ByteBuffer&)>;

  UnaryReactor(const CallHost& host, grpc::CallbackServerContext& context, const CallMethod& method,
               CallThreads* threads, std::int64_t max_bytes, const Answer& answer,
               grpc::ByteBuffer& response)
      : CallReactor(host, context, method),
        threads_(threads),
        max_bytes_(max_bytes),
        answer_(answer),
        response_(response) {
    Begin();
  }

 private:
  void OnMessage(Arrival arrival) override {
    if (arrival == Arrival::kNone) {
      return End(absl::InvalidArgumentError("found no message, expected one"));
    }
    if (const absl::Status taken = Take(); !taken.ok()) return End(taken);
    if (threads_ == nullptr) return Work();
    threads_->Run([this] { Work(); });
  }

  absl::Status Take() {
    const auto bytes = static_cast<std::int64_t>(message().Length());
    if (bytes <= max_bytes_) return share().TakeBytes(bytes);
    return Refused(Refusal::kTooLarge,
                   absl::ResourceExhaustedError(absl::StrCat(
                       "message: found ", bytes, " bytes, expected at most ", max_bytes_)));
  }

  void Work() {
    const absl::Status status = AnswerWithinBudget();
    End(status, status.ok() ? static_cast<std::int64_t>(response_.Length()) : 0);
  }

  absl::Status AnswerWithinBudget() {
    CLEAVE_RETURN_IF_ERROR(answer_(*this, message(), response_));
    message().Clear();
    return share().TakeBytes(static_cast<std::int64_t>(response_.Length()));
  }

  CallThreads* const threads_;
  const std::int64_t max_bytes_;
  const Answer& answer_;
  grpc::ByteBuffer& response_;
};

}  // namespace

void CallService::AddReactor(const char* path, MakeReactor make) {
  using grpc::internal::RpcMethod;
  AddMethod(new grpc::internal::RpcServiceMethod(path, RpcMethod::CLIENT_STREAMING, nullptr));
  MarkMethodRawCallback(
      methods_added_++,
      new grpc::internal::CallbackClientStreamingHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
          [make = std::move(make)](grpc::CallbackServerContext* context,
                                   grpc::ByteBuffer* response) {
            return make(*context, *response);
          }));
}

void CallService::AddUnary(const char* path, const Method& method, Answer answer) {
  CallThreads* threads = nullptr;
  if (method.place == Place::kInferThreads) threads = &host_.infer_threads;
  if (method.place == Place::kSlowThreads) threads = &host_.slow_threads;
  AddReactor(path, [this, called = CallMethod{path, method.needed}, threads,
                    max_bytes = method.max_bytes, answer = std::move(answer)](
                       grpc::CallbackServerContext& context, grpc::ByteBuffer& response) {
    return new UnaryReactor(host_, context, called, threads, max_bytes, answer, response);
  });
}

bool CallService::Parse(grpc::ByteBuffer& bytes, google::protobuf::Message& message) {
  if (!bytes.Valid()) return true;
  grpc::ProtoBufferReader reader(&bytes);
  return reader.status().ok() && message.ParseFromZeroCopyStream(&reader);
}

absl::Status CallService::Serialize(const google::protobuf::Message& message,
                                    grpc::ByteBuffer& bytes) {
  const grpc::Slice slice(message.SerializeAsString());
  bytes = grpc::ByteBuffer(&slice, 1);
  return absl::OkStatus();
}

}  // namespace cleave
