// Several inferences of one device in flight at once, between real processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <string>
#include <vector>

#include "device/models.h"
#include "e2e/processes.h"
#include "emulate/process.h"
#include "emulate/relay.h"

namespace cleave {
namespace {

using testing::EarlyOutputModel;
using testing::Json;
using testing::kLong;
using testing::RunOutput;
using ::testing::StartsWith;

class StreamTest : public testing::ProcessTest {
 protected:
  static void ExpectInOrder(const RunOutput& output) {
    std::int64_t next = 0;
    for (const Json& record : output.records) EXPECT_EQ(record["id"], next++);
  }
};

TEST_F(StreamTest, EveryAnswerIsRightAndInOrderAtEveryPolicy) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const Json expected = ExpectedOutputs(model);
  const auto [edge, target] = Serve(model);
  for (const std::string policy : {"dynamic", "edge", "fixed:1", "device"}) {
    const RunOutput output = Run(model, {"--edge", target, "--policy", policy, "--repeat", "40",
                                         "--in-flight", "4", "--objective", "throughput"});
    ExpectAllDelivered(output, expected);
    ExpectInOrder(output);
    EXPECT_EQ(output.records.size(), 40U) << policy;
    EXPECT_EQ(output.summary["fallbacks"], 0) << policy;
  }
}

TEST_F(StreamTest, AKilledEdgeLosesNothing) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const Json expected = ExpectedOutputs(model);
  auto [edge, target] = Serve(model);
  const auto run = StartRun(model, {"--edge", target, "--policy", "fixed:2", "--full-outputs",
                                    "--duration", "60s", "--interval", "2", "--in-flight", "4"});
  RunOutput output;
  for (int kills = 0; kills < 2; ++kills) {
    ReadUntil("split", *run, output);
    edge->Signal(SIGKILL);
    ASSERT_TRUE(edge->Wait(kLong).ok());
    ReadUntil("device", *run, output);
    edge = Serve(model, target).first;
  }
  ReadUntil("split", *run, output);
  Interrupt(*run, output);
  ExpectAllDelivered(output, expected);
  ExpectInOrder(output);
}

// The estimate is of the link, not of the share that one of several has of it.
TEST_F(StreamTest, TheEstimateOfTheLinkIsTheSameWithSeveralInFlight) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const auto [edge, target] = Serve(model);
  emulate::RelayOptions relay_options;
  relay_options.to = target;
  relay_options.up = relay_options.down = {.rate_bps = 8e6, .delay_us = 5'000};
  const auto relay = emulate::Relay::Start(relay_options);
  ASSERT_TRUE(relay.ok()) << relay.status();
  const std::string through = "127.0.0.1:" + std::to_string((*relay)->port());
  for (const std::string in_flight : {"1", "2", "4"}) {
    const auto run = StartRun(model, {"--edge", through, "--policy", "fixed:0/fp32", "--batch", "8",
                                      "--repeat", "60", "--in-flight", in_flight});
    const RunOutput output = Finish(*run);
    ASSERT_EQ(output.records.size(), 60U);
    const double believed_bps = output.records.back()["state"]["link_up_bps"];
    EXPECT_LT(std::abs(std::log(believed_bps / 8e6)), std::log(1.5)) << in_flight << " in flight";
  }
}

TEST_F(StreamTest, ADataBudgetIsKept) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const Json expected = ExpectedOutputs(model);
  const auto [edge, target] = Serve(model);
  // A minute's worth is 7.5 KB, an exchange has 3 KB.
  const RunOutput output = Run(
      model, {"--edge", target, "--policy", "edge", "--repeat", "200", "--data-budget", "1kbit/s"});
  ExpectAllDelivered(output, expected);
  EXPECT_LT(output.summary["bytes_up"].get<std::int64_t>() +
                output.summary["bytes_down"].get<std::int64_t>(),
            60 * 125 + 1'000);
  ASSERT_FALSE(output.Fallbacks().empty());
  EXPECT_THAT(output.Fallbacks().back(), StartsWith("data budget: leaves "));
}

TEST_F(StreamTest, WhatDoesNotGoTogetherIsRefused) {
  const std::string model = folder_.Write("net.onnx", EarlyOutputModel());
  const std::vector<std::vector<std::string>> wrong = {
      {"--objective", "fastest"},
      {"--max-latency", "20"},
      {"--objective", "throughput", "--deadline", "20"},
      {"--objective", "throughput", "--policy", "mine.onnx"},
      {"--in-flight", "0"},
      {"--in-flight", "65"},
      {"--data-budget", "2GB/year"},
      {"--data-budget", "0/day"},
      {"--in-flight", "2", "--deadline", "20", "--max-miss", "1%"}};
  for (const std::vector<std::string>& flags : wrong) {
    EXPECT_EQ(Finish(*StartRun(model, flags)).exit_code, 1) << flags.back();
  }
}

}  // namespace
}  // namespace cleave
