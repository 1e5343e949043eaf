// A device whose model has codecs, with an edge that has them, has none, or has others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/sha256.h"
#include "device/beside_fake_edge.h"
#include "device/device_impl.h"
#include "device/eventually.h"
#include "device/explain.h"
#include "device/models.h"
#include "device/plan_table.h"
#include "support/tiny_codec.h"
#include "wire/payload.h"

namespace cleave {
namespace {

using testing::BesideFakeEdge;
using testing::EarlyOutputModel;
using testing::Eventually;
using testing::FakeEdgeScript;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::OpenBesideFakeEdge;
using ::testing::StartsWith;
using testing::TempDir;
using testing::TinyCodec;
using testing::TinyCodecBytes;

class CodecDeviceTest : public ::testing::Test {
 protected:
  CodecDeviceTest() {
    setenv("CLEAVE_CACHE_DIR", (folder_.path() + "/cache").c_str(), 1);
    path_ = folder_.Write("net.onnx", EarlyOutputModel());
    graph_ = *Graph::Load(path_);
    WriteCodecs();
    const CutTable table = *BuildCutTable(*graph_, 1);
    for (const CutInfo& cut : table.cuts) {
      if (cut.tensors.size() == 1 && cut.tensors[0].name == "s") cut_ = cut.cut.index;
    }
  }

  void WriteCodecs(float most_bytes = 4) {
    const std::string bytes =
        TinyCodecBytes(graph_->digest(), {{"s", TinyCodec(3, 4, most_bytes)}});
    folder_.Write("net.codec", bytes);
    digest_ = Sha256Hex(bytes);
  }

  std::unique_ptr<Device> Open(const DeviceOptions& options) {
    DeviceSurroundings surroundings = BesideFakeEdge(graph_, script_);
    surroundings.timing.first_retry_us = 2'000;
    surroundings.timing.longest_error_us = 50'000;
    surroundings.timing.recheck_us = 20'000;
    return OpenBesideFakeEdge(path_, options, surroundings);
  }

  DeviceOptions WithEdge(const std::string& policy) const {
    DeviceOptions options;
    options.edge.address = "edge:1";
    options.plans.policy = policy;
    options.plans.cuts = "all";
    return options;
  }
  std::string Fixed(const std::string& encoding) const {
    return absl::StrCat("fixed:", cut_, "/", encoding);
  }

  InferenceRecord Infer(Device& device) {
    auto record = device.Infer(*RandomInputs(*graph_, 2, ++seed_));
    EXPECT_TRUE(record.ok()) << record.status();
    return record.ok() ? *record : InferenceRecord();
  }

  LocalModel Load() const {
    DeviceOptions options;
    options.plans.cuts = "all";
    return *LocalModel::Load(path_, options);
  }

