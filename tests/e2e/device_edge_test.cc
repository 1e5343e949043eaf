#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "device/models.h"
#include "e2e/processes.h"
#include "emulate/process.h"
#include "emulate/relay.h"
#include "support/odd_models.h"

namespace cleave {
namespace {

using testing::EarlyOutputModel;
using ::testing::HasSubstr;
using testing::Json;
using testing::kLong;
using testing::RunOutput;
using testing::SlowModel;
using ::testing::StartsWith;

class DeviceEdgeTest : public testing::ProcessTest {};

TEST_F(DeviceEdgeTest, EveryPolicyGivesTheDevicesOutputs) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const Json expected = ExpectedOutputs(model);
  const auto [edge, target] = Serve(model);
  for (const std::string& policy :
       std::vector<std::string>{"dynamic", "edge", "fixed:1", "fixed:3"}) {
    const RunOutput output =
        Run(model, {"--edge", target, "--policy", policy, "--repeat", "5", "--batch", "1"});
    ExpectAllDelivered(output, expected);
    EXPECT_EQ(output.records.size(), 5U) << policy;
    EXPECT_EQ(output.summary["fallbacks"], 0) << policy;
    if (policy == "edge") {
      EXPECT_EQ(output.CountWhere("edge"), 5);
    }
    if (policy.rfind("fixed:", 0) == 0) {
      EXPECT_EQ(output.CountWhere("split"), 5);
    }
  }
}

TEST_F(DeviceEdgeTest, TheEdgeTakesTheDevicesCutsWhateverShapesEachIsGiven) {
  const std::string model =
      folder_.Write("length.onnx", testing::LengthModel().SerializeAsString());
  for (const std::string cuts : {"frontier", "1", "2"}) {
    cuts_ = cuts;
    const auto [edge, target] = Serve(model);
    const std::vector<int> candidates = Candidates(model);
    EXPECT_GT(candidates.size(), 2U) << cuts;
    for (const int cut : candidates) {
      const std::string policy = "fixed:" + std::to_string(cut);
      const RunOutput output =
          Run(model, {"--edge", target, "--policy", policy, "--shape", "x=2,4,8"});
      EXPECT_EQ(output.records.size(), 1U) << cuts << " " << policy;
      EXPECT_EQ(output.Fallbacks(), std::vector<std::string>()) << cuts << " " << policy;
    }
  }
}

TEST_F(DeviceEdgeTest, StringsRunOnDeviceAndEdgeAndAtEveryCut) {
  for (const testing::OddModel& odd : {testing::OddModel{"text", testing::TextModel()},
                                       testing::OddModel{"stop", testing::StopWordsModel()},
                                       testing::OddModel{"category", testing::CategoryModel()}}) {
    const std::string model = folder_.Write(odd.name + ".onnx", odd.proto.SerializeAsString());
    const Json expected = ExpectedOutputs(model);
    EXPECT_EQ(expected[0]["dtype"], "BYTES");
    EXPECT_TRUE(expected[0]["data"][0].is_string());
    const auto [edge, target] = Serve(model);
    std::vector<std::string> policies = {"dynamic", "edge", "device"};
    for (const int cut : Candidates(model)) policies.push_back("fixed:" + std::to_string(cut));
    EXPECT_GT(policies.size(), 5U);
    for (const std::string& policy : policies) {
      const RunOutput output = Run(model, {"--edge", target, "--policy", policy});
      ExpectAllDelivered(output, expected);
      EXPECT_EQ(output.Fallbacks(), std::vector<std::string>()) << odd.name << " " << policy;
    }
  }
}

TEST_F(DeviceEdgeTest, RecordsHaveTheKeysOfTheFormat) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const auto [edge, target] = Serve(model);
  const RunOutput output = Run(model, {"--edge", target, "--policy", "fixed:1", "--batch", "3"});
  ASSERT_EQ(output.records.size(), 1U);
  const Json& record = output.records.front();
  std::vector<std::string> keys;
  for (const auto& [key, value] : record.items()) keys.push_back(key);
  EXPECT_THAT(keys, ::testing::UnorderedElementsAre(
                        "id", "plan", "decided", "where", "fallback", "reason", "accuracy",
                        "confidence", "latency_us", "predicted_us", "miss_chance", "deadline_us",
                        "deadline_missed", "hedge", "verification", "filter", "state", "timeline",
                        "unfamiliar", "bytes_up", "bytes_down", "outputs"));
  keys.clear();
  for (const auto& [key, value] : record["timeline"].items()) keys.push_back(key);
  EXPECT_THAT(keys, ::testing::UnorderedElementsAre("wait_us", "decide_us", "prepare_us", "head_us",
                                                    "encode_us", "uplink_us", "queue_us", "tail_us",
                                                    "downlink_us"));
  EXPECT_EQ(record["plan"], (Json{{"exit", 0}, {"cut", 1}, {"encoding", "fp32"}}));
  EXPECT_EQ(record["outputs"][0]["shape"], (Json{3, 3, 1, 1}));
  std::int64_t sum = 0;
  for (const auto& [key, value] : record["timeline"].items()) sum += value.get<std::int64_t>();
  EXPECT_LE(sum, record["latency_us"].get<std::int64_t>());
}

