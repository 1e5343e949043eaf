#ifndef CLEAVE_TESTS_DEVICE_FAKE_EDGE_H_
#define CLEAVE_TESTS_DEVICE_FAKE_EDGE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "codec/frame.h"
#include "codec/image.h"
#include "model/cuts.h"
#include "profile/profile.h"
#include "runtime/exit_models.h"
#include "wire/client.h"

namespace cleave::testing {

// What a FakeEdge does when asked. Shared by the test and the client; thread-safe.
struct FakeEdgeScript {
  enum class Infer {
    kAnswer,
    kUnavailable,
    kSilent,  // It does not answer before the timeout.
    kRefuse,  // Its queue is full.
    kTooLarge,
    kWrongDigest,
    kBroken,
    kMissingOutput,
    kWrongType,
    kWrongShape,
    kNotFinite,  // NaN in place of a number.
    kNonsense,   // Right types and shapes, and all values 7.
    kSlow,       // Answers after slow_us, or not at all if the timeout is shorter.
  };

  template <typename T>
  T Get(T FakeEdgeScript::*field) const {
    const absl::MutexLock lock(&mutex);
    return this->*field;
  }
  template <typename T, typename V>
  void Set(T FakeEdgeScript::*field, V value) {
    const absl::MutexLock lock(&mutex);
    this->*field = std::move(value);
  }

  mutable absl::Mutex mutex;
  Infer infer = Infer::kAnswer;
  bool reachable = true;
  bool plain = false;
  std::string digest;        // Empty: it is the model's own.
  std::vector<int> cuts;     // Empty: it offers all.
  std::string codec_digest;  // Empty: it has no codecs.
  bool takes_codecs = true;  // When they are pushed.
  bool has_model = true;     // False until the model is pushed.
  bool makes_detections = true;
  std::string profile;  // JSON; empty: it answers Unimplemented.
  std::int64_t slow_us = 0;
  std::int64_t refuse_wait_us = 0;
  std::int64_t tail_us = 100;  // Reported as computing time.
  std::int64_t wait_us = 0;
  std::int64_t bytes_per_us = 10;  // 80 Mbit/s, after 100 us.
  int infers = 0;
  int cancelled = 0;
  int probes = 0;
  int greetings = 0;
  int pushes = 0;
  InferCall last_call;
};

// An edge that runs tails for real, in the process, and fails as told.
class FakeEdge final : public EdgeClient {
 public:
  FakeEdge(std::shared_ptr<const Graph> graph, FakeEdgeScript& script)
      : graph_(std::move(graph)), script_(script) {
    ExitModelsOptions options;
    options.cuts.kind = CandidateSpec::Kind::kAll;
    auto exits = BuildExitModels(graph_, options);
    EXPECT_TRUE(exits.ok()) << exits.status();
    exits_ = *std::move(exits);
  }

  absl::StatusOr<InferExchange> Infer(const InferCall& call, std::int64_t timeout_us,
                                      const CancelToken& cancel, const RequestMade& made) override {
    using Mode = FakeEdgeScript::Infer;
    {
      const absl::MutexLock lock(&script_.mutex);
      ++script_.infers;
      script_.last_call = call;
    }
    if (made) made(BytesOf(call.inputs));
    if (!script_.Get(&FakeEdgeScript::reachable)) return Down();
    if (const absl::Status status = CheckCodec(call); !status.ok()) return status;
    const Mode mode = script_.Get(&FakeEdgeScript::infer);
    switch (mode) {
      case Mode::kUnavailable:
        return Down();
      case Mode::kSilent:
        return Silence(timeout_us, cancel);
      case Mode::kRefuse: {
        absl::Status status = absl::ResourceExhaustedError("queue full");
        SetExpectedWait(status, script_.Get(&FakeEdgeScript::refuse_wait_us));
        return status;
      }
      case Mode::kTooLarge:
        return absl::ResourceExhaustedError("found 600 bytes, expected at most 100");
      case Mode::kWrongDigest:
        return absl::FailedPreconditionError("digest: found a, expected b");
      case Mode::kBroken:
        return absl::InternalError("the run failed");
      case Mode::kSlow: {
        const std::int64_t slow_us = script_.Get(&FakeEdgeScript::slow_us);
        if (slow_us > timeout_us) return Silence(timeout_us, cancel);
        if (!Sleep(slow_us, cancel)) return Cancelled();
        return Answer(call, mode);
      }
      default:
        return Answer(call, mode);
    }
  }