  const TempDir folder_;
  std::string path_;
  std::shared_ptr<const Graph> graph_;
  std::string digest_;
  FakeEdgeScript script_;
  int cut_ = 0;
  std::uint64_t seed_ = 0;
};

TEST_F(CodecDeviceTest, FixedPlansOfEveryRateRunSplit) {
  ASSERT_GT(cut_, 0);
  script_.codec_digest = digest_;
  const std::unique_ptr<Device> device = Open(WithEdge("device"));
  EXPECT_THAT(device->warnings(), IsEmpty());
  for (const char* encoding : {"t1", "t2", "t3", "t4", "t5", "t6"}) {
    ASSERT_TRUE(device->SetPolicy(Fixed(encoding)).ok());
    const InferenceRecord record = Infer(*device);
    EXPECT_EQ(record.fallback, std::nullopt);
    EXPECT_EQ(record.where, Where::kSplit);
    EXPECT_EQ(EncodingName(record.plan.encoding), encoding);
    EXPECT_FALSE(record.unfamiliar);
    const InferCall call = script_.Get(&FakeEdgeScript::last_call);
    ASSERT_NE(call.codecs, nullptr);
    EXPECT_EQ(call.codecs->digest(), digest_);
  }
}

TEST_F(CodecDeviceTest, TheRecordSaysUnfamiliar) {
  WriteCodecs(0.001F);
  script_.codec_digest = digest_;
  const std::unique_ptr<Device> device = Open(WithEdge(Fixed("t1")));
  EXPECT_TRUE(Infer(*device).unfamiliar);
  ASSERT_TRUE(device->SetPolicy(Fixed("q8")).ok());
  EXPECT_FALSE(Infer(*device).unfamiliar);
}

TEST_F(CodecDeviceTest, RowsAreThereWhereEveryTensorHasACodecThatTheEdgeHasToo) {
  const LocalModel model = Load();
  ASSERT_NE(model.codecs, nullptr);
  PlanTableTerms terms;
  terms.encodings = AllEncodings();
  EdgeOffer offer;
  offer.exits.push_back({model.main().model.candidates, nullptr});
  const auto coded_cuts = [&](const EdgeOffer* edge) {
    std::multiset<int> cuts;
    const auto table = MakePlanTable(model, edge, terms);
    for (const PlanCost& cost : table->plans) {
      if (CodecRate(cost.plan.encoding)) cuts.insert(cost.plan.cut);
    }
    return cuts;
  };
  const std::multiset<int> six = {cut_, cut_, cut_, cut_, cut_, cut_};
  EXPECT_EQ(coded_cuts(nullptr), six);
  EXPECT_THAT(coded_cuts(&offer), IsEmpty());
  offer.codecs = true;
  EXPECT_EQ(coded_cuts(&offer), six);
  terms.encodings = {Encoding::kFp32, Encoding::kT3, Encoding::kT4};
  EXPECT_EQ(coded_cuts(&offer).size(), 2U);
}

TEST_F(CodecDeviceTest, BytesAreThoseOfTheCodecUntilACalibrationTells) {
  LocalModel model = Load();
  PlanTableTerms terms;
  terms.encodings = AllEncodings();
  const auto bytes_up = [&](std::int64_t batch) {
    terms.batch = batch;
    terms.shapes = *WithBatch(*model.graph, model.shapes(), batch);
    const auto table = MakePlanTable(model, nullptr, terms);
    for (const PlanCost& cost : table->plans) {
      if (cost.plan.encoding == Encoding::kT3 && cost.plan.cut == cut_) return cost.bytes_up;
    }
    return 0.0;
  };
  const double elements = 3 * 8 * 8;  // Of an item.
  const double around = bytes_up(1) - 2 * elements;
  EXPECT_GT(around, 100);
  EXPECT_LT(around, 400);
  AccuracyTable::About about;
  about.model_digest = graph_->digest();
  about.data_digest = std::string(64, 'd');
  about.samples = 10;
  const Plan last{0, model.main().model.last_cut(), Encoding::kFp32};
  model.accuracy =
      *AccuracyTable::Create(about, {{last, 10, 0, 0}, {{0, cut_, Encoding::kT3}, 9, 5000, 0}});
  EXPECT_NEAR(bytes_up(1), 5000 + around, 100);
  EXPECT_NEAR(bytes_up(4), 4 * 5000 + around, 100);
}

TEST_F(CodecDeviceTest, ExplainShowsThem) {
  DeviceOptions options;
  options.plans.cuts = "all";
  options.plans.encodings = "t3,t4";
  std::vector<Encoding> found;
  const auto rows = ExplainAssumed(path_, options, AssumedState());
  ASSERT_TRUE(rows.ok()) << rows.status();
  for (const PlanForecast& row : *rows) {
    if (row.cut == cut_) found.push_back(row.encoding);
  }
  EXPECT_EQ(found, (std::vector<Encoding>{Encoding::kFp32, Encoding::kT3, Encoding::kT4}));
}

TEST_F(CodecDeviceTest, WithoutTheEdgesCodecsOtherPlansAreTakenUntilItHasThem) {
  const std::unique_ptr<Device> device = Open(WithEdge(Fixed("t3")));
  const InferenceRecord without = Infer(*device);
  EXPECT_EQ(without.where, Where::kDevice);
  EXPECT_THAT(without.fallback.value_or(""), HasSubstr("the edge has no codecs of the model"));
  ASSERT_TRUE(device->SetPolicy(absl::StrCat("fixed:", cut_)).ok());
  EXPECT_EQ(Infer(*device).where, Where::kSplit);
  EXPECT_EQ(script_.Get(&FakeEdgeScript::pushes), 0);
  ASSERT_TRUE(device->SetPolicy(Fixed("t3")).ok());
  script_.Set(&FakeEdgeScript::codec_digest, digest_);
  Eventually([&] { return Infer(*device).where == Where::kSplit; });
}

TEST_F(CodecDeviceTest, ARefusalEndsOnTheDeviceAndGreetsAgain) {
  script_.codec_digest = digest_;
  const std::unique_ptr<Device> device = Open(WithEdge(Fixed("t3")));
  EXPECT_EQ(Infer(*device).where, Where::kSplit);
  script_.Set(&FakeEdgeScript::codec_digest, std::string(64, 'e'));
  const InferenceRecord refused = Infer(*device);
  EXPECT_EQ(refused.where, Where::kDevice);
  EXPECT_THAT(refused.fallback.value_or(""), StartsWith("digest mismatch: found codec digest"));
  Eventually([&] {
    return Infer(*device).fallback.value_or("").find("the edge has other codecs") !=
           std::string::npos;
  });
  const int infers = script_.Get(&FakeEdgeScript::infers);
  ASSERT_TRUE(device->SetPolicy(absl::StrCat("fixed:", cut_)).ok());
  Eventually([&] { return Infer(*device).where == Where::kSplit; });
  EXPECT_GT(script_.Get(&FakeEdgeScript::infers), infers);
  ASSERT_TRUE(device->SetPolicy(Fixed("t3")).ok());
  script_.Set(&FakeEdgeScript::codec_digest, digest_);
  Eventually([&] { return Infer(*device).where == Where::kSplit; });
}

TEST_F(CodecDeviceTest, PushesItsCodecsWhenTold) {
  DeviceOptions options = WithEdge(Fixed("t3"));
  options.edge.push = true;
  script_.codec_digest = std::string(64, 'e');
  std::unique_ptr<Device> device = Open(options);
  EXPECT_EQ(Infer(*device).where, Where::kSplit);
  EXPECT_EQ(script_.Get(&FakeEdgeScript::pushes), 1);
  EXPECT_EQ(script_.Get(&FakeEdgeScript::codec_digest), digest_);
  device.reset();
  script_.codec_digest = "";
  script_.takes_codecs = false;
  device = Open(options);
  EXPECT_THAT(Infer(*device).fallback.value_or(""),
              HasSubstr("the edge has no codecs of the model; no codecs here"));
  ASSERT_TRUE(device->SetPolicy(absl::StrCat("fixed:", cut_)).ok());
  EXPECT_EQ(Infer(*device).where, Where::kSplit);
}

TEST_F(CodecDeviceTest, ACodecFileThatCannotBeUsedIsAWarning) {
  for (const std::string& bytes :
       {std::string("no codecs"), TinyCodecBytes(std::string(64, 'a'), {{"s", TinyCodec(3, 4)}})}) {
    folder_.Write("net.codec", bytes);
    const std::unique_ptr<Device> device = Open(WithEdge(Fixed("t3")));
    EXPECT_THAT(device->warnings(), ::testing::ElementsAre(HasSubstr("net.codec")));
    const InferenceRecord record = Infer(*device);
    EXPECT_EQ(record.where, Where::kDevice);
    EXPECT_THAT(record.fallback.value_or(""), HasSubstr("the model has no codecs here"));
  }
}

}  // namespace
}  // namespace cleave
