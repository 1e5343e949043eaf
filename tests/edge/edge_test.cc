#include "cleave/edge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "profile/profile.h"
#include "support/odd_models.h"
#include "support/tiny_models.h"
#include "wire/client.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kSlowSide;
using testing::PoolModel;
using testing::SlowModel;
using testing::TempDir;

constexpr std::int64_t kMinuteUs = 60'000'000;

EdgeOptions Local(const std::string& models) {
  EdgeOptions options;
  options.models = {models};
  options.listen = "127.0.0.1:0";
  return options;
}

std::unique_ptr<EdgeClient> ClientOf(const Edge& edge) {
  ClientOptions options;
  options.target = absl::StrCat("127.0.0.1:", edge.port());
  return EdgeClient::Create(options).value();
}

NamedTensor Ramp(const std::string& name, Shape shape) {
  std::vector<float> values(static_cast<std::size_t>(ElementCount(shape).value()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i % 17) * 0.25F - 1.0F;
  }
  return {name, Tensor::FromFloats(std::move(shape), std::move(values)).value()};
}

// What PoolModel's head gives at "p".
NamedTensor Pooled(const Tensor& x) {
  const auto batch = static_cast<std::size_t>(x.shape()[0]);
  std::vector<float> out;
  for (std::size_t plane = 0; plane < batch * 3; ++plane) {
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < 4; ++j) {
        float sum = 0;
        for (const std::size_t at : {0U, 1U, 8U, 9U}) {
          sum += std::max(0.0F, x.floats()[plane * 64 + i * 16 + j * 2 + at]);
        }
        out.push_back(sum / 4);
      }
    }
  }
  return {"p", Tensor::FromFloats({x.shape()[0], 3, 4, 4}, std::move(out)).value()};
}

class EdgeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("CLEAVE_CACHE_DIR", cache_.path().c_str(), 1);
    models_.Write("pool.onnx", PoolModel());
  }
  void Start(EdgeOptions options) {
    options.on_event = [this](const EdgeEvent& event) {
      const absl::MutexLock lock(&mutex_);
      events_.push_back(event);
    };
    auto edge = Edge::Start(options);
    ASSERT_TRUE(edge.ok()) << edge.status();
    edge_ = *std::move(edge);
    client_ = ClientOf(*edge_);
  }
  absl::StatusOr<InferReply> Infer(const InferCall& call) {
    CLEAVE_ASSIGN_OR_RETURN(InferExchange done, client_->Infer(call, kMinuteUs));
    return std::move(done.reply);
  }
  std::string ErrorOf(const InferCall& call, absl::StatusCode code) {
    const absl::Status status = Infer(call).status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }
  static InferCall Whole() {
    InferCall call;
    call.model = "pool";
    call.id = "i7";
    call.inputs = {Ramp("x", {2, 3, 8, 8})};
    return call;
  }
  int Count(const std::string& kind) {
    const absl::MutexLock lock(&mutex_);
    int count = 0;
    for (const EdgeEvent& event : events_) count += EdgeEventKindName(event.kind) == kind ? 1 : 0;
    return count;
  }

  TempDir cache_;
  TempDir models_;
  absl::Mutex mutex_;
  std::vector<EdgeEvent> events_;
  std::unique_ptr<Edge> edge_;
  std::unique_ptr<EdgeClient> client_;
};

TEST_F(EdgeTest, TellsItsModel) {
  Start(Local(models_.path()));
  const ModelInfo info = client_->GetModel("pool", kMinuteUs).value();
  EXPECT_EQ(info.digest, Sha256Hex(PoolModel()));
  EXPECT_EQ(info.platform, "onnxruntime_onnx");
  ASSERT_EQ(info.inputs.size(), 1U);
  EXPECT_THAT(info.inputs[0].shape, ElementsAre(-1, 3, 8, 8));
  EXPECT_THAT(info.outputs.at(0).shape, ElementsAre(-1, 3, 1, 1));
  ASSERT_GE(info.cuts.size(), 2U);
  EXPECT_EQ(info.cuts.front(), 0);
  const EdgeStatus status = client_->GetStatus(kMinuteUs).value();
  ASSERT_EQ(status.models.size(), 1U);
  EXPECT_EQ(status.models[0].cuts, info.cuts);
  EXPECT_EQ(status.queue_capacity, 64);
  EXPECT_FALSE(status.draining);
  EXPECT_THAT(std::string(client_->GetModel("other", kMinuteUs).status().message()),
              HasSubstr("found model 'other', expected one of pool"));
}