  absl::StatusOr<ModelInfo> GetModel(const std::string& name, std::int64_t) override {
    const absl::MutexLock lock(&script_.mutex);
    ++script_.greetings;
    if (!script_.reachable) return Down();
    if (!script_.has_model) return absl::NotFoundError("no model of this name");
    ModelInfo info;
    info.name = name;
    info.inputs = graph_->inputs();
    info.outputs = graph_->outputs();
    if (script_.plain) return info;
    info.digest = script_.digest.empty() ? graph_->digest() : script_.digest;
    info.codec_digest = script_.codec_digest;
    info.cuts = script_.cuts.empty() ? exits_.back().candidates : script_.cuts;
    for (std::size_t i = 0; i < graph_->exits().size(); ++i) {
      info.exits.push_back({graph_->exits()[i], exits_[i].candidates});
    }
    return info;
  }

  absl::StatusOr<EdgeStatus> GetStatus(std::int64_t) override { return EdgeStatus(); }

  absl::StatusOr<ProbeResult> Probe(std::int64_t up_bytes, std::int64_t down_bytes,
                                    std::int64_t) override {
    const absl::MutexLock lock(&script_.mutex);
    ++script_.probes;
    if (!script_.reachable) return Down();
    ProbeResult result;
    result.exchange.bytes_up = up_bytes;
    result.exchange.bytes_down = down_bytes;
    result.exchange.total_us = NetworkUs(up_bytes + down_bytes);
    result.wait_us = script_.wait_us;
    return result;
  }

  absl::StatusOr<std::string> GetProfile(const std::string&, const std::string&, int,
                                         const ProfileQuery&, std::int64_t) override {
    const absl::MutexLock lock(&script_.mutex);
    if (!script_.reachable) return Down();
    if (script_.profile.empty()) return absl::UnimplementedError("no profiles here");
    return script_.profile;
  }

  absl::Status Push(const PushOffer& offer, const std::string&, std::int64_t) override {
    const absl::MutexLock lock(&script_.mutex);
    ++script_.pushes;
    if (offer.content == PushOffer::Content::kCodec) {
      if (!script_.takes_codecs) return absl::PermissionDeniedError("no codecs here");
      script_.codec_digest = offer.digest;
      return absl::OkStatus();
    }
    script_.has_model = true;
    return absl::OkStatus();
  }

  void CancelAll() override { shutdown_.Cancel(); }

