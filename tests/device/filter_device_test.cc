// A device with a filter, on its own and with an edge.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "device/beside_fake_edge.h"
#include "device/device_impl.h"
#include "device/filter_gate.h"
#include "device/models.h"
#include "device/plan_table.h"
#include "support/branchy_model.h"
#include "support/picture_files.h"
#include "support/tiny_filter.h"

namespace cleave {
namespace {

using testing::BesideFakeEdge;
using testing::EarlyOutputModel;
using testing::FakeEdgeScript;
using testing::FilterAbout;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LevelFilter;
using testing::OpenBesideFakeEdge;
using testing::PlainPng;
using testing::PoolModel;
using testing::TempDir;
using Outcome = FilterRecord::Outcome;

// PoolModel: what is never above 0 shows nothing, and 0.5 and less is noise.
class FilterDeviceTest : public ::testing::Test {
 protected:
  FilterDeviceTest() {
    setenv("CLEAVE_CACHE_DIR", (folder_.path() + "/cache").c_str(), 1);
    Use(PoolModel(), "p");
  }

  // Makes the model, and a filter of it that reads this tensor.
  void Use(const std::string& model, const std::string& tensor) {
    path_ = folder_.Write("net.onnx", model);
    graph_ = *Graph::Load(path_);
    const CutTable table = *BuildCutTable(*graph_, 1);
    for (const CutInfo& cut : table.cuts) {
      if (cut.tensors.size() == 1 && cut.tensors[0].name == tensor) cut_ = cut.cut.index;
    }
    WriteFilter(FilterAbout(graph_->digest(), cut_, {tensor}));
  }
  void WriteFilter(const FilterFile::About& about, int channels = 3) {
    folder_.Write("net.filter", FilterFile::Write(about, LevelFilter(channels, 0.5F)));
  }

  static DeviceOptions Options(const std::string& policy = "device") {
    DeviceOptions options;
    options.filter.file = "";
    options.filter.check_share = 0;
    options.plans.policy = policy;
    options.plans.cuts = "all";
    if (policy != "device") options.edge.address = "edge:1";
    return options;
  }

  std::unique_ptr<Device> Open(const DeviceOptions& options) {
    return OpenBesideFakeEdge(path_, options, BesideFakeEdge(graph_, script_));
  }

  std::string OpenError(const DeviceOptions& options) const {
    return std::string(OpenDevice(path_, options, {}).status().message());
  }

  // A batch of pictures of one value each.
  static InferenceRecord Infer(Device& device, const std::vector<float>& pictures) {
    const std::size_t elements = 3 * 8 * 8;
    std::vector<float> values;
    for (const float value : pictures) values.insert(values.end(), elements, value);
    const auto count = static_cast<std::int64_t>(pictures.size());
    auto record = device.Infer({{"x", *Tensor::FromFloats({count, 3, 8, 8}, std::move(values))}});
    EXPECT_TRUE(record.ok()) << record.status();
    return record.ok() ? *std::move(record) : InferenceRecord();
  }

  static std::vector<float> Floats(const NamedTensor& named) {
    const auto floats = named.tensor.floats();
    return {floats.begin(), floats.end()};
  }