TEST_F(DeviceEdgeTest, AKilledEdgeLosesNothingAndIsUsedAgain) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const Json expected = ExpectedOutputs(model);
  auto [edge, target] = Serve(model);
  const auto run = StartRun(model, {"--edge", target, "--policy", "fixed:2", "--full-outputs",
                                    "--duration", "60s", "--interval", "2"});
  RunOutput output;
  for (int kills = 0; kills < 3; ++kills) {
    ReadUntil("split", *run, output);
    edge->Signal(SIGKILL);
    ASSERT_TRUE(edge->Wait(kLong).ok());
    ReadUntil("device", *run, output);
    EXPECT_FALSE(output.records.back()["fallback"].is_null());
    edge = Serve(model, target).first;
  }
  ReadUntil("split", *run, output);
  Interrupt(*run, output);
  ExpectAllDelivered(output, expected);
}

TEST_F(DeviceEdgeTest, NoEdgeAtAllIsNoError) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const RunOutput output = Run(model, {"--edge", "127.0.0.1:1", "--repeat", "3"});
  ExpectAllDelivered(output, ExpectedOutputs(model));
  EXPECT_EQ(output.records.size(), 3U);
  EXPECT_EQ(output.CountWhere("device"), 3);
  ASSERT_EQ(output.Fallbacks().size(), 3U);
  EXPECT_THAT(output.Fallbacks().front(), HasSubstr("edge unavailable"));
}

TEST_F(DeviceEdgeTest, AnotherModelOfTheSameNameIsNotUsed) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  std::filesystem::create_directory(folder_.path() + "/other");
  const auto [edge, target] = Serve(folder_.Write("other/net.onnx", testing::PoolModel()));
  const RunOutput output = Run(model, {"--edge", target, "--policy", "edge", "--repeat", "2"});
  ExpectAllDelivered(output, ExpectedOutputs(model));
  EXPECT_EQ(output.CountWhere("device"), 2);
  ASSERT_EQ(output.Fallbacks().size(), 2U);
  EXPECT_THAT(output.Fallbacks().front(), StartsWith("digest mismatch"));
}

TEST_F(DeviceEdgeTest, AnEdgeWithoutTheModelTakesItWhenBothAllow) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const std::string other = folder_.Write("other.onnx", testing::PoolModel());
  const auto [edge, target] =
      Serve(other, "127.0.0.1:0", {"--allow-push", "--push-dir", folder_.path() + "/pushed"});
  const RunOutput without = Run(model, {"--edge", target, "--policy", "edge"});
  EXPECT_THAT(without.Fallbacks(), ::testing::ElementsAre(HasSubstr("lacks the model")));
  const RunOutput with = Run(model, {"--edge", target, "--policy", "edge", "--push"});
  ExpectAllDelivered(with, ExpectedOutputs(model));
  EXPECT_EQ(with.CountWhere("edge"), 1);
}

