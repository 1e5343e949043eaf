#ifndef CLEAVE_TESTS_WIRE_FAKE_HANDLER_H_
#define CLEAVE_TESTS_WIRE_FAKE_HANDLER_H_

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status_macros.h"
#include "wire/client.h"
#include "wire/frames.h"
#include "wire/server.h"

namespace cleave {

// An edge without models: echoes its inputs, unless `on_infer` says otherwise.
class FakeHandler : public EdgeHandler {
 public:
  using InferFunction =
      std::function<absl::StatusOr<InferReply>(const InferCall&, const CallContext&)>;

  InferFunction on_infer = [](const InferCall& call,
                              const CallContext&) -> absl::StatusOr<InferReply> {
    InferReply reply;
    reply.model = call.model;
    reply.id = call.id;
    reply.digest = call.digest.value_or("");
    reply.outputs = call.inputs;
    if (!call.frames.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(reply.outputs, DecodeFrames(call, nullptr));
    }
    reply.queue_us = call.cut.value_or(-1) + 1;
    reply.compute_us = 22;
    reply.wait_us = 33;
    return reply;
  };
  bool ready = true;
  std::string pushed_before = "old";

  bool Ready() override { return ready; }
  bool ModelReady(const std::string& name) override { return name == "echo"; }
  absl::StatusOr<ModelInfo> GetModel(const std::string& name) override {
    if (name != "echo") return absl::NotFoundError(absl::StrCat("no model '", name, "'"));
    return ModelInfo{name,
                     "d1",
                     "test",
                     {{"x", DataType::kFloat32, {-1, 3}}},
                     {{"y", DataType::kFloat16, {-1}}},
                     {0, 4, 7}};
  }
  std::function<absl::Status(const InferHead&)> on_head = [](const InferHead&) {
    return absl::OkStatus();
  };
  absl::Status CheckHead(const InferHead& head, const CallContext&) override {
    return on_head(head);
  }
  absl::StatusOr<InferReply> Infer(const InferCall& call, const CallContext& context) override {
    return on_infer(call, context);
  }
  EdgeStatus GetStatus() override {
    EdgeStatus status;
    status.queued = 1;
    status.running = 2;
    status.queue_capacity = 3;
    status.expected_wait_us = 4;
    status.utilization = 0.5;
    status.uptime_us = 6;
    status.draining = true;
    status.completed = 8;
    status.refused = 9;
    status.models.push_back({"echo", "d1", "", {}, {}, {0, 4, 7}});
    return status;
  }
  std::int64_t ExpectedWaitUs(const std::string& /*peer*/) override { return 44; }
  absl::StatusOr<std::string> GetProfile(const std::string& model, const std::string& digest,
                                         int exit, const ProfileQuery& query,
                                         const CallContext&) override {
    std::string points;
    for (const std::vector<Shape>& shapes : query.points) {
      points += absl::StrJoin(
          shapes, "+", [](std::string* out, const Shape& shape) { *out += ShapeString(shape); });
    }
    return absl::StrCat(model, "/", digest, "/", exit, "/", absl::StrJoin(query.batches, ","), "/",
                        points);
  }
  absl::StatusOr<PushDecision> BeginPush(const PushOffer& offer, const CallContext&) override {
    if (offer.size_bytes > 4 << 20) return absl::ResourceExhaustedError("too large");
    return offer.name == pushed_before ? PushDecision::kHaveIt : PushDecision::kSend;
  }
  absl::Status FinishPush(const PushOffer& offer, std::string bytes, const CallContext&) override {
    const std::lock_guard lock(pushed_mutex_);
    const bool codec = offer.content == PushOffer::Content::kCodec;
    pushed_[offer.name + (codec ? ".codec" : "")] = std::move(bytes);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<ModelCounts>> GetCounts(const std::string&) override {
    return std::vector<ModelCounts>();
  }
  absl::StatusOr<std::vector<ModelIndexEntry>> GetIndex() override {
    return std::vector<ModelIndexEntry>();
  }
  absl::Status LoadModel(const std::string&, const CallContext&) override {
    return absl::OkStatus();
  }
  absl::Status UnloadModel(const std::string&, const CallContext&) override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> Authorize(const Credentials& credentials,
                                        Permission needed) override {
    return on_authorize(credentials, needed);
  }
  std::function<absl::StatusOr<std::string>(const Credentials&, Permission)> on_authorize =
      [](const Credentials&, Permission) { return std::string(); };
  absl::Status ForPeer(const absl::Status& status) override { return status; }
  void OnCallEnd(const EdgeCall& call) override {
    const std::lock_guard lock(pushed_mutex_);
    calls_.push_back(call);
  }
  std::vector<EdgeCall> calls() {
    const std::lock_guard lock(pushed_mutex_);
    return calls_;
  }
  std::map<std::string, std::string> pushed() {
    const std::lock_guard lock(pushed_mutex_);
    return pushed_;
  }

 private:
  std::mutex pushed_mutex_;
  std::map<std::string, std::string> pushed_;
  std::vector<EdgeCall> calls_;
};

struct Loopback {
  explicit Loopback(FakeHandler& handler, std::int64_t max_message_bytes = 8 << 20) {
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.version = "9.9";
    options.max_message_bytes = max_message_bytes;
    server = WireServer::Start(options, handler).value();
    ClientOptions client_options;
    client_options.target = target();
    client = EdgeClient::Create(client_options).value();
  }
  std::string target() const { return absl::StrCat("127.0.0.1:", server->port()); }

  std::unique_ptr<WireServer> server;
  std::unique_ptr<EdgeClient> client;
};

inline NamedTensor Floats(const std::string& name, Shape shape) {
  std::vector<float> values(static_cast<std::size_t>(ElementCount(shape).value()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.5F;
  return {name, Tensor::FromFloats(std::move(shape), std::move(values)).value()};
}

}  // namespace cleave

#endif  // CLEAVE_TESTS_WIRE_FAKE_HANDLER_H_
