#include "cleave/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include "codec/picture.h"
#include "device/device_impl.h"
#include "device/eventually.h"
#include "device/fake_edge.h"
#include "device/models.h"
#include "model/input_shapes.h"
#include "runtime/chain.h"
#include "support/odd_models.h"

namespace cleave {
namespace {

using testing::EarlyOutputModel;
using testing::Eventually;
using testing::FakeEdge;
using testing::FakeEdgeScript;
using ::testing::HasSubstr;
using testing::MeanModel;
using testing::SlowModel;
using ::testing::StartsWith;
using testing::TempDir;
using testing::TwoInputModel;
using Mode = FakeEdgeScript::Infer;

class DeviceTest : public ::testing::Test {
 protected:
  DeviceTest() { setenv("CLEAVE_CACHE_DIR", (folder_.path() + "/cache").c_str(), 1); }

  void UseModel(const std::string& bytes) {
    path_ = folder_.Write("net.onnx", bytes);
    graph_ = *Graph::Load(path_);
    table_ = *BuildCutTable(*graph_, std::max<std::int64_t>(1, FixedBatch(*graph_)));
    whole_ = *WholeModel::Create(*graph_, RuntimeOptions());
    last_ = static_cast<int>(table_.cuts.size()) - 1;
  }

  absl::StatusOr<std::unique_ptr<Device>> TryOpen(DeviceOptions options) {
    DeviceSurroundings surroundings;
    surroundings.connect =
        [this](const ClientOptions&) -> absl::StatusOr<std::unique_ptr<EdgeClient>> {
      return std::make_unique<FakeEdge>(graph_, script_);
    };
    surroundings.timing.first_retry_us = 2'000;
    surroundings.timing.longest_reconnect_us = 20'000;
    surroundings.timing.longest_error_us = 50'000;
    surroundings.timing.recheck_us = 20'000;
    return OpenDevice(path_, std::move(options), surroundings);
  }

  // A profile in which every segment takes this long.
  std::string ProfileJson(double segment_us) const {
    CutList cuts;
    cuts.order = table_.order;
    std::vector<int> all;
    for (const CutInfo& info : table_.cuts) {
      cuts.cuts.push_back(info.cut);
      all.push_back(info.cut.index);
    }
    const auto chain = *Chain::Create(graph_, cuts, all, RuntimeOptions());
    Profile profile(MakeProfileKey(*chain, RuntimeOptions()));
    profile.Set(ShapesOf(table_.inputs.specs),
                std::vector<SegmentTime>(all.size() - 1, SegmentTime{segment_us, 0.01, 5}));
    return profile.ToJson();
  }

  std::unique_ptr<Device> Open(const std::string& policy) {
    DeviceOptions options = WithEdge(policy);
    auto device = TryOpen(options);
    EXPECT_TRUE(device.ok()) << device.status();
    return *std::move(device);
  }

  static DeviceOptions WithEdge(const std::string& policy) {
    DeviceOptions options;
    options.edge.address = "edge:1";
    options.plans.policy = policy;
    options.plans.cuts = "all";
    options.edge.remote_timeout_us = 300'000;
    return options;
  }

  // Runs one inference and checks its outputs against the whole model's.
  InferenceRecord InferRight(Device& device, std::int64_t batch = 1) {
    return InferRight(device, *RandomInputs(*graph_, batch, ++seed_));
  }
  InferenceRecord InferRight(Device& device, const InputShapes& shapes) {
    return InferRight(device, *RandomInputs(SpecsOf(*graph_, shapes), ++seed_));
  }
  InferenceRecord InferRight(Device& device, const std::vector<NamedTensor>& inputs) {
    const std::vector<NamedTensor> expected = *whole_->Run(inputs);
    absl::StatusOr<InferenceRecord> record = device.Infer(inputs);
    EXPECT_TRUE(record.ok()) << record.status();
    if (!record.ok()) return {};
    EXPECT_EQ(record->outputs.size(), expected.size());
    for (std::size_t i = 0; i < expected.size() && i < record->outputs.size(); ++i) {
      const Tensor& found = record->outputs[i].tensor;
      const Tensor& wanted = expected[i].tensor;
      EXPECT_EQ(record->outputs[i].name, expected[i].name);
      EXPECT_EQ(found.shape(), wanted.shape());
      if (found.shape() != wanted.shape()) continue;
      for (std::size_t j = 0; j < wanted.floats().size(); ++j) {
        const float scale = std::max(1.0F, std::abs(wanted.floats()[j]));
        EXPECT_NEAR(found.floats()[j], wanted.floats()[j], 1e-5 * scale) << j;
        if (::testing::Test::HasFailure()) break;
      }
    }
    return *record;
  }

