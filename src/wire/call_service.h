#ifndef CLEAVE_WIRE_CALL_SERVICE_H_
#define CLEAVE_WIRE_CALL_SERVICE_H_

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "wire/call_reactor.h"

namespace cleave {

// A gRPC service whose calls are CallReactors: each is known from its headers on, before a message
// has arrived, so that budgets and time limits hold for what arrives, too. To a client its methods
// look like those of any service.
class CallService : public grpc::Service {
 protected:
  // Where a call is worked on. kAtOnce is for what never waits and hardly computes.
  enum class Place : std::uint8_t { kAtOnce, kInferThreads, kSlowThreads };
  struct Method {
    Place place = Place::kAtOnce;
    std::int64_t max_bytes = 256 << 10;  // A longer message is refused before it is parsed.
    Permission needed = Permission::kKnown;
  };
  using Answer = std::function<absl::Status(CallReactor& call, grpc::ByteBuffer& request,
                                            grpc::ByteBuffer& response)>;

  // `host` must be usable for as long as the service is.
  explicit CallService(const CallHost& host) : host_(host) {}

  // Adds a method with one message each way. `path` must outlive the service.
  void AddUnary(const char* path, const Method& method, Answer answer);

  // Adds a method whose reactor this function makes with `new`.
  using MakeReactor =
      std::function<CallReactor*(grpc::CallbackServerContext& context, grpc::ByteBuffer& response)>;
  void AddReactor(const char* path, MakeReactor make);

  // The same as AddUnary, in messages.
  template <typename Request, typename Response>
  void Add(
      const char* path, const Method& method,
      std::function<absl::StatusOr<Response>(CallReactor& call, const Request& request)> answer) {
    AddUnary(path, method,
             [answer = std::move(answer)](CallReactor& call, grpc::ByteBuffer& bytes,
                                          grpc::ByteBuffer& response) -> absl::Status {
               Request request;
               if (!Parse(bytes, request)) {
                 return absl::InvalidArgumentError(absl::StrCat(
                     request.GetTypeName(), ": found bytes that are not such a message"));
               }
               const absl::StatusOr<Response> answered = answer(call, request);
               if (!answered.ok()) return answered.status();
               return Serialize(*answered, response);
             });
  }

  static bool Parse(grpc::ByteBuffer& bytes, google::protobuf::Message& message);
  static absl::Status Serialize(const google::protobuf::Message& message, grpc::ByteBuffer& bytes);

  const CallHost& host() const { return host_; }
  EdgeHandler& handler() const { return host_.handler; }

 private:
  const CallHost host_;
  int methods_added_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_WIRE_CALL_SERVICE_H_
