#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "device/elastic_fixture.h"
#include "device/explain.h"
#include "policy/policy_files.h"

namespace cleave {
namespace {

using testing::CardFor;
using testing::ConstantPolicy;
using testing::ElasticDeviceTest;
using ::testing::HasSubstr;
using testing::kLastExit;

// Without a deadline only exact plans are valid.
constexpr std::int64_t kAmpleUs = 60'000'000;

class LearnedDeviceTest : public ElasticDeviceTest {
 protected:
  static std::vector<Plan> PlansOf(Device& device) {
    std::vector<Plan> plans;
    const std::vector<PlanForecast> rows = device.Explain(1).value();
    for (const PlanForecast& row : rows) plans.push_back({row.exit, row.cut, row.encoding});
    return plans;
  }

  // The file of a policy that always takes this plan.
  std::string Always(const Plan& plan, const PolicyCard& card, const std::string& name) {
    std::vector<float> scores(card.plans.size(), 0);
    scores.at(std::find(card.plans.begin(), card.plans.end(), plan) - card.plans.begin()) = 1;
    return folder_.Write(name, ConstantPolicy(card, scores));
  }

  PolicyCard Card(Device& device) const { return CardFor(PlansOf(device), graph_->digest()); }

  const Plan remote_{kLastExit, 0, Encoding::kQ8};
};

TEST_F(LearnedDeviceTest, AFileDecidesAndTheRecordSaysSo) {
  Calibrate();
  const auto device = Open({.deadline = {.deadline_us = kAmpleUs}});
  ASSERT_NE(device, nullptr);
  ASSERT_TRUE(device->SetPolicy(Always(remote_, Card(*device), "p.onnx")).ok());
  const InferenceRecord record = *device->Infer(Inputs(1));
  EXPECT_EQ(record.decided, remote_);
  EXPECT_EQ(record.where, Where::kEdge);
  EXPECT_EQ(record.reason, "learned");
  EXPECT_GT(record.timeline.decide_us, 0);
  const std::vector<PlanForecast> rows = device->Explain(1).value();
  for (const PlanForecast& row : rows) {
    EXPECT_EQ(row.chosen, (Plan{row.exit, row.cut, row.encoding}) == remote_);
  }
}

TEST_F(LearnedDeviceTest, TheExactSearchTakesOverAndTheRecordSaysSo) {
  Calibrate();
  const auto device = Open({.deadline = {.deadline_us = kAmpleUs}});
  ASSERT_NE(device, nullptr);
  PolicyCard strange = Card(*device);
  strange.state_low = strange.state_high;
  ASSERT_TRUE(device->SetPolicy(Always(remote_, strange, "strange.onnx")).ok());
  EXPECT_THAT(device->Infer(Inputs(1))->reason,
              ::testing::MatchesRegex("unfamiliar, exact search \\([a-z_]+\\)"));

  script_.wait_us = 3'000'000;
  const auto hurried = Open({.deadline = {.deadline_us = 1'000'000}});
  ASSERT_NE(hurried, nullptr);
  ASSERT_TRUE(hurried->SetPolicy(Always(remote_, Card(*hurried), "slow.onnx")).ok());
  const InferenceRecord record = *hurried->Infer(Inputs(1));
  EXPECT_EQ(record.reason, "guarded, exact search");
  EXPECT_EQ(record.where, Where::kDevice);
}

TEST_F(LearnedDeviceTest, WhatDoesNotFitIsRefusedByName) {
  Calibrate();
  const auto device = Open({.plans = {.policy = "device"}});
  ASSERT_NE(device, nullptr);
  const auto message = [&](const std::string& path) {
    return std::string(device->SetPolicy(path).message());
  };
  EXPECT_THAT(message(folder_.path() + "/none.onnx"), HasSubstr("none.onnx"));
  EXPECT_THAT(message(path_), HasSubstr("net.onnx: "));
  PolicyCard card = Card(*device);
  card.model_digest = std::string(64, 'a');
  EXPECT_THAT(message(Always(remote_, card, "other.onnx")), HasSubstr("other.onnx: model_digest"));
  card = Card(*device);
  card.plans.push_back({kLastExit, 999, Encoding::kQ8});
  EXPECT_THAT(message(Always(remote_, card, "cuts.onnx")), HasSubstr("cuts.onnx: plans: found"));
  EXPECT_EQ(device->Infer(Inputs(1))->reason, "fixed") << "the policy is as it was";
  EXPECT_THAT(TryOpen({.plans = {.policy = "none.onnx"}}).status().message(),
              HasSubstr("none.onnx"));
}

TEST_F(LearnedDeviceTest, SwitchingReadsNoFileTwiceUntilItChanges) {
  Calibrate();
  const auto device = Open({.deadline = {.deadline_us = kAmpleUs}});
  ASSERT_NE(device, nullptr);
  const PolicyCard card = Card(*device);
  const Plan local = card.plans.back();
  const std::string remote = Always(remote_, card, "remote.onnx");
  const std::string stays = Always(local, card, "local.onnx");
  for (const std::string& path : {remote, stays}) ASSERT_TRUE(device->SetPolicy(path).ok());
  const auto written = std::filesystem::last_write_time(remote);
  folder_.Write("remote.onnx", std::string(std::filesystem::file_size(remote), 'x'));
  std::filesystem::last_write_time(remote, written);
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(device->SetPolicy(i % 2 == 0 ? remote : stays).ok());
    EXPECT_EQ(device->Infer(Inputs(i))->decided, i % 2 == 0 ? remote_ : local);
  }
  std::filesystem::last_write_time(remote, written + std::chrono::seconds(1));
  EXPECT_FALSE(device->SetPolicy(remote).ok());
  Always(local, card, "remote.onnx");
  ASSERT_TRUE(device->SetPolicy(remote).ok());
  EXPECT_EQ(device->Infer(Inputs(1))->decided, local);
}

// models/alexnet_cifar10.policy.onnx is for models/alexnet_cifar10.onnx and its calibration.
TEST_F(LearnedDeviceTest, TheShippedPolicyFitsTheShippedModel) {
  std::filesystem::copy_file(CLEAVE_MODELS_DIR "/alexnet_cifar10.json",
                             folder_.path() + "/net.json",
                             std::filesystem::copy_options::overwrite_existing);
  const auto device = Open({.deadline = {.deadline_us = kAmpleUs}, .runtime = {.batch = 16}});
  ASSERT_NE(device, nullptr);
  const absl::Status set = device->SetPolicy(CLEAVE_MODELS_DIR "/alexnet_cifar10.policy.onnx");
  ASSERT_TRUE(set.ok()) << set;
  EXPECT_TRUE(device->Infer(Inputs(1)).ok());
}

TEST_F(LearnedDeviceTest, ExplainMarksItsChoiceWithoutAnEdge) {
  Calibrate();
  const auto device = Open({.deadline = {.deadline_us = kAmpleUs}});
  ASSERT_NE(device, nullptr);
  DeviceOptions options;
  options.deadline.deadline_us = kAmpleUs;
  options.plans.policy = Always(remote_, Card(*device), "p.onnx");
  const auto rows = ExplainAssumed(path_, options, {});
  ASSERT_TRUE(rows.ok()) << rows.status();
  int chosen = 0;
  for (const PlanForecast& row : *rows) {
    chosen += row.chosen ? 1 : 0;
    EXPECT_EQ(row.chosen, (Plan{row.exit, row.cut, row.encoding}) == remote_);
  }
  EXPECT_EQ(chosen, 1);
}

}  // namespace
}  // namespace cleave