TEST_F(EdgeTest, RunsTheWholeModelAndItsTails) {
  EdgeOptions options = Local(models_.path());
  options.cuts = "all";
  Start(options);
  const InferReply whole = Infer(Whole()).value();
  EXPECT_EQ(whole.id, "i7");
  EXPECT_EQ(whole.model, "pool");
  EXPECT_EQ(whole.version, "1");
  EXPECT_EQ(whole.digest, Sha256Hex(PoolModel()));
  EXPECT_GE(whole.edge_us, whole.compute_us);
  ASSERT_EQ(whole.outputs.size(), 1U);
  EXPECT_EQ(whole.outputs[0].name, "y");
  EXPECT_THAT(whole.outputs[0].tensor.shape(), ElementsAre(2, 3, 1, 1));

  InferCall tail = Whole();
  tail.inputs = {Pooled(Whole().inputs[0].tensor)};
  std::optional<int> cut_of_p;
  const ModelInfo info = client_->GetModel("pool", kMinuteUs).value();
  for (const int cut : info.cuts) {
    tail.cut = cut;
    if (Infer(tail).ok()) cut_of_p = cut;
  }
  ASSERT_TRUE(cut_of_p.has_value());
  tail.cut = cut_of_p;
  tail.digest = whole.digest;
  tail.outputs = {"y"};
  const InferReply split = Infer(tail).value();
  ASSERT_EQ(split.outputs.size(), 1U);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(split.outputs[0].tensor.floats()[i], whole.outputs[0].tensor.floats()[i], 1e-5);
  }
}

TEST_F(EdgeTest, RefusesWhatDoesNotFitAndSaysWhatWould) {
  using enum absl::StatusCode;
  Start(Local(models_.path()));
  InferCall call = Whole();
  call.model = "nobody";
  EXPECT_THAT(ErrorOf(call, kNotFound), HasSubstr("found model 'nobody', expected one of pool"));

  call = Whole();
  call.digest = std::string(64, '0');
  EXPECT_THAT(ErrorOf(call, kFailedPrecondition),
              HasSubstr(absl::StrCat("found digest ", std::string(64, '0'), ", expected ",
                                     Sha256Hex(PoolModel()))));
  call = Whole();
  call.cut = 999;
  EXPECT_THAT(ErrorOf(call, kInvalidArgument), HasSubstr("found cut 999, expected one of 0"));
  call = Whole();
  call.inputs[0].name = "other";
  EXPECT_THAT(ErrorOf(call, kInvalidArgument),
              HasSubstr("found an input 'other', expected 'x' FP32 ?x3x8x8"));
  call.inputs.clear();
  EXPECT_THAT(ErrorOf(call, kInvalidArgument), HasSubstr("found 0 inputs, expected 1"));
  call.inputs = {Ramp("x", {2, 3, 8, 9})};
  EXPECT_THAT(ErrorOf(call, kInvalidArgument),
              HasSubstr("input 'x': found FP32 2x3x8x9, expected FP32 ?x3x8x8"));
  call.inputs = {Ramp("x", {2, 3, 64})};
  EXPECT_THAT(ErrorOf(call, kInvalidArgument), HasSubstr("found FP32 2x3x64"));
  call.inputs = {{"x", Tensor::Zeros(DataType::kFloat64, {1, 3, 8, 8}).value()}};
  EXPECT_THAT(ErrorOf(call, kInvalidArgument), HasSubstr("found FP64 1x3x8x8, expected FP32"));
  call = Whole();
  call.outputs = {"y", "w"};
  EXPECT_THAT(ErrorOf(call, kInvalidArgument), HasSubstr("found an output 'w', expected of 'y'"));
  EXPECT_TRUE(Infer(Whole()).ok());
  EXPECT_EQ(Count("infer"), 1);
  EXPECT_EQ(Count("error"), 9);
}

