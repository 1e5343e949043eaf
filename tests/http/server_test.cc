#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <thread>

namespace cleave::http {
namespace {

using ::testing::HasSubstr;

ServerOptions Local() {
  ServerOptions options;
  options.listen = "127.0.0.1:0";
  return options;
}

Route Greeting() {
  return {.pattern = "/greet/([^/]+)", .answer = [](const Request& request) {
            return Response{.body = "hello " + request.parts.at(0) +
                                    request.field("mark").value_or("")};
          }};
}

TEST(HttpServer, RoutesHaveTheirPartsOfThePathAndFields) {
  const auto server = Server::Start(Local(), {Greeting()}).value();
  httplib::Client client("127.0.0.1", server->port());
  const auto plain = client.Get("/greet/world");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->status, 200);
  EXPECT_EQ(plain->body, "hello world");
  EXPECT_EQ(client.Get("/greet/world?mark=!")->body, "hello world!");
  EXPECT_EQ(client.Get("/greet/world/again")->status, 404);
  EXPECT_EQ(client.Post("/greet/world")->status, 404);
}

TEST(HttpServer, ErrorsAreWordedByWhoAsksForIt) {
  ServerOptions options = Local();
  options.on_error = [](const std::string& path, int status) {
    return Response{.status = status, .body = path + " is not here"};
  };
  const auto server = Server::Start(options, {Greeting()}).value();
  httplib::Client client("127.0.0.1", server->port());
  const auto result = client.Get("/elsewhere");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 404);
  EXPECT_EQ(result->body, "/elsewhere is not here");
}

TEST(HttpServer, AnAddressThatCannotBeHadIsAClearError) {
  const auto server = Server::Start(Local(), {Greeting()}).value();
  ServerOptions taken = Local();
  taken.listen = "192.0.2.1:9";
  const auto second = Server::Start(taken, {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(second.status().message(), HasSubstr("cannot listen on 192.0.2.1:9"));
  taken.listen = "nowhere";
  EXPECT_EQ(Server::Start(taken, {}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cleave::http
