#include "recorder/frigate_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "codec/image.h"
#include "recorder/fake_finder.h"
#include "recorder/zmq_client.h"

namespace cleave::recorder {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr char kHeader[] = R"({"shape": [1, 2, 2, 3], "dtype": "uint8", "model_type": "ssd"})";

class FrigateServerTest : public testing::Test {
 protected:
  void Start() {
    FrigateServerOptions options;
    options.zmq.endpoint = "tcp://127.0.0.1:*";
    options.model = "nanodet.onnx";
    options.on_refused = [this](const absl::Status& why) {
      absl::MutexLock lock(&mutex_);
      refused_.emplace_back(why.message());
    };
    server_ = StartFrigateServer(options, finder_).value();
  }
  std::vector<std::string> refused() {
    absl::MutexLock lock(&mutex_);
    return refused_;
  }

  absl::Mutex mutex_;
  std::vector<std::string> refused_;
  FakeFinder finder_{{{{0, 0, 1, 2}, 2, 0.8}}};
  std::unique_ptr<ZmqServer> server_;
};

TEST_F(FrigateServerTest, AnswersAFrameWithRows) {
  Start();
  ZmqClient client(server_->endpoint());
  const auto answer = client.Ask({kHeader, "abcdefghijkl"});
  ASSERT_TRUE(answer);
  ASSERT_THAT(*answer, SizeIs(480));
  std::array<float, 6> row{};
  std::memcpy(row.data(), answer->data(), sizeof(row));
  EXPECT_THAT(row, testing::ElementsAre(2, 0.8F, 0, 0, 1, 0.5F));
  ASSERT_THAT(finder_.files(), SizeIs(1));
}

TEST_F(FrigateServerTest, LosesNothingOfThePixels) {
  Start();
  ZmqClient client(server_->endpoint());
  ASSERT_TRUE(client.Ask({kHeader, "abcdefghijkl"}));
  Preprocessing how;
  how.KeepValues();
  how.height = how.width = 2;
  how.fit = Preprocessing::Fit::kStretch;
  how.channels_first = false;
  how.datatype = DataType::kUint8;
  const Tensor tensor = ImageToTensor(finder_.files().at(0), how, "picture").value();
  EXPECT_EQ(absl::string_view(reinterpret_cast<const char*>(tensor.bytes().data()), 12),
            "abcdefghijkl");
}

TEST_F(FrigateServerTest, TellsWhetherTheModelIsHere) {
  Start();
  ZmqClient client(server_->endpoint());
  EXPECT_THAT(client.Ask({R"({"model_request": true, "model_name": "nanodet.onnx"})"}),
              testing::Optional(HasSubstr("\"model_available\":true")));
  EXPECT_TRUE(refused().empty());
  EXPECT_THAT(client.Ask({R"({"model_request": true, "model_name": "yolo.onnx"})"}),
              testing::Optional(HasSubstr("\"model_available\":false")));
  EXPECT_THAT(client.Ask({R"({"model_data": true, "model_name": "yolo.onnx"})", "bytes"}),
              testing::Optional(HasSubstr("\"model_saved\":false")));
  ASSERT_THAT(refused(), SizeIs(2));
  EXPECT_THAT(refused()[0], HasSubstr("model: found yolo.onnx, expected nanodet.onnx"));
}

TEST_F(FrigateServerTest, AnswersWhatItCannotServe) {
  Start();
  ZmqClient client(server_->endpoint());
  EXPECT_THAT(client.Ask({"{}", "1"}), testing::Optional(HasSubstr("\"error\"")));
  EXPECT_THAT(client.Ask({kHeader, "abcdefghijkl"}), testing::Optional(SizeIs(480)));
  ASSERT_THAT(refused(), SizeIs(1));
}

TEST_F(FrigateServerTest, AnswersManyClientsAtOnceAndThoseThatLeftBefore) {
  Start();
  constexpr int kClients = 40;
  constexpr int kFrames = 10;
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([this, &answered] {
      // It leaves before its answer comes.
      ZmqClient(server_->endpoint()).Send({kHeader, "abcdefghijkl"});
      ZmqClient client(server_->endpoint());
      for (int frame = 0; frame < kFrames; ++frame) {
        const auto answer = client.Ask({kHeader, "abcdefghijkl"});
        if (answer && answer->size() == 480) ++answered;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answered, kClients * kFrames);
}

TEST_F(FrigateServerTest, DropsWhatIsNoRequest) {
  Start();
  ZmqClient stranger(server_->endpoint(), ZMQ_DEALER);
  stranger.Send({"no envelope"});
  stranger.Send(std::vector<std::string>(100, "many frames"));
  ZmqClient client(server_->endpoint());
  EXPECT_THAT(client.Ask({kHeader, "abcdefghijkl"}), testing::Optional(SizeIs(480)));
}

TEST_F(FrigateServerTest, EndsWithRequestsAnswered) {
  Start();
  ZmqClient client(server_->endpoint());
  client.Send({kHeader, "abcdefghijkl"});
  while (finder_.files().empty()) std::this_thread::yield();
  server_.reset();
  EXPECT_THAT(client.Receive(), testing::Optional(SizeIs(480)));
}

TEST(ZmqServerOptionsTest, NamesTheField) {
  EXPECT_THAT(ZmqServerOptions{.endpoint = ""}.Validate().message(), HasSubstr("endpoint"));
  EXPECT_THAT(ZmqServerOptions{.workers = 0}.Validate().message(), HasSubstr("workers"));
  const auto nowhere = ZmqServer::Start({.endpoint = "nonsense"}, {});
  EXPECT_EQ(nowhere.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(nowhere.status().message(), HasSubstr("nonsense"));
}

}  // namespace
}  // namespace cleave::recorder