TEST_F(EdgeTest, AnEventNamesTheExitThatWasAskedFor) {
  std::filesystem::copy(CLEAVE_MODELS_DIR "/alexnet_cifar10.onnx",
                        models_.path() + "/alexnet.onnx");
  Start(Local(models_.path()));
  ASSERT_TRUE(Infer(Whole()).ok());
  InferCall early;
  early.model = "alexnet";
  early.inputs = {Ramp("image", {1, 3, 32, 32})};
  early.exit = 1;
  early.cut = 0;
  const auto answer = Infer(early);
  ASSERT_TRUE(answer.ok()) << answer.status();
  edge_->Shutdown();
  const absl::MutexLock lock(&mutex_);
  ASSERT_GE(events_.size(), 2U);
  EXPECT_EQ(events_[0].exit, std::nullopt);
  EXPECT_EQ(events_[1].model, "alexnet");
  EXPECT_EQ(events_[1].exit, 1);
}

TEST_F(EdgeTest, AnEmptyBatchLosesNothing) {
  Start(Local(models_.path()));
  InferCall call = Whole();
  call.inputs = {{"x", Tensor::Zeros(DataType::kFloat32, {0, 3, 8, 8}).value()}};
  static_cast<void>(Infer(call));
  EXPECT_TRUE(Infer(Whole()).ok());
}

TEST_F(EdgeTest, AFullQueueSaysHowLongTheWaitIs) {
  models_.Write("slow.onnx", SlowModel(60));
  EdgeOptions options = Local(models_.path());
  options.queue_capacity = 1;
  Start(options);
  InferCall slow;
  slow.model = "slow";
  slow.inputs = {{"x", Tensor::Zeros(DataType::kFloat32, {kSlowSide, kSlowSide}).value()}};
  ASSERT_TRUE(Infer(slow).ok());
  std::atomic<int> fine = 0;
  std::atomic<int> refused = 0;
  std::atomic<bool> wait_told = true;
  std::vector<std::thread> callers;
  callers.reserve(8);
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      const auto client = ClientOf(*edge_);
      const auto done = client->Infer(slow, kMinuteUs);
      if (done.ok()) {
        ++fine;
        return;
      }
      ++refused;
      EXPECT_EQ(done.status().code(), absl::StatusCode::kResourceExhausted);
      if (GetExpectedWait(done.status()).value_or(0) <= 0) wait_told = false;
    });
  }
  while (client_->GetStatus(kMinuteUs)->running == 0) std::this_thread::yield();
  EXPECT_TRUE(client_->Probe(10, 10, kMinuteUs).ok()) << "never queued";
  for (std::thread& caller : callers) caller.join();
  EXPECT_GE(fine, 2);
  EXPECT_GE(refused, 1);
  EXPECT_EQ(fine + refused, 8);
  EXPECT_TRUE(wait_told);
  EXPECT_EQ(client_->GetStatus(kMinuteUs)->refused, refused);
  EXPECT_EQ(Count("refused"), refused);
}

TEST_F(EdgeTest, ACancelledWaiterLeavesTheQueue) {
  models_.Write("slow.onnx", SlowModel(100));
  Start(Local(models_.path()));
  InferCall slow;
  slow.model = "slow";
  slow.inputs = {{"x", Tensor::Zeros(DataType::kFloat32, {kSlowSide, kSlowSide}).value()}};
  std::thread runner([&] { EXPECT_TRUE(Infer(slow).ok()); });
  while (client_->GetStatus(kMinuteUs)->running == 0) std::this_thread::yield();
  const CancelToken cancel;
  std::thread waiter([&] {
    EXPECT_EQ(client_->Infer(slow, kMinuteUs, cancel).status().code(),
              absl::StatusCode::kCancelled);
  });
  const auto queued = [&] { return client_->GetStatus(kMinuteUs)->queued; };
  bool was_queued = false;
  for (int i = 0; i < 1000 && !was_queued; ++i) was_queued = queued() == 1;
  cancel.Cancel();
  waiter.join();
  runner.join();
  EXPECT_EQ(queued(), 0);
}