  TempDir folder_;
  std::string path_;
  std::shared_ptr<const Graph> graph_;
  CutTable table_;
  std::unique_ptr<WholeModel> whole_;
  FakeEdgeScript script_;
  int last_ = 0;
  std::uint64_t seed_ = 0;
};

TEST_F(DeviceTest, EveryCutGivesTheModelsOutputs) {
  UseModel(EarlyOutputModel());
  const std::unique_ptr<Device> device = Open("dynamic");
  for (int cut = 0; cut < last_; ++cut) {
    ASSERT_TRUE(device->SetPolicy("fixed:" + std::to_string(cut)).ok());
    const InferenceRecord record = InferRight(*device);
    EXPECT_EQ(record.where, cut == 0 ? Where::kEdge : Where::kSplit) << cut;
    EXPECT_EQ(record.plan.cut, cut);
    EXPECT_EQ(record.fallback, std::nullopt);
    EXPECT_GT(record.bytes_up, 0);
    EXPECT_EQ(record.timeline.tail_us, 100);
    EXPECT_EQ(script_.Get(&FakeEdgeScript::last_call).digest, graph_->digest());
  }
  ASSERT_TRUE(device->SetPolicy("device").ok());
  const InferenceRecord record = InferRight(*device);
  EXPECT_EQ(record.where, Where::kDevice);
  EXPECT_EQ(record.plan.cut, last_);
  EXPECT_EQ(record.bytes_up, 0);
}

TEST_F(DeviceTest, PhasesAddUpToTheLatency) {
  UseModel(EarlyOutputModel());
  script_.tail_us = 0;
  script_.slow_us = 20'000;
  script_.infer = Mode::kSlow;
  const std::unique_ptr<Device> device = Open("fixed:1");
  const InferenceRecord record = InferRight(*device);
  const Timeline& time = record.timeline;
  const std::int64_t sum = time.decide_us + time.head_us + time.encode_us + time.uplink_us +
                           time.queue_us + time.tail_us + time.downlink_us + time.wasted_us;
  EXPECT_LE(sum, record.latency_us);
  EXPECT_GE(time.uplink_us + time.downlink_us, 20'000);
}

TEST_F(DeviceTest, SeveralInputsAndChangingBatchSizes) {
  UseModel(TwoInputModel());
  const std::unique_ptr<Device> device = Open("edge");
  for (const std::int64_t batch : {1, 3, 2, 7}) {
    EXPECT_EQ(InferRight(*device, batch).where, Where::kEdge) << batch;
  }
  ASSERT_TRUE(device->SetPolicy("fixed:1").ok());
  EXPECT_EQ(InferRight(*device, 5).where, Where::kSplit);
}

TEST_F(DeviceTest, AnyShapeRunsAtEveryCut) {
  UseModel(testing::FreeSizeModel().SerializeAsString());
  const std::unique_ptr<Device> device = Open("edge");
  EXPECT_EQ(device->profiled_inputs()[0].shape, (Shape{1, 3, 320, 320}));
  EXPECT_EQ(device->shape_guesses().size(), 2U);
  for (int cut = 0; cut < last_; ++cut) {
    ASSERT_TRUE(device->SetPolicy("fixed:" + std::to_string(cut)).ok());
    for (const Shape& shape : {Shape{1, 3, 16, 8}, Shape{3, 3, 9, 30}}) {
      const InferenceRecord record = InferRight(*device, InputShapes{shape});
      EXPECT_EQ(record.where, cut == 0 ? Where::kEdge : Where::kSplit) << cut;
      EXPECT_EQ(record.fallback, std::nullopt);
    }
  }
  const auto refused = device->Infer(*RandomInputs({{"x", DataType::kFloat32, {1, 4, 8, 8}}}, 1));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(DeviceTest, OutputsWhoseShapeDependsOnTheDataCrossTheCut) {
  UseModel(testing::NonZeroModel().SerializeAsString());
  const std::unique_ptr<Device> device = Open("edge");
  for (int cut = 0; cut < last_; ++cut) {
    ASSERT_TRUE(device->SetPolicy("fixed:" + std::to_string(cut)).ok());
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(InferRight(*device, InputShapes{{2, 8}}).fallback, std::nullopt) << cut;
    }
  }
}

TEST_F(DeviceTest, AWrongDeclarationRefusesNoAnswer) {
  UseModel(testing::WronglyDeclaredModel().SerializeAsString());
  const std::unique_ptr<Device> device = Open("edge");
  EXPECT_EQ(InferRight(*device).fallback, std::nullopt);
}

class FailureTest : public DeviceTest, public ::testing::WithParamInterface<Mode> {};

TEST_P(FailureTest, EndsOnTheDeviceAndRecovers) {
  UseModel(EarlyOutputModel());
  script_.refuse_wait_us = 30'000;
  const std::unique_ptr<Device> device = Open("fixed:2");
  ASSERT_EQ(InferRight(*device).where, Where::kSplit);
  script_.Set(&FakeEdgeScript::infer, GetParam());
  const InferenceRecord failed = InferRight(*device);
  EXPECT_EQ(failed.where, Where::kDevice);
  EXPECT_EQ(failed.plan.cut, 2);
  ASSERT_TRUE(failed.fallback.has_value());
  EXPECT_GT(failed.timeline.tail_us, 0);
  const InferenceRecord next = InferRight(*device);
  EXPECT_EQ(next.where, Where::kDevice);
  EXPECT_TRUE(next.fallback.has_value());
  script_.Set(&FakeEdgeScript::infer, Mode::kAnswer);
  Eventually([&] { return device->edge_usable(); });
  EXPECT_EQ(InferRight(*device).where, Where::kSplit);
}

INSTANTIATE_TEST_SUITE_P(Modes, FailureTest,
                         ::testing::Values(Mode::kUnavailable, Mode::kSilent, Mode::kRefuse,
                                           Mode::kWrongDigest, Mode::kBroken, Mode::kMissingOutput,
                                           Mode::kWrongType, Mode::kWrongShape, Mode::kNotFinite));

TEST_F(DeviceTest, FallbackSaysWhatHappened) {
  UseModel(EarlyOutputModel());
  script_.refuse_wait_us = 30'000;
  const std::vector<std::pair<Mode, std::string>> expected = {
      {Mode::kUnavailable, "edge unavailable: connection refused"},
      {Mode::kSilent, "timeout after "},
      {Mode::kRefuse, "refused: queue full, expected wait 30.0 ms"},
      {Mode::kTooLarge, "refused: found 600 bytes"},
      {Mode::kWrongDigest, "digest mismatch: "},
      {Mode::kBroken, "edge error: INTERNAL: the run failed"},
      {Mode::kMissingOutput, "reply malformed: output 'y': missing"},
      {Mode::kWrongType, "reply malformed: output 'y': found type INT32, expected FP32"},
      {Mode::kWrongShape, "reply malformed: output 'y': found shape 1x3x1x2, expected 1x3x1x1"},
      {Mode::kNotFinite, "reply malformed: output 'y': found NaN or infinity"}};
  for (const auto& [mode, text] : expected) {
    script_.Set(&FakeEdgeScript::infer, mode);
    const std::unique_ptr<Device> device = Open("fixed:3");
    EXPECT_THAT(InferRight(*device).fallback.value_or(""), StartsWith(text));
  }
}

TEST_F(DeviceTest, VerificationFindsPlausibleNonsense) {
  UseModel(EarlyOutputModel());
  DeviceOptions options = WithEdge("fixed:3");
  EXPECT_FALSE(InferRight(**TryOpen(options)).verification.has_value()) << "not drawn";
  options.edge.verify_share = 1;
  const std::unique_ptr<Device> device = *TryOpen(options);
  const InferenceRecord right = InferRight(*device);
  EXPECT_EQ(right.where, Where::kSplit);
  ASSERT_TRUE(right.verification.has_value());
  EXPECT_TRUE(right.verification->agrees);
  EXPECT_LT(right.verification->difference, 1e-4);
  script_.Set(&FakeEdgeScript::infer, Mode::kNonsense);
  const InferenceRecord wrong = InferRight(*device);
  EXPECT_EQ(wrong.where, Where::kDevice);
  EXPECT_THAT(wrong.fallback.value_or(""), StartsWith("verification: the edge's answer differs"));
  ASSERT_TRUE(wrong.verification.has_value());
  EXPECT_FALSE(wrong.verification->agrees);
  options.edge.verify_share = 2;
  EXPECT_EQ(TryOpen(options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(DeviceTest, ARefusedSizeIsNotSentAgain) {
  UseModel(EarlyOutputModel());
  script_.infer = Mode::kTooLarge;
  const std::unique_ptr<Device> device = Open("edge");
  EXPECT_EQ(InferRight(*device).where, Where::kDevice);
  script_.Set(&FakeEdgeScript::infer, Mode::kAnswer);
  EXPECT_THAT(InferRight(*device).fallback.value_or(""), HasSubstr("does not take cut 0"));
  EXPECT_EQ(script_.Get(&FakeEdgeScript::infers), 1);
  ASSERT_TRUE(device->SetPolicy("fixed:" + std::to_string(last_ - 1)).ok());
  EXPECT_EQ(InferRight(*device).where, Where::kSplit);
}

TEST_F(DeviceTest, AnEdgeThatComesLateIsUsed) {
  UseModel(EarlyOutputModel());
  script_.reachable = false;
  const std::unique_ptr<Device> device = Open("edge");
  EXPECT_FALSE(device->edge_usable());
  EXPECT_THAT(device->edge_problem(), HasSubstr("connection refused"));
  const InferenceRecord record = InferRight(*device);
  EXPECT_EQ(record.where, Where::kDevice);
  EXPECT_THAT(record.fallback.value_or(""), HasSubstr("edge unavailable"));
  EXPECT_EQ(script_.Get(&FakeEdgeScript::infers), 0);
  script_.Set(&FakeEdgeScript::reachable, true);
  Eventually([&] { return device->edge_usable(); });
  EXPECT_EQ(InferRight(*device).where, Where::kEdge);
}

TEST_F(DeviceTest, NothingIsLostWhileTheEdgeComesAndGoes) {
  UseModel(EarlyOutputModel());
  const std::unique_ptr<Device> device = Open("fixed:1");
  int split = 0;
  for (int i = 0; i < 200; ++i) {
    script_.Set(&FakeEdgeScript::reachable, i % 40 < 25);
    split += InferRight(*device).where == Where::kSplit ? 1 : 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_GT(split, 20);
  EXPECT_LT(split, 200);
}

TEST_F(DeviceTest, AnotherDigestIsNotTrustedUntilItIsRight) {
  UseModel(EarlyOutputModel());
  script_.digest = std::string(64, 'a');
  const std::unique_ptr<Device> device = Open("edge");
  EXPECT_FALSE(device->edge_usable());
  EXPECT_THAT(device->edge_problem(), HasSubstr(std::string(64, 'a')));
  EXPECT_THAT(device->edge_problem(), HasSubstr(graph_->digest()));
  EXPECT_EQ(InferRight(*device).where, Where::kDevice);
  script_.Set(&FakeEdgeScript::digest, "");
  Eventually([&] { return device->edge_usable(); });
  EXPECT_EQ(InferRight(*device).where, Where::kEdge);
}

TEST_F(DeviceTest, PushesAModelOnlyWhenToldTo) {
  UseModel(EarlyOutputModel());
  script_.has_model = false;
  {
    const std::unique_ptr<Device> device = Open("edge");
    EXPECT_FALSE(device->edge_usable());
    EXPECT_THAT(device->edge_problem(), HasSubstr("lacks the model"));
    EXPECT_EQ(script_.Get(&FakeEdgeScript::pushes), 0);
  }
  DeviceOptions options = WithEdge("edge");
  options.edge.push = true;
  const auto device = TryOpen(options);
  ASSERT_TRUE(device.ok());
  EXPECT_TRUE((*device)->edge_usable()) << (*device)->edge_problem();
  EXPECT_EQ(script_.Get(&FakeEdgeScript::pushes), 1);
  EXPECT_EQ(InferRight(**device).where, Where::kEdge);
}

TEST_F(DeviceTest, APlainServerGetsTheWholeModelOnly) {
  UseModel(TwoInputModel());
  script_.plain = true;
  const std::unique_ptr<Device> device = Open("edge");
  EXPECT_EQ(InferRight(*device).where, Where::kEdge);
  const InferCall call = script_.Get(&FakeEdgeScript::last_call);
  EXPECT_EQ(call.cut, std::nullopt);
  EXPECT_EQ(call.digest, std::nullopt);
  EXPECT_EQ(call.inputs.size(), 2U);
  ASSERT_TRUE(device->SetPolicy("fixed:1").ok());
  EXPECT_THAT(InferRight(*device).fallback.value_or(""), HasSubstr("does not take cut 1"));
  EXPECT_EQ(script_.Get(&FakeEdgeScript::probes), 0);
}

TEST_F(DeviceTest, OnlyCutsThatTheEdgeOffersAreUsed) {
  UseModel(EarlyOutputModel());
  script_.cuts = {0, 2};
  const std::unique_ptr<Device> device = Open("fixed:2");
  EXPECT_EQ(InferRight(*device).where, Where::kSplit);
  ASSERT_TRUE(device->SetPolicy("fixed:1").ok());
  const InferenceRecord record = InferRight(*device);
  EXPECT_EQ(record.where, Where::kDevice);
  EXPECT_THAT(record.fallback.value_or(""), HasSubstr("does not take cut 1"));
}

TEST_F(DeviceTest, DynamicFollowsTheEdgesSpeed) {
  UseModel(SlowModel(12));
  script_.bytes_per_us = 10'000;
  script_.profile = ProfileJson(10);
  script_.tail_us = 60;
  const std::unique_ptr<Device> device = Open("dynamic");
  EXPECT_EQ(InferRight(*device, 512).where, Where::kEdge);
  const auto rows = device->Explain(512);
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(std::count_if(rows->begin(), rows->end(),
                          [](const PlanForecast& row) { return row.allowed; }),
            table_.cuts.size())
      << "in full precision, since the model is not calibrated";
  const auto chosen =
      std::find_if(rows->begin(), rows->end(), [](const PlanForecast& row) { return row.chosen; });
  ASSERT_NE(chosen, rows->end());
  for (const PlanForecast& row : *rows) {
    EXPECT_LE(chosen->total_us, row.allowed ? row.total_us : 1e300) << row.cut;
  }

  script_.Set(&FakeEdgeScript::tail_us, 100'000'000);
  InferenceRecord record;
  for (int i = 0; i < 6; ++i) record = InferRight(*device, 512);
  EXPECT_EQ(record.where, Where::kDevice);
  EXPECT_EQ(record.fallback, std::nullopt);
}

TEST_F(DeviceTest, ADeadlineEndsTheWaitEarlyEnough) {
#ifdef CLEAVE_EMULATED
  GTEST_SKIP() << "an emulator is too slow for its deadline";
#endif
  UseModel(EarlyOutputModel());
  script_.infer = Mode::kSilent;
  DeviceOptions options = WithEdge("edge");
  options.edge.remote_timeout_us = 60'000'000;
  options.deadline.deadline_us = 400'000;
  const auto device = TryOpen(options);
  ASSERT_TRUE(device.ok());
  const InferenceRecord record = InferRight(**device);
  EXPECT_EQ(record.where, Where::kDevice);
  EXPECT_THAT(record.fallback.value_or(""), StartsWith("timeout after"));
  EXPECT_FALSE(record.deadline_missed) << record.latency_us;
}

TEST_F(DeviceTest, ADeadlineTooShortForTheEdgeKeepsItLocal) {
  UseModel(EarlyOutputModel());
  script_.wait_us = 3'000'000;
  DeviceOptions options = WithEdge("edge");
  options.deadline.deadline_us = 500'000;
  const auto device = TryOpen(options);
  ASSERT_TRUE(device.ok());
  const InferenceRecord record = InferRight(**device);
  EXPECT_EQ(record.where, Where::kDevice);
  EXPECT_THAT(record.fallback.value_or(""), StartsWith("deadline: "));
  EXPECT_EQ(script_.Get(&FakeEdgeScript::infers), 0);
}

TEST_F(DeviceTest, InputsThatDoNotFitAreNamed) {
  UseModel(TwoInputModel());
  const std::unique_ptr<Device> device = Open("device");
  const auto tensor = [](Shape shape) { return *Tensor::Zeros(DataType::kFloat32, shape); };
  const auto message = [&](const std::vector<NamedTensor>& inputs) {
    const auto record = device->Infer(inputs);
    EXPECT_EQ(record.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(record.status().message());
  };
  EXPECT_THAT(message({{"a", tensor({1, 3, 8, 8})}}), HasSubstr("'b': missing"));
  EXPECT_THAT(message({{"a", tensor({1, 3, 8, 8})}, {"c", tensor({1, 3, 8, 8})}}),
              HasSubstr("'c': the model has none"));
  EXPECT_THAT(message({{"a", tensor({1, 3, 8, 8})}, {"b", tensor({1, 3, 8, 9})}}),
              HasSubstr("found shape 1x3x8x9"));
  EXPECT_THAT(message({{"a", tensor({1, 3, 8, 8})}, {"b", tensor({2, 3, 8, 8})}}),
              HasSubstr("found batch size 2, expected 1"));
  const auto nothing = device->Infer({{"a", tensor({0, 3, 8, 8})}, {"b", tensor({0, 3, 8, 8})}});
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_EQ(nothing->outputs[0].tensor.elements(), 0);
  EXPECT_THAT(
      message(
          {{"a", tensor({1, 3, 8, 8})}, {"a", tensor({1, 3, 8, 8})}, {"b", tensor({1, 3, 8, 8})}}),
      HasSubstr("found 3, expected 2"));
  EXPECT_THAT(
      message({{"a", *Tensor::Zeros(DataType::kInt64, {1, 3, 8, 8})}, {"b", tensor({1, 3, 8, 8})}}),
      HasSubstr("found type INT64, expected FP32"));
}

TEST_F(DeviceTest, OptionsThatCannotBeAreRefusedAtOpen) {
  UseModel(EarlyOutputModel());
  const auto message = [&](const std::function<void(DeviceOptions&)>& change) {
    DeviceOptions options = WithEdge("dynamic");
    change(options);
    const auto device = TryOpen(options);
    EXPECT_FALSE(device.ok());
    return std::string(device.status().message());
  };
  EXPECT_THAT(message([](DeviceOptions& o) { o.plans.policy = "fastest"; }), HasSubstr("fixed:K"));
  EXPECT_THAT(message([](DeviceOptions& o) { o.plans.policy = "fixed:99"; }),
              HasSubstr("found 99, expected 0 to"));
  EXPECT_THAT(message([](DeviceOptions& o) {
                o.plans.policy = "edge";
                o.plans.no_raw_input = true;
              }),
              HasSubstr("raw input"));
  EXPECT_THAT(message([](DeviceOptions& o) { o.edge.address = "nowhere"; }),
              HasSubstr("HOST:PORT"));
  EXPECT_THAT(message([](DeviceOptions& o) { o.plans.cuts = "some"; }), HasSubstr("some"));
  EXPECT_THAT(message([](DeviceOptions& o) { o.runtime.batch = 0; }), HasSubstr("batch: found 0"));
  EXPECT_THAT(message([](DeviceOptions& o) { o.deadline.deadline_us = 0; }),
              HasSubstr("deadline_us"));
  EXPECT_THAT(message([](DeviceOptions& o) { o.runtime.profile = "/nowhere.json"; }),
              HasSubstr("/nowhere.json"));
}

TEST_F(DeviceTest, AFixedCutBecomesACandidate) {
  UseModel(EarlyOutputModel());
  DeviceOptions options = WithEdge("fixed:1");
  options.plans.cuts = "1";
  const auto device = TryOpen(options);
  ASSERT_TRUE(device.ok());
  EXPECT_THAT((*device)->candidate_cuts(), ::testing::Contains(1));
  EXPECT_EQ(InferRight(**device).where, Where::kSplit);
}

TEST_F(DeviceTest, NoEdgeIsNoFallback) {
  UseModel(EarlyOutputModel());
  DeviceOptions options;
  const auto device = TryOpen(options);
  ASSERT_TRUE(device.ok());
  const InferenceRecord record = InferRight(**device);
  EXPECT_EQ(record.where, Where::kDevice);
  EXPECT_EQ(record.fallback, std::nullopt);
  EXPECT_FALSE((*device)->edge_usable());
}

TEST_F(DeviceTest, QuietLinksAreProbed) {
  UseModel(EarlyOutputModel());
  const std::unique_ptr<Device> device = Open("device");
  const int before = script_.Get(&FakeEdgeScript::probes);
  Eventually([&] { return script_.Get(&FakeEdgeScript::probes) > before; });
}

TEST_F(DeviceTest, SlowdownsShowInTheRecord) {
  UseModel(EarlyOutputModel());
  script_.tail_us = 50'000;
  const std::unique_ptr<Device> device = Open("edge");
  for (int i = 0; i < 20; ++i) InferRight(*device);
  EXPECT_GT(InferRight(*device).edge_slowdown, 3);
}

TEST_F(DeviceTest, ThreadsMayShareADevice) {
  UseModel(EarlyOutputModel());
  const std::unique_ptr<Device> device = Open("fixed:1");
  const std::vector<NamedTensor> inputs = *RandomInputs(*graph_, 1, 1);
  std::vector<std::thread> threads;
  std::atomic<int> done = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 25; ++j) done += device->Infer(inputs).ok() ? 1 : 0;
    });
  }
  threads.emplace_back([&] {
    for (int j = 0; j < 25; ++j) {
      EXPECT_TRUE(device->SetPolicy(j % 2 == 0 ? "edge" : "fixed:1").ok());
      EXPECT_TRUE(device->Explain(1 + j).ok());
      script_.Set(&FakeEdgeScript::reachable, j % 3 != 0);
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 100);
}

TEST_F(DeviceTest, PicturesBecomeTheBytesOfTheModelsInputOnBothSides) {
  UseModel(MeanModel(onnx::TensorProto::UINT8));
  folder_.Write("net.json",
                R"({"preprocessing": {"fit": "letterbox", "pad": 0, "channel_order": "BGR"}})");
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 32; ++i) pixels.insert(pixels.end(), {200, 100, 50});
  const std::string wide = EncodeJpeg(pixels, 4, 8, 100).value();
  const auto device = Open("device");
  for (const auto& [policy, where] :
       {std::pair("device", Where::kDevice), {"fixed:0/jpeg", Where::kEdge}}) {
    ASSERT_TRUE(device->SetPolicy(policy).ok());
    const InferenceRecord record = device->InferPictures({wide}).value();
    EXPECT_EQ(record.where, where) << record.fallback.value_or("");
    const std::span<const float> means = record.outputs.at(0).tensor.floats();
    EXPECT_THAT(std::vector<float>(means.begin(), means.end()),
                ::testing::Pointwise(::testing::FloatNear(2), {25.0F, 50.0F, 100.0F}));
  }
}

}  // namespace
}  // namespace cleave
