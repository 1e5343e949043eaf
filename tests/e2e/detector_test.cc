// `cleave detector` as the programs see it that cameras talk to, with an edge in another process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "e2e/processes.h"
#include "emulate/process.h"
#include "recorder/zmq_client.h"
#include "support/bright_detector.h"

namespace cleave {
namespace {

using recorder::ZmqClient;
using testing::BrightDetector;
using testing::BrightDetectorSidecar;
using ::testing::HasSubstr;
using testing::Json;
using testing::kLong;
using testing::NightPicture;

constexpr int kSide = 32;
constexpr std::size_t kAnswerBytes = 480;
constexpr std::size_t kColumns = 6;

// A frame of 32 x 32 with a lamp of 8 x 8 whose left and upper edge is at 8.
std::string LitFrame() {
  std::string frame(std::size_t{kSide} * kSide * 3, '\x10');
  for (std::size_t y = 8; y < 16; ++y) {
    std::memset(frame.data() + (y * kSide + 8) * 3, 0xff, std::size_t{8} * 3);
  }
  return frame;
}

constexpr char kFrameHeader[] =
    R"({"shape": [1, 32, 32, 3], "dtype": "uint8", "model_type": "yolo-generic"})";

// The row of Frigate's answer, if that is one.
std::array<float, kColumns> FirstRow(const std::optional<std::string>& answer) {
  std::array<float, kColumns> row{};
  EXPECT_TRUE(answer);
  EXPECT_EQ(answer.value_or("").size(), kAnswerBytes) << answer.value_or("");
  if (answer && answer->size() == kAnswerBytes) {
    std::memcpy(row.data(), answer->data(), sizeof(row));
  }
  return row;
}

class DetectorTest : public testing::ProcessTest {
 protected:
  void SetUp() override {
    model_ = folder_.Write("bright.onnx", BrightDetector());
    folder_.Write("bright.json", BrightDetectorSidecar());
  }

  // Starts the program; its deadline is generous, since the machine may be loaded.
  void StartDetector(std::vector<std::string> more = {},
                     const std::string& zmq_endpoint = "tcp://127.0.0.1:*") {
    std::vector<std::string> args = {"detector", model_,       "--cuts", cuts_,
                                     "--zmq",    zmq_endpoint, "--http", "127.0.0.1:0",
                                     "--json",   "--deadline", "20s"};
    args.insert(args.end(), more.begin(), more.end());
    detector_ = Start(args);
    const auto zmq = detector_->WaitForLine("listening for Frigate (ZeroMQ) on ", kLong);
    const auto http = detector_->WaitForLine("listening for HTTP on ", kLong);
    ASSERT_TRUE(zmq.ok() && http.ok()) << LastErrors();
    endpoint_ = zmq->substr(zmq->rfind(' ') + 1);
    const std::string url = http->substr(0, http->find("/v1/"));
    ASSERT_TRUE(absl::SimpleAtoi(url.substr(url.rfind(':') + 1), &port_)) << *http;
  }

  Json NextPicture() { return NextRecord(*detector_); }