TEST_F(EdgeTest, ShutdownLetsRunningAndQueuedRequestsEnd) {
  models_.Write("slow.onnx", SlowModel(60));
  EdgeOptions options = Local(models_.path());
  options.drain_us = kMinuteUs;
  Start(options);
  InferCall slow;
  slow.model = "slow";
  slow.inputs = {{"x", Tensor::Zeros(DataType::kFloat32, {kSlowSide, kSlowSide}).value()}};
  std::atomic<int> fine = 0;
  std::vector<std::thread> callers;
  callers.reserve(8);
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      const auto done = ClientOf(*edge_)->Infer(slow, kMinuteUs);
      EXPECT_TRUE(done.ok()) << done.status();
      fine += done.ok() ? 1 : 0;
    });
  }
  const auto taken = [&] {
    const EdgeStatus status = client_->GetStatus(kMinuteUs).value();
    return status.queued + status.running + static_cast<int>(status.completed);
  };
  while (taken() < 3) std::this_thread::yield();
  edge_->Shutdown();
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(fine, 3);
  EXPECT_EQ(client_->Infer(slow, kMinuteUs).status().code(), absl::StatusCode::kUnavailable);
  edge_->Shutdown();
  EXPECT_EQ(Count("drain"), 1);
}

TEST_F(EdgeTest, ADrainThatIsTooShortEndsTheRest) {
  models_.Write("slow.onnx", SlowModel(100));
  EdgeOptions options = Local(models_.path());
  options.drain_us = 1000;
  Start(options);
  InferCall slow;
  slow.model = "slow";
  slow.inputs = {{"x", Tensor::Zeros(DataType::kFloat32, {kSlowSide, kSlowSide}).value()}};
  std::vector<std::thread> callers;
  callers.reserve(8);
  std::atomic<int> ended = 0;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      static_cast<void>(ClientOf(*edge_)->Infer(slow, kMinuteUs));
      ++ended;
    });
  }
  while (client_->GetStatus(kMinuteUs)->running == 0) std::this_thread::yield();
  edge_->Shutdown();
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(ended, 3);
}

ProfileQuery Batches(const std::vector<std::int64_t>& batches) {
  ProfileQuery query;
  query.batches = batches;
  return query;
}

TEST_F(EdgeTest, ProfilesAreMeasuredOnceAndShared) {
  Start(Local(models_.path()));
  std::vector<std::string> texts(3);
  std::vector<std::thread> askers;
  askers.reserve(texts.size());
  for (std::string& text : texts) {
    askers.emplace_back([&] {
      text = ClientOf(*edge_)
                 ->GetProfile("pool", "", 0, Batches({1, 2}), kMinuteUs)
                 .value_or("failed");
    });
  }
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_EQ(texts[0], texts[2]);
  const Profile profile = Profile::FromJson(texts[0], "test").value();
  EXPECT_EQ(profile.key().model_digest, Sha256Hex(PoolModel()));
  EXPECT_TRUE(profile.Has({{1, 3, 8, 8}}));
  EXPECT_TRUE(profile.Has({{2, 3, 8, 8}}));
  EXPECT_EQ(client_->GetStatus(kMinuteUs)->completed, 1);
  EXPECT_EQ(client_->GetProfile("pool", "", 0, Batches({2}), kMinuteUs).value(), texts[0]);
}

TEST_F(EdgeTest, RefusesProfilesThatMakeNoSense) {
  using enum absl::StatusCode;
  Start(Local(models_.path()));
  const auto code = [&](const std::string& model, const std::string& digest,
                        const std::vector<std::int64_t>& batches) {
    return client_->GetProfile(model, digest, 0, Batches(batches), kMinuteUs).status().code();
  };
  EXPECT_EQ(code("nobody", "", {1}), kNotFound);
  EXPECT_EQ(code("pool", "d", {1}), kFailedPrecondition);
  EXPECT_EQ(code("pool", "", {0}), kInvalidArgument);
  EXPECT_EQ(code("pool", "", {1 << 30}), kInvalidArgument);
  EXPECT_EQ(code("pool", "", std::vector<std::int64_t>(17, 1)), kInvalidArgument);
  const auto at = [&](const InputShapes& shapes) {
    ProfileQuery query;
    query.points = {shapes};
    return client_->GetProfile("pool", "", 0, query, kMinuteUs).status().code();
  };
  EXPECT_EQ(at({{1, 3, 8, 8}}), kOk);
  EXPECT_EQ(at({}), kInvalidArgument);
  EXPECT_EQ(at({{1, 3, 8}}), kInvalidArgument);
  EXPECT_EQ(at({{1, 3, 8, 9}}), kInvalidArgument);
  EXPECT_EQ(at({{-1, 3, 8, 8}}), kInvalidArgument);
  EXPECT_EQ(at({{std::int64_t{1} << 40, 3, 8, 8}}), kInvalidArgument);
  EXPECT_EQ(at({{1, 3, 8, 8}, {1, 3, 8, 8}}), kInvalidArgument);
}

