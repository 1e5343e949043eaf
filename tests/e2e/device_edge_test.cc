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
#include "lab/process.h"
#include "lab/relay.h"

namespace cleave {
namespace {

using Json = nlohmann::json;
using testing::EarlyOutputModel;
using ::testing::HasSubstr;
using testing::SlowModel;
using ::testing::StartsWith;
using testing::TempDir;

constexpr std::int64_t kLong = 60'000'000;

// What `cleave run --json` printed.
struct RunOutput {
  int exit_code = -1;
  std::vector<Json> records;
  Json summary;

  std::vector<std::string> Fallbacks() const {
    std::vector<std::string> reasons;
    for (const Json& record : records) {
      if (!record["fallback"].is_null()) reasons.push_back(record["fallback"]);
    }
    return reasons;
  }
  std::int64_t CountWhere(const std::string& where) const {
    return std::count_if(records.begin(), records.end(),
                         [&](const Json& record) { return record["where"] == where; });
  }
};

class DeviceEdgeTest : public ::testing::Test {
 protected:
  std::unique_ptr<Process> Start(std::vector<std::string> args) {
    ProcessOptions options;
    options.argv = {CLEAVE_PROGRAM};
    options.argv.insert(options.argv.end(), args.begin(), args.end());
    options.environment = {{"CLEAVE_CACHE_DIR", folder_.path() + "/cache"}};
    options.stderr_path = folder_.path() + "/stderr" + std::to_string(started_++);
    auto process = Process::Start(std::move(options));
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }

  // An edge, and where it listens.
  std::pair<std::unique_ptr<Process>, std::string> Serve(const std::string& model,
                                                         const std::string& listen = "127.0.0.1:0",
                                                         std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"serve", model, "--cuts", "all", "--listen", listen};
    args.insert(args.end(), more.begin(), more.end());
    std::unique_ptr<Process> process = Start(args);
    const auto line = process->WaitForLine("listening on ", kLong);
    EXPECT_TRUE(line.ok()) << line.status();
    return {std::move(process), line.ok() ? line->substr(line->rfind(' ') + 1) : ""};
  }

  std::unique_ptr<Process> StartRun(const std::string& model, std::vector<std::string> more) {
    std::vector<std::string> args = {"run", model, "--json", "--cuts", "all"};
    args.insert(args.end(), more.begin(), more.end());
    return Start(args);
  }

  static Json NextRecord(Process& run) {
    const auto line = run.ReadLine(kLong);
    EXPECT_TRUE(line.ok()) << line.status();
    return line.ok() ? Json::parse(*line) : Json();
  }

  static RunOutput Finish(Process& run) {
    RunOutput output;
    for (auto line = run.ReadLine(kLong); line.ok(); line = run.ReadLine(kLong)) {
      Json json = Json::parse(*line);
      if (json.contains("summary")) {
        output.summary = json["summary"];
      } else {
        output.records.push_back(std::move(json));
      }
    }
    output.exit_code = run.Wait(kLong).value_or(-1);
    return output;
  }

  RunOutput Run(const std::string& model, std::vector<std::string> more) {
    more.push_back("--full-outputs");
    return Finish(*StartRun(model, std::move(more)));
  }

  static void ExpectSameOutputs(const Json& found, const Json& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i]["name"], expected[i]["name"]);
      EXPECT_EQ(found[i]["shape"], expected[i]["shape"]);
      const std::vector<double> a = found[i]["data"];
      const std::vector<double> b = expected[i]["data"];
      ASSERT_EQ(a.size(), b.size());
      for (std::size_t j = 0; j < a.size(); ++j) {
        EXPECT_NEAR(a[j], b[j], 1e-5 * std::max(1.0, std::abs(b[j])));
      }
    }
  }

  static void ExpectAllDelivered(const RunOutput& output, const Json& expected_outputs) {
    EXPECT_EQ(output.exit_code, 0);
    EXPECT_EQ(output.summary["inferences"], output.records.size());
    for (std::size_t i = 0; i < output.records.size(); ++i) {
      EXPECT_EQ(output.records[i]["id"], i);
      ExpectSameOutputs(output.records[i]["outputs"], expected_outputs);
    }
  }

  Json ExpectedOutputs(const std::string& model) {
    const RunOutput output = Run(model, {"--policy", "device"});
    EXPECT_EQ(output.exit_code, 0);
    return output.records.at(0)["outputs"];
  }

  TempDir folder_;
  int started_ = 0;
};

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

