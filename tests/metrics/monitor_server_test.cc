#include "metrics/monitor_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>

namespace cleave::metrics {
namespace {

using ::testing::HasSubstr;

TEST(MonitorServer, TellsMetricsHealthAndReadiness) {
  std::atomic<bool> ready = false;
  MonitorOptions options;
  options.listen = "127.0.0.1:0";
  options.metrics = [] { return "a_total 1\n"; };
  options.ready = [&ready] {
    return ready ? absl::OkStatus() : absl::UnavailableError("it loads models");
  };
  const auto server = MonitorServer::Start(options).value();
  httplib::Client client("127.0.0.1", server->port());
  const auto metrics = client.Get("/metrics");
  ASSERT_TRUE(metrics);
  EXPECT_EQ(metrics->status, 200);
  EXPECT_EQ(metrics->body, "a_total 1\n");
  EXPECT_THAT(metrics->get_header_value("Content-Type"), HasSubstr("version=0.0.4"));
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  const auto waiting = client.Get("/readyz");
  EXPECT_EQ(waiting->status, 503);
  EXPECT_EQ(waiting->body, "it loads models\n");
  ready = true;
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  const auto elsewhere = client.Get("/admin");
  EXPECT_EQ(elsewhere->status, 404);
  EXPECT_THAT(elsewhere->body, HasSubstr("expected /metrics"));
}

TEST(MonitorServer, AnAddressThatCannotBeHadIsAnError) {
  MonitorOptions options;
  options.listen = "nowhere";
  EXPECT_EQ(MonitorServer::Start(options).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cleave::metrics
