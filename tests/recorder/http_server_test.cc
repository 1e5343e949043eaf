#include "recorder/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "codec/picture.h"
#include "recorder/fake_finder.h"

namespace cleave::recorder {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Picture() {
  return EncodeJpeg(std::vector<std::uint8_t>(std::size_t{3} * 16 * 16, 90), 16, 16, 90).value();
}

class HttpServerTest : public testing::Test {
 protected:
  void Start(HttpServerOptions options = {}) {
    options.listen = "127.0.0.1:0";
    options.model = "nanodet";
    options.labels = {"person", "dog"};
    server_ = HttpServer::Start(options, finder_).value();
    client_ = std::make_unique<httplib::Client>("127.0.0.1", server_->port());
  }

  // The form as other people's clients send it.
  httplib::Result Ask(const std::string& path, const httplib::MultipartFormDataItems& form) {
    return client_->Post(path, form);
  }
  static httplib::MultipartFormData Image(const std::string& bytes) {
    return {"image", bytes, "image.jpg", "image/jpeg"};
  }

  FakeFinder finder_{{{{1, 2, 10, 12}, 1, 0.8}, {{1, 2, 3, 4}, 0, 0.45}}};
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(HttpServerTest, FindsObjectsInTheFileAsItWasSent) {
  Start();
  const httplib::Result result =
      Ask("/v1/vision/detection", {Image(Picture()), {"api_key", "", "", ""}});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->get_header_value("Content-Type"), "application/json");
  const json answer = json::parse(result->body);
  EXPECT_EQ(answer["success"], true);
  ASSERT_EQ(answer["predictions"].size(), 2U);
  EXPECT_EQ(answer["predictions"][0]["label"], "dog");
  EXPECT_THAT(finder_.files(), ElementsAre(Picture()));
}

TEST_F(HttpServerTest, LeavesOutWhatIsLessSure) {
  Start();
  const auto result =
      Ask("/v1/vision/detection", {Image(Picture()), {"min_confidence", "0.6", "", ""}});
  ASSERT_TRUE(result);
  EXPECT_EQ(json::parse(result->body)["count"], 1);
}

TEST_F(HttpServerTest, SaysWhatIsWrong) {
  Start();
  const auto expect = [this](const std::string& path, const httplib::MultipartFormDataItems& form,
                             int status, const std::string& why) {
    const httplib::Result result = Ask(path, form);
    ASSERT_TRUE(result) << path;
    EXPECT_EQ(result->status, status) << path;
    const json answer = json::parse(result->body);
    EXPECT_EQ(answer["success"], false) << path;
    EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr(why)) << path;
  };
  expect("/v1/vision/detection", {{"other", "1", "", ""}}, 400, "image: found nothing");
  expect("/v1/vision/detection", {Image("no picture")}, 400, "picture");
  expect("/v1/vision/detection", {Image(Picture()), {"min_confidence", "2", "", ""}}, 400,
         "min_confidence: found 2");
  expect("/v1/vision/custom/yolo", {Image(Picture())}, 404, "found yolo, expected nanodet");
  expect("/v1/vision/face", {Image(Picture())}, 404, "no such path");
  EXPECT_TRUE(finder_.files().empty());
}

TEST_F(HttpServerTest, RefusesWhatIsTooLong) {
  Start({.max_request_bytes = 1000});
  const auto result = Ask("/v1/vision/detection", {Image(std::string(100'000, 'x'))});
  // The server may hang up while the client still sends.
  if (result) {
    EXPECT_EQ(result->status, 413);
  }
  EXPECT_TRUE(finder_.files().empty());
}

TEST_F(HttpServerTest, AsksForTheKey) {
  Start({.api_key = "secret"});
  const auto without = Ask("/v1/vision/detection", {Image(Picture())});
  ASSERT_TRUE(without);
  EXPECT_EQ(without->status, 401);
  const auto with = Ask("/v1/vision/detection", {Image(Picture()), {"api_key", "secret", "", ""}});
  ASSERT_TRUE(with);
  EXPECT_EQ(with->status, 200);
}

TEST_F(HttpServerTest, TellsWhatItServes) {
  Start();
  const auto models = client_->Post("/v1/vision/custom/list");
  ASSERT_TRUE(models);
  EXPECT_EQ(json::parse(models->body)["models"], json::array({"nanodet"}));
  for (const char* const path : {"/v1/status/ping", "/healthz"}) {
    const auto alive = client_->Get(path);
    ASSERT_TRUE(alive) << path;
    EXPECT_EQ(alive->status, 200) << path;
  }
  const auto custom = Ask("/v1/vision/custom/nanodet", {Image(Picture())});
  ASSERT_TRUE(custom);
  EXPECT_EQ(custom->status, 200);
}

TEST_F(HttpServerTest, ServesManyAtOnce) {
  Start();
  constexpr int kClients = 20;
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([this, &answered] {
      httplib::Client client("127.0.0.1", server_->port());
      client.set_read_timeout(60);
      const auto result = client.Post("/v1/vision/detection", {Image(Picture())});
      if (result && result->status == 200) ++answered;
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answered, kClients);
}

TEST(HttpServerOptionsTest, NamesTheField) {
  EXPECT_THAT(HttpServerOptions{.listen = "here"}.Validate().message(), HasSubstr("listen"));
  EXPECT_THAT(HttpServerOptions{.threads = 0}.Validate().message(), HasSubstr("threads"));
  FakeFinder finder({});
  const auto taken = HttpServer::Start({.listen = "192.0.2.1:80"}, finder);
  EXPECT_EQ(taken.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace cleave::recorder