TEST_F(DeviceEdgeTest, RecordsHaveTheKeysOfTheFormat) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const auto [edge, target] = Serve(model);
  const RunOutput output = Run(model, {"--edge", target, "--policy", "fixed:1", "--batch", "3"});
  ASSERT_EQ(output.records.size(), 1U);
  const Json& record = output.records.front();
  std::vector<std::string> keys;
  for (const auto& [key, value] : record.items()) keys.push_back(key);
  EXPECT_THAT(
      keys, ::testing::UnorderedElementsAre("id", "plan", "where", "fallback", "reason", "accuracy",
                                            "confidence", "latency_us", "predicted_us", "timeline",
                                            "bytes_up", "bytes_down", "outputs"));
  keys.clear();
  for (const auto& [key, value] : record["timeline"].items()) keys.push_back(key);
  EXPECT_THAT(keys,
              ::testing::UnorderedElementsAre("decide_us", "prepare_us", "head_us", "encode_us",
                                              "uplink_us", "queue_us", "tail_us", "downlink_us"));
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
  const auto read_until = [&](const std::string& where) {
    for (int i = 0; i < 20'000; ++i) {
      Json record = NextRecord(*run);
      if (record.is_null()) return;
      output.records.push_back(std::move(record));
      if (output.records.back()["where"] == where) return;
    }
    ADD_FAILURE() << "never ran on " << where;
  };
  for (int kills = 0; kills < 3; ++kills) {
    read_until("split");
    edge->Signal(SIGKILL);
    ASSERT_TRUE(edge->Wait(kLong).ok());
    read_until("device");
    EXPECT_FALSE(output.records.back()["fallback"].is_null());
    edge = Serve(model, target).first;
  }
  read_until("split");
  run->Signal(SIGINT);
  RunOutput rest = Finish(*run);
  output.exit_code = rest.exit_code;
  output.summary = rest.summary;
  output.records.insert(output.records.end(), rest.records.begin(), rest.records.end());
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
  std::vector<std::unique_ptr<Process>> runs;
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
  RelayOptions relay_options;
  relay_options.to = target;
  const auto relay = Relay::Start(relay_options);
  ASSERT_TRUE(relay.ok()) << relay.status();
  const std::string through = "127.0.0.1:" + std::to_string((*relay)->port());
  const auto run = StartRun(model, {"--edge", through, "--policy", "edge", "--timeout", "300ms",
                                    "--full-outputs", "--duration", "60s", "--interval", "5"});
  RunOutput output;
  const auto read_until = [&](const std::string& where) {
    for (int i = 0; i < 20'000; ++i) {
      Json record = NextRecord(*run);
      if (record.is_null()) return;
      output.records.push_back(std::move(record));
      if (output.records.back()["where"] == where) return;
    }
    ADD_FAILURE() << "never ran on " << where;
  };
  read_until("edge");
  LinkShape dead;
  dead.dead = true;
  ASSERT_TRUE((*relay)->SetShapes(dead, dead).ok());
  read_until("device");
  EXPECT_THAT(output.records.back()["fallback"].get<std::string>(), HasSubstr("timeout after"));
  ASSERT_TRUE((*relay)->SetShapes(LinkShape(), LinkShape()).ok());
  read_until("edge");
  run->Signal(SIGINT);
  const RunOutput rest = Finish(*run);
  output.exit_code = rest.exit_code;
  output.summary = rest.summary;
  output.records.insert(output.records.end(), rest.records.begin(), rest.records.end());
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