 private:
  std::int64_t NetworkUs(std::int64_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(script_.mutex) {
    return 100 + bytes / script_.bytes_per_us;
  }

  static std::int64_t BytesOf(const std::vector<NamedTensor>& tensors) {
    std::int64_t bytes = 0;
    for (const NamedTensor& named : tensors) {
      bytes += static_cast<std::int64_t>(named.tensor.size_bytes());
    }
    return bytes;
  }

  static absl::Status Down() { return absl::UnavailableError("connection refused"); }

  absl::Status CheckCodec(const InferCall& call) const {
    const std::string expected = script_.Get(&FakeEdgeScript::codec_digest);
    const bool coded = call.encode && CodecRate(call.encode->encoding);
    if (!coded || (call.codecs && call.codecs->digest() == expected)) return absl::OkStatus();
    return absl::FailedPreconditionError("found codec digest a, expected b");
  }

  // False when it was cancelled before the time was over.
  bool Sleep(std::int64_t sleep_us, const CancelToken& cancel) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(sleep_us);
    while (std::chrono::steady_clock::now() < end) {
      if (cancel.cancelled() || shutdown_.cancelled()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  absl::Status Cancelled() {
    const absl::MutexLock lock(&script_.mutex);
    ++script_.cancelled;
    return absl::CancelledError("cancelled");
  }

  absl::Status Silence(std::int64_t timeout_us, const CancelToken& cancel) {
    if (!Sleep(timeout_us, cancel)) return Cancelled();
    return absl::DeadlineExceededError("no answer");
  }

  // Makes of a call's tensors or pictures what the real wire makes of them.
  static absl::StatusOr<Tensor> Travel(const NamedTensor& input, const InferCall& call,
                                       bool& unfamiliar) {
    EncodeOptions options = *call.encode;
    if (call.codecs) options.codec = call.codecs->Find(input.name);
    absl::StatusOr<EncodedFrame> frame = EncodeFrame(input.tensor, options);
    if (!frame.ok()) {
      absl::Status status = frame.status();
      SetNotSent(status);
      return status;
    }
    unfamiliar = unfamiliar || frame->unfamiliar;
    return DecodeTensor(frame->bytes, "frame", 1 << 24, options.codec);
  }

  absl::StatusOr<std::vector<NamedTensor>> Travel(const InferCall& call, bool& unfamiliar) const {
    std::vector<NamedTensor> arrived;
    for (const NamedTensor& input : call.inputs) {
      if (!call.encode) {
        arrived.push_back(input);
        continue;
      }
      absl::StatusOr<Tensor> tensor = Travel(input, call, unfamiliar);
      if (!tensor.ok()) return tensor.status();
      arrived.push_back({input.name, *std::move(tensor)});
    }
    std::vector<Tensor> items;
    for (const std::string& image : call.images) {
      absl::StatusOr<Tensor> item = ImageToTensor(image, *call.preprocessing, "picture");
      if (!item.ok()) return item.status();
      items.push_back(*std::move(item));
    }
    if (!items.empty()) arrived.push_back({graph_->inputs().front().name, *StackBatch(items)});
    return arrived;
  }

  absl::StatusOr<InferExchange> Answer(const InferCall& call, FakeEdgeScript::Infer mode) {
    using Mode = FakeEdgeScript::Infer;
    const int last = static_cast<int>(exits_.size()) - 1;
    const Chain& chain = *exits_[static_cast<std::size_t>(call.exit.value_or(last))].chain;
    InferExchange done;
    absl::StatusOr<std::vector<NamedTensor>> inputs = Travel(call, done.unfamiliar);
    if (!inputs.ok()) return inputs.status();
    absl::StatusOr<ChainResult> run =
        chain.Run(chain.BoundaryOf(call.cut.value_or(0)), chain.segments(), *inputs);
    if (!run.ok()) return run.status();
    done.reply.outputs = run->tensors;
    if (call.detections && script_.Get(&FakeEdgeScript::makes_detections)) {
      absl::StatusOr<std::vector<NamedTensor>> found = call.detections->Answer(run->tensors);
      if (!found.ok()) return found.status();
      done.reply.outputs = *std::move(found);
    }
    const absl::MutexLock lock(&script_.mutex);
    done.reply.compute_us = script_.plain ? 0 : script_.tail_us;
    done.reply.edge_us = done.reply.compute_us;
    done.reply.wait_us = script_.wait_us;
    done.exchange.bytes_up = BytesOf(*inputs);
    done.exchange.bytes_down = BytesOf(done.reply.outputs);
    done.exchange.total_us =
        done.reply.edge_us + NetworkUs(done.exchange.bytes_up + done.exchange.bytes_down);
    if (mode == Mode::kMissingOutput) done.reply.outputs.clear();
    if (mode == Mode::kWrongType) {
      Tensor& tensor = done.reply.outputs.front().tensor;
      tensor = *Tensor::Zeros(DataType::kInt32, tensor.shape());
    }
    if (mode == Mode::kWrongShape) {
      Tensor& tensor = done.reply.outputs.front().tensor;
      Shape shape = tensor.shape();
      ++shape.back();
      tensor = *Tensor::Zeros(DataType::kFloat32, shape);
    }
    if (mode == Mode::kNonsense) {
      Tensor& tensor = done.reply.outputs.front().tensor;
      std::vector<float> values(static_cast<std::size_t>(tensor.elements()), 7);
      tensor = *Tensor::FromFloats(tensor.shape(), std::move(values));
    }
    if (mode == Mode::kNotFinite) {
      Tensor& tensor = done.reply.outputs.front().tensor;
      std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
      values.back() = std::numeric_limits<float>::quiet_NaN();
      tensor = *Tensor::FromFloats(tensor.shape(), std::move(values));
    }
    return done;
  }

  const CancelToken shutdown_;
  const std::shared_ptr<const Graph> graph_;
  FakeEdgeScript& script_;
  std::vector<ExitModel> exits_;
};

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_DEVICE_FAKE_EDGE_H_