TEST_F(EdgeTest, ABatchOverTheLimitIsRefusedFromTheHead) {
  EdgeOptions options = Local(models_.path());
  options.max_batch = 4;
  Start(options);
  const auto infer = [&](std::int64_t batch) {
    InferCall call;
    call.model = "pool";
    call.inputs = {{"x", Tensor::Zeros(DataType::kFloat32, {batch, 3, 8, 8}).value()}};
    return Infer(call).status();
  };
  EXPECT_TRUE(infer(4).ok());
  const absl::Status refused = infer(5);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("found a batch of 5, expected at most 4 (--max-batch)"));
  EXPECT_THAT(
      std::string(client_->GetProfile("pool", "", 0, Batches({5}), kMinuteUs).status().message()),
      HasSubstr("expected 1 to 4"));
}

TEST_F(EdgeTest, OptionsOfLimitsAreChecked) {
  using enum absl::StatusCode;
  const auto code = [&](const std::function<void(EdgeOptions&)>& change) {
    EdgeOptions options = Local(models_.path());
    change(options);
    return options.Validate().code();
  };
  EXPECT_EQ(code([](EdgeOptions& options) { options.max_batch = 0; }), kInvalidArgument);
  EXPECT_EQ(code([](EdgeOptions& options) { options.max_calls = 0; }), kInvalidArgument);
  EXPECT_EQ(code([](EdgeOptions& options) { options.max_call_bytes = 1; }), kInvalidArgument);
  EXPECT_EQ(code([](EdgeOptions& options) { options.message_timeout_us = 0; }), kInvalidArgument);
  EXPECT_EQ(code([](EdgeOptions& options) { options.call_timeout_us = 0; }), kInvalidArgument);
  EXPECT_EQ(code([](EdgeOptions& options) { options.idle_timeout_us = 0; }), kInvalidArgument);
  EXPECT_EQ(code([](EdgeOptions& options) { options.weights["192.0.2.1"] = 0; }), kInvalidArgument);
  EXPECT_EQ(code([](EdgeOptions& options) { options.max_pushed = 0; }), kInvalidArgument);
  EXPECT_EQ(code([](EdgeOptions&) {}), kOk);
}