  const TempDir folder_;
  std::string path_;
  std::shared_ptr<const Graph> graph_;
  FakeEdgeScript script_;
  int cut_ = 0;
};

TEST_F(FilterDeviceTest, WhatShowsNothingEndsAtTheCutAndIsNotSent) {
  ASSERT_GT(cut_, 0);
  for (const char* policy : {"device", "fixed:0/fp32", "fixed:3/fp32"}) {
    const std::unique_ptr<Device> device = Open(Options(policy));
    const InferenceRecord record = Infer(*device, {0.25F});
    ASSERT_TRUE(record.filter) << policy;
    EXPECT_EQ(record.filter->outcome, Outcome::kFiltered);
    EXPECT_EQ(record.filter->logit, 0);
    EXPECT_THAT(record.outputs, IsEmpty());
    EXPECT_EQ(record.where, Where::kDevice);
    EXPECT_EQ(record.plan.cut, cut_);
    EXPECT_EQ(record.reason, "filtered");
    EXPECT_EQ(record.fallback, std::nullopt);
    EXPECT_EQ(record.bytes_up, 0);
  }
  EXPECT_EQ(script_.Get(&FakeEdgeScript::infers), 0);
}

TEST_F(FilterDeviceTest, WhatShowsSomethingGoesOnAsDecided) {
  for (const int cut : {0, cut_, cut_ + 1}) {
    const std::unique_ptr<Device> device = Open(Options(absl::StrCat("fixed:", cut, "/fp32")));
    const InferenceRecord record = Infer(*device, {0.75F});
    EXPECT_EQ(record.filter->outcome, Outcome::kPassed);
    EXPECT_GT(record.filter->logit, 0);
    EXPECT_EQ(record.plan.cut, cut);
    EXPECT_EQ(record.where, cut == 0 ? Where::kEdge : Where::kSplit);
    ASSERT_EQ(record.outputs.size(), 1U);
    EXPECT_EQ(Floats(record.outputs[0]), std::vector<float>(3, 1.5F));
    const InferCall call = script_.Get(&FakeEdgeScript::last_call);
    EXPECT_EQ(call.cut, cut);
    ASSERT_EQ(call.inputs.size(), 1U);
    EXPECT_EQ(call.inputs[0].name == "x", cut == 0);
  }
  EXPECT_EQ(script_.Get(&FakeEdgeScript::infers), 3);
  const std::unique_ptr<Device> alone = Open(Options());
  EXPECT_EQ(Floats(Infer(*alone, {0.75F}).outputs.at(0)), std::vector<float>(3, 1.5F));
}

TEST_F(FilterDeviceTest, ABatchEndsOnlyIfNoneOfItsPicturesShowsAnything) {
  const std::unique_ptr<Device> device = Open(Options());
  EXPECT_EQ(Infer(*device, {0, 0.25F, 0}).filter->outcome, Outcome::kFiltered);
  const InferenceRecord record = Infer(*device, {0, 0.75F, 0});
  EXPECT_EQ(record.filter->outcome, Outcome::kPassed);
  ASSERT_EQ(record.outputs.size(), 1U);
  EXPECT_EQ(record.outputs[0].tensor.shape()[0], 3);
}

TEST_F(FilterDeviceTest, WithoutAnEdgesAnswerItGoesOnFromTheFiltersCut) {
  script_.infer = FakeEdgeScript::Infer::kBroken;
  const std::unique_ptr<Device> device = Open(Options("fixed:0/fp32"));
  const InferenceRecord record = Infer(*device, {0.75F});
  EXPECT_EQ(record.where, Where::kDevice);
  ASSERT_TRUE(record.fallback);
  EXPECT_THAT(*record.fallback, HasSubstr("the run failed"));
  ASSERT_EQ(record.outputs.size(), 1U);
  EXPECT_EQ(Floats(record.outputs[0]), std::vector<float>(3, 1.5F));
}

TEST_F(FilterDeviceTest, AShareIsCheckedTheSameForTheSameSeed) {
  DeviceOptions options = Options();
  options.filter.check_share = 0.25;
  const auto checked = [&] {
    const std::unique_ptr<Device> device = Open(options);
    std::vector<bool> each;
    for (int i = 0; i < 200; ++i) {
      const InferenceRecord record = Infer(*device, {0});
      each.push_back(record.filter->outcome == Outcome::kChecked);
      EXPECT_EQ(record.outputs.size(), each.back() ? 1U : 0U);
    }
    return each;
  };
  const std::vector<bool> first = checked();
  const auto count = std::count(first.begin(), first.end(), true);
  EXPECT_GT(count, 25);
  EXPECT_LT(count, 75);
  EXPECT_EQ(checked(), first);
  options.runtime.seed = 2;
  EXPECT_NE(checked(), first);
}

TEST_F(FilterDeviceTest, PicturesTravelAsFilesOnlyIfTheyShowSomething) {
  const std::unique_ptr<Device> device = Open(Options("fixed:0/jpeg"));
  const auto black = device->InferPictures({PlainPng(8, 8, 0, 0, 0)});
  ASSERT_TRUE(black.ok()) << black.status();
  EXPECT_EQ(black->filter->outcome, Outcome::kFiltered);
  EXPECT_EQ(script_.Get(&FakeEdgeScript::infers), 0);
  const auto white = device->InferPictures({PlainPng(8, 8, 255, 255, 255)});
  ASSERT_TRUE(white.ok()) << white.status();
  EXPECT_EQ(white->filter->outcome, Outcome::kPassed);
  EXPECT_EQ(script_.Get(&FakeEdgeScript::infers), 1);
  EXPECT_EQ(script_.Get(&FakeEdgeScript::last_call).images.size(), 1U);
}

TEST_F(FilterDeviceTest, PlansCostTheFiltersHeadAtLeast) {
  const LocalModel plain = *LocalModel::Load(path_, [] {
    DeviceOptions options = Options();
    options.filter.file.reset();
    return options;
  }());
  const LocalModel model = *LocalModel::Load(path_, Options());
  PlanTableTerms terms;
  terms.encodings = {Encoding::kFp32};
  const auto table = MakePlanTable(model, nullptr, terms);
  const LocalExit& exit = model.main();
  for (const PlanCost& cost : table->plans) {
    const int cut = std::max(cost.plan.cut, cut_);
    EXPECT_EQ(cost.head_us, exit.TimeUs(0, cut, model.shapes())) << cost.plan.cut;
    if (!cost.remote()) continue;
    EXPECT_EQ(cost.tail_on_device_us, exit.TimeUs(cut, exit.model.last_cut(), model.shapes()));
  }
  EXPECT_EQ(MakePlanTable(plain, nullptr, terms)->plans.front().head_us, 0);
  EXPECT_GT(table->plans.front().head_us, 0);
}

TEST_F(FilterDeviceTest, RefusesWhatAFilterDoesNotGoWith) {
  EXPECT_EQ(OpenError(Options()), "");
  DeviceOptions options = Options();
  options.plans.exit_confidence = "0.5";
  EXPECT_THAT(OpenError(options), HasSubstr("filter: found exit_confidence '0.5' as well"));
  options = Options();
  options.deadline.deadline_us = 1000;
  options.deadline.max_miss = 0.5;
  EXPECT_THAT(OpenError(options), HasSubstr("filter: found max_miss 0.5 as well"));
  options = Options();
  options.filter.check_share = 1.5;
  EXPECT_THAT(OpenError(options), HasSubstr("check_share: found 1.5"));
  options = Options();
  options.filter.file = folder_.path() + "/no.filter";
  EXPECT_THAT(OpenError(options), HasSubstr("no.filter"));
}

TEST_F(FilterDeviceTest, RefusesAFilterOfAnotherModelOrCut) {
  WriteFilter(FilterAbout(std::string(64, 'c'), cut_, {"p"}));
  EXPECT_THAT(OpenError(Options()), HasSubstr("is that of another model"));
  WriteFilter(FilterAbout(graph_->digest(), 99, {"p"}));
  EXPECT_THAT(OpenError(Options()), HasSubstr("filter: cut: found 99"));
  WriteFilter(FilterAbout(graph_->digest(), cut_, {"q"}));
  EXPECT_THAT(OpenError(Options()), HasSubstr("found 'q' of 3 channels, expected 'p' 1x3x4x4"));
  WriteFilter(FilterAbout(graph_->digest(), cut_, {"p"}), 2);
  EXPECT_THAT(OpenError(Options()), HasSubstr("found 'p' of 2 channels"));
  Use(EarlyOutputModel(), "s");
  EXPECT_THAT(OpenError(Options()), HasSubstr("expected one before the model's first output"));
  path_ = folder_.Write("net.onnx", testing::BranchyModel());
  EXPECT_THAT(OpenError(Options()), HasSubstr("filter: found a model with early exits"));
}

}  // namespace
}  // namespace cleave