TEST_F(DeviceEdgeTest, AFullQueueRefusesAndTheDeviceFinishes) {
  const std::string model = folder_.Write("slow.onnx", SlowModel(12));
  const auto measure_profile = StartRun(model, {"--policy", "device"});
  EXPECT_EQ(Finish(*measure_profile).exit_code, 0);
  const auto [edge, target] = Serve(model, "127.0.0.1:0", {"--queue", "1"});
  std::vector<std::unique_ptr<emulate::Process>> runs;
  for (int i = 0; i < 4; ++i) {
    runs.push_back(StartRun(model, {"--edge", target, "--policy", "edge", "--repeat", "12"}));
  }
  int refused = 0;
  for (const auto& run : runs) {
    const RunOutput output = Finish(*run);
    EXPECT_EQ(output.exit_code, 0);
    EXPECT_EQ(output.records.size(), 12U);
    EXPECT_EQ(output.summary["inferences"], 12);
    for (const std::string& reason : output.Fallbacks()) {
      refused += reason.rfind("refused: queue full, expected wait ", 0) == 0 ? 1 : 0;
    }
  }
  EXPECT_GT(refused, 0);
}

TEST_F(DeviceEdgeTest, ADeadLinkLosesNothingAndComesBack) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const Json expected = ExpectedOutputs(model);
  const auto [edge, target] = Serve(model);
  emulate::RelayOptions relay_options;
  relay_options.to = target;
  const auto relay = emulate::Relay::Start(relay_options);
  ASSERT_TRUE(relay.ok()) << relay.status();
  const std::string through = "127.0.0.1:" + std::to_string((*relay)->port());
  const auto run = StartRun(model, {"--edge", through, "--policy", "edge", "--timeout", "300ms",
                                    "--full-outputs", "--duration", "60s", "--interval", "5"});
  RunOutput output;
  ReadUntil("edge", *run, output);
  emulate::LinkShape dead;
  dead.dead = true;
  ASSERT_TRUE((*relay)->SetShapes(dead, dead).ok());
  ReadUntil("device", *run, output);
  EXPECT_THAT(output.records.back()["fallback"].get<std::string>(), HasSubstr("timeout after"));
  ASSERT_TRUE((*relay)->SetShapes(emulate::LinkShape(), emulate::LinkShape()).ok());
  ReadUntil("edge", *run, output);
  Interrupt(*run, output);
  ExpectAllDelivered(output, expected);
}

TEST_F(DeviceEdgeTest, ExplainMarksOneWinner) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const auto [edge, target] = Serve(model);
  for (const std::vector<std::string>& state :
       {std::vector<std::string>{"--edge", target}, {"--rate", "5mbit", "--rtt", "10"}}) {
    std::vector<std::string> args = {"explain", model, "--json", "--plot",
                                     folder_.path() + "/plot.svg"};
    args.insert(args.end(), state.begin(), state.end());
    const auto process = Start(args);
    std::string text;
    for (auto line = process->ReadLine(kLong); line.ok(); line = process->ReadLine(kLong)) {
      text += *line;
    }
    ASSERT_EQ(process->Wait(kLong).value_or(-1), 0);
    const Json json = Json::parse(text);
    int chosen = 0;
    double least = 1e300;
    for (const Json& cut : json["plans"]) {
      if (cut["encoding"] == "fp32") least = std::min(least, cut["total_us"].get<double>());
      chosen += cut["chosen"].get<bool>() ? 1 : 0;
    }
    EXPECT_EQ(chosen, 1);
    for (const Json& cut : json["plans"]) {
      if (cut["chosen"].get<bool>()) {
        EXPECT_EQ(cut["total_us"], least);
      }
    }
    EXPECT_TRUE(std::filesystem::exists(folder_.path() + "/plot.svg"));
  }
}

TEST_F(DeviceEdgeTest, BadFlagsAreNamed) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const auto code = [&](const std::vector<std::string>& args) {
    return Start(args)->Wait(kLong).value_or(-1);
  };
  EXPECT_EQ(code({"run", model, "--policy", "fastest"}), 1);
  EXPECT_EQ(code({"run", model, "--policy", "edge", "--no-raw-input"}), 1);
  EXPECT_EQ(code({"run", model + ".missing"}), 1);
  EXPECT_EQ(code({"run", model, "--input", folder_.path() + "/nothing.jpg"}), 1);
  EXPECT_EQ(code({"run", model, "--repeat", "0"}), 2);
  EXPECT_EQ(code({"explain", model}), 1);
}

}  // namespace
}  // namespace cleave