TEST_F(EdgeTest, PushIsOffUnlessAllowed) {
  Start(Local(models_.path()));
  EXPECT_EQ(client_->Push({.name = "m", .digest = Sha256Hex("m")}, "m", kMinuteUs).code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(EdgeTest, APushedModelIsServedAndKept) {
  using enum absl::StatusCode;
  const TempDir kept;
  EdgeOptions options = Local(models_.path());
  options.allow_push = true;
  options.push_dir = kept.path() + "/pushed";
  options.max_push_bytes = 1 << 20;
  Start(options);
  const std::string model = SlowModel(1);
  const std::string digest = Sha256Hex(model);
  const auto push = [&](const std::string& name, const std::string& claimed,
                        const std::string& bytes) {
    return client_->Push({.name = name, .digest = claimed}, bytes, kMinuteUs);
  };
  for (const char* name : {"", ".hidden", "../up", "a/b", "a b", "a\n"}) {
    EXPECT_EQ(push(name, digest, model).code(), kInvalidArgument) << name;
  }
  EXPECT_EQ(push("pushed", "short", model).code(), kInvalidArgument);
  EXPECT_EQ(push("pushed", Sha256Hex("other"), model).code(), kInvalidArgument);
  EXPECT_EQ(push("pushed", Sha256Hex("no model"), "no model").code(), kInvalidArgument);
  EXPECT_THAT(std::string(push("pushed", digest, std::string((1 << 20) + 1, 'x')).message()),
              HasSubstr("found a model of 1048577 bytes, expected at most 1048576"));
  EXPECT_FALSE(std::filesystem::exists(options.push_dir + "/pushed.onnx"));

  EXPECT_TRUE(push("pushed", digest, model).ok());
  EXPECT_TRUE(push("pushed", digest, model).ok());
  EXPECT_EQ(push("pushed", Sha256Hex(PoolModel()), PoolModel()).code(), kAlreadyExists);
  EXPECT_TRUE(std::filesystem::exists(options.push_dir + "/pushed.onnx"));
  InferCall call;
  call.model = "pushed";
  call.digest = digest;
  call.inputs = {{"x", Tensor::Zeros(DataType::kFloat32, {kSlowSide, kSlowSide}).value()}};
  EXPECT_TRUE(Infer(call).ok());

  Start(options);
  EXPECT_EQ(client_->GetModel("pushed", kMinuteUs).status().code(), kNotFound);
  EXPECT_TRUE(push("pushed", digest, "not sent again").ok()) << "kept from before";
  EXPECT_TRUE(Infer(call).ok());
}

TEST_F(EdgeTest, AModelIsKeptInNoCacheThatOthersMayWriteTo) {
  const TempDir cache;
  std::filesystem::permissions(cache.path(), std::filesystem::perms::all);
  setenv("CLEAVE_CACHE_DIR", cache.path().c_str(), 1);
  EdgeOptions options = Local(models_.path());
  options.allow_push = true;
  Start(options);
  const std::string model = SlowModel(1);
  EXPECT_TRUE(client_->Push({.name = "pushed", .digest = Sha256Hex(model)}, model, kMinuteUs).ok());
  EXPECT_TRUE(client_->GetModel("pushed", kMinuteUs).ok());
  EXPECT_TRUE(std::filesystem::is_empty(cache.path()));
  unsetenv("CLEAVE_CACHE_DIR");
}

TEST_F(EdgeTest, APushedModelReadsNoFileOfTheServer) {
  const TempDir folder;
  folder.Write("secret", "root");
  onnx::ModelProto model = testing::EmptyModel();
  testing::Describe("x", {-1, 4}, *model.mutable_graph()->add_input());
  testing::Describe("y", {-1, 4}, *model.mutable_graph()->add_output());
  testing::AddNode(*model.mutable_graph(), "Add", {"x", "c"}, "y");
  onnx::AttributeProto& sparse =
      *testing::AddNode(*model.mutable_graph(), "Constant", {}, "c").add_attribute();
  sparse.set_name("sparse_value");
  sparse.set_type(onnx::AttributeProto::SPARSE_TENSOR);
  sparse.mutable_sparse_tensor()->add_dims(4);
  onnx::TensorProto& values = *sparse.mutable_sparse_tensor()->mutable_values();
  values.set_name("values");
  values.set_data_type(onnx::TensorProto::FLOAT);
  values.add_dims(1);
  values.set_data_location(onnx::TensorProto::EXTERNAL);
  onnx::StringStringEntryProto& location = *values.add_external_data();
  location.set_key("location");
  location.set_value(std::filesystem::relative(folder.path() + "/secret"));
  EdgeOptions options = Local(models_.path());
  options.allow_push = true;
  options.push_dir = folder.path() + "/pushed";
  Start(options);
  const std::string bytes = model.SerializeAsString();
  const absl::Status refused =
      client_->Push({.name = "spy", .digest = Sha256Hex(bytes)}, bytes, kMinuteUs);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("external data of 'values'"));
  EXPECT_FALSE(client_->GetModel("spy", kMinuteUs).ok());
}

TEST_F(EdgeTest, ABadModelInAFolderKeepsNoOtherFromBeingServed) {
  std::string unknown = PoolModel();
  unknown.replace(unknown.find("Relu"), 4, "Rulu");
  models_.Write("half.onnx", PoolModel().substr(0, 100));
  models_.Write("odd.onnx", unknown);
  Start(Local(models_.path()));
  EXPECT_TRUE(Infer(Whole()).ok());
  for (const char* name : {"half", "odd"}) {
    const absl::Status missing = client_->GetModel(name, kMinuteUs).status();
    EXPECT_EQ(missing.code(), absl::StatusCode::kFailedPrecondition) << missing;
    EXPECT_THAT(std::string(missing.message()), HasSubstr("did not load"));
    EXPECT_THAT(std::string(missing.message()), HasSubstr(std::string(name) + ".onnx"));
    const absl::MutexLock lock(&mutex_);
    EXPECT_TRUE(std::any_of(events_.begin(), events_.end(), [&](const EdgeEvent& event) {
      return event.kind == EdgeEventKind::kLoad && event.model == name && !event.error.empty();
    })) << name;
  }
}

TEST_F(EdgeTest, LoadsModelsAtTheShapesThatTheUserGives) {
  models_.Write("free.onnx", testing::FreeSizeModel().SerializeAsString());
  EdgeOptions options = Local(models_.path());
  options.shapes["x"] = {-1, 3, -1, 8};
  Start(options);
  const auto json = client_->GetProfile("free", "", 0, ProfileQuery(), kMinuteUs);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_TRUE(Profile::FromJson(*json, "test")->Has({{1, 3, 320, 8}}));
}

TEST_F(EdgeTest, ABadModelThatTheUserNamedIsAnError) {
  std::string unknown = PoolModel();
  unknown.replace(unknown.find("Relu"), 4, "Rulu");
  const TempDir other;
  for (const std::string& bad : {other.Write("half.onnx", PoolModel().substr(0, 100)),
                                 other.Write("odd.onnx", unknown), other.path()}) {
    EdgeOptions options = Local(bad);
    if (bad != other.path()) options.models.push_back(models_.path());
    const absl::Status status = Edge::Start(options).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr(".onnx"));
  }
}