  std::string model_;
  std::unique_ptr<emulate::Process> detector_;
  std::string endpoint_;
  int port_ = 0;
};

TEST_F(DetectorTest, FrigateGetsTheBoxesByTheEdge) {
  const auto [edge, target] = Serve(model_);
  StartDetector({"--edge", target, "--policy", "edge"});
  ZmqClient frigate(endpoint_);
  EXPECT_THAT(frigate.Ask({R"({"model_request": true, "model_name": "bright.onnx"})"}),
              ::testing::Optional(HasSubstr("\"model_loaded\":true")));
  const auto row = FirstRow(frigate.Ask({kFrameHeader, LitFrame()}));
  EXPECT_EQ(row[0], 0);
  EXPECT_GT(row[1], 0.5F);
  // The box of a block that the lamp fills, in shares: upper, left, lower, right edge.
  EXPECT_NEAR(row[2], 0.25F, 0.15F);
  EXPECT_NEAR(row[3], 0.25F, 0.15F);
  EXPECT_NEAR(row[4], 0.5F, 0.15F);
  EXPECT_NEAR(row[5], 0.5F, 0.15F);
  const Json record = NextPicture();
  EXPECT_EQ(record["where"], "edge");
  EXPECT_FALSE(record["detections"][0].empty());
  const auto dark =
      FirstRow(frigate.Ask({kFrameHeader, std::string(std::size_t{kSide} * kSide * 3, '\x10')}));
  EXPECT_EQ(dark[1], 0) << "nothing is there";
}

TEST_F(DetectorTest, HttpClientsGetThePixelsOfTheirOwnPicture) {
  StartDetector();
  std::mt19937_64 random(3);
  httplib::Client client("127.0.0.1", port_);
  client.set_read_timeout(60);
  const httplib::MultipartFormDataItems form = {
      {"image", NightPicture(true, random), "night.png", "image/png"},
      {"min_confidence", "0.5", "", ""}};
  const auto result = client.Post("/v1/vision/detection", form);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200) << result->body;
  const Json answer = Json::parse(result->body);
  ASSERT_FALSE(answer["predictions"].empty());
  const Json& lamp = answer["predictions"][0];
  EXPECT_EQ(lamp["label"], "lamp");
  EXPECT_LE(lamp["x_max"], 64);
  EXPECT_LT(lamp["x_min"], lamp["x_max"]);
  const auto broken =
      client.Post("/v1/vision/detection",
                  httplib::MultipartFormDataItems{{"image", "no picture", "x.jpg", "image/jpeg"}});
  ASSERT_TRUE(broken);
  EXPECT_EQ(broken->status, 400);
}

TEST_F(DetectorTest, NothingIsLostWhenTheEdgeIsKilledAmongManyClients) {
  auto [edge, target] = Serve(model_);
  StartDetector({"--edge", target, "--policy", "edge", "--timeout", "2s"});
  constexpr int kClients = 40;
  constexpr int kFrames = 6;
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([this, &answered] {
      ZmqClient frigate(endpoint_);
      for (int frame = 0; frame < kFrames; ++frame) {
        const auto answer = frigate.Ask({kFrameHeader, LitFrame()});
        float score = 0;
        if (!answer || answer->size() != kAnswerBytes) return;
        std::memcpy(&score, answer->data() + sizeof(float), sizeof(score));
        if (score > 0.5F) ++answered;
      }
    });
  }
  // Some have been answered by the edge then, and some have not.
  for (int i = 0; i < kClients; ++i) EXPECT_FALSE(NextPicture().is_null());
  edge->Signal(SIGKILL);
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answered, kClients * kFrames);
  testing::RunOutput rest;
  Interrupt(*detector_, rest);
  EXPECT_EQ(rest.exit_code, 0) << LastErrors();
  EXPECT_EQ(rest.summary["inferences"], kClients * kFrames);
  EXPECT_GT(rest.CountWhere("device"), 0);
}

TEST_F(DetectorTest, TheDeviceAnswersWhenTheEdgeFallsSilent) {
  auto [edge, target] = Serve(model_);
  StartDetector({"--edge", target, "--policy", "edge", "--timeout", "1s"});
  ZmqClient frigate(endpoint_);
  EXPECT_GT(FirstRow(frigate.Ask({kFrameHeader, LitFrame()}))[1], 0.5F);
  EXPECT_EQ(NextPicture()["where"], "edge");
  edge->Signal(SIGSTOP);
  EXPECT_GT(FirstRow(frigate.Ask({kFrameHeader, LitFrame()}))[1], 0.5F);
  const Json record = NextPicture();
  EXPECT_EQ(record["where"], "device");
  EXPECT_FALSE(record["fallback"].is_null());
  edge->Signal(SIGCONT);
}

TEST_F(DetectorTest, ListensOnASocketFile) {
  const std::string endpoint = absl::StrCat("ipc://", folder_.path(), "/detector");
  StartDetector({}, endpoint);
  EXPECT_EQ(endpoint_, endpoint);
  ZmqClient frigate(endpoint_);
  EXPECT_GT(FirstRow(frigate.Ask({kFrameHeader, LitFrame()}))[1], 0.5F);
}

TEST_F(DetectorTest, RefusesWhatIsNoDetector) {
  const std::string net = folder_.Write("net.onnx", testing::PoolModel());
  const auto process = Start({"detector", net, "--zmq", "none"});
  EXPECT_EQ(process->Wait(kLong).value_or(-1), 1);
  EXPECT_THAT(LastErrors(), HasSubstr("expected a detector"));
}

TEST_F(DetectorTest, SaysWhyItCannotListen) {
  const auto nowhere = Start({"detector", model_, "--zmq", "none", "--http", "none"});
  EXPECT_EQ(nowhere->Wait(kLong).value_or(-1), 1);
  EXPECT_THAT(LastErrors(), HasSubstr("--zmq and --http"));
  StartDetector();
  const auto second = Start({"detector", model_, "--zmq", endpoint_, "--http", "none"});
  EXPECT_EQ(second->Wait(kLong).value_or(-1), 1);
  EXPECT_THAT(LastErrors(), HasSubstr("cannot listen on"));
}

}  // namespace
}  // namespace cleave