TEST_F(EdgeTest, ServesEveryOddModelToAPlainClientAndAtItsCuts) {
  const TempDir odd;
  for (const testing::OddModel& model : testing::OddModels()) {
    odd.Write(model.name + ".onnx", model.proto.SerializeAsString());
  }
  EdgeOptions options = Local(odd.path());
  options.cuts = "all";
  Start(options);
  for (const testing::OddModel& model : testing::OddModels()) {
    SCOPED_TRACE(model.name);
    const auto graph = Graph::FromBytes(model.proto.SerializeAsString(), model.name).value();
    const auto table = BuildCutTable(*graph, ShapeRequest()).value();
    InferCall call;
    call.model = model.name;
    call.inputs = RandomInputs(table.inputs.specs, 1, graph->value_hints()).value();
    const auto expected = WholeModel::Create(*graph, {}).value()->Run(call.inputs).value();
    const absl::StatusOr<InferReply> reply = Infer(call);
    ASSERT_TRUE(reply.ok()) << reply.status();
    ASSERT_EQ(reply->outputs.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(reply->outputs[i].name, expected[i].name);
      EXPECT_EQ(reply->outputs[i].tensor.shape(), expected[i].tensor.shape());
      // A whole model computes in single precision what a cut rounds to half.
      const bool rounds = graph->uses_half();
      EXPECT_TRUE(rounds || reply->outputs[i].tensor.bytes() == expected[i].tensor.bytes());
    }
    const auto info = client_->GetModel(model.name, kMinuteUs);
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(info->cuts.size() + 1, SelectCandidates(table, {CandidateSpec::Kind::kAll}).size());
  }
}

TEST_F(EdgeTest, TwoFilesOfOneNameAreAnError) {
  const TempDir other;
  EdgeOptions options = Local(models_.path());
  options.models.push_back(other.Write("pool.onnx", PoolModel()));
  const absl::Status status = Edge::Start(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("model 'pool'"));
}

TEST_F(EdgeTest, AnEmptyFolderAndBadOptionsAreErrors) {
  const TempDir empty;
  EXPECT_THAT(std::string(Edge::Start(Local(empty.path())).status().message()),
              HasSubstr("found no *.onnx file"));
  EdgeOptions options = Local(models_.path());
  options.workers = 0;
  EXPECT_THAT(std::string(Edge::Start(options).status().message()),
              HasSubstr("workers: found 0, expected 1 or more"));
  options = Local(models_.path());
  options.provider = "Abacus";
  EXPECT_THAT(std::string(Edge::Start(options).status().message()), HasSubstr("Abacus"));
  options = Local(models_.path());
  options.cuts = "some";
  EXPECT_FALSE(Edge::Start(options).ok());
}

}  // namespace
}  // namespace cleave
