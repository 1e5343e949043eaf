#include "metrics/device_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/edge_link.h"

namespace cleave::metrics {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(DeviceMetrics, CountsInferencesPlansAndFallbacks) {
  DeviceMetrics metrics("1.2");
  InferenceRecord record;
  record.where = Where::kEdge;
  record.decided = {.exit = 1, .cut = 3, .encoding = Encoding::kQ8};
  record.latency_us = 30'000;
  record.bytes_up = 1000;
  record.bytes_down = 40;
  record.link_up_bps = 5e6;
  record.link_rtt_us = 12'000;
  record.edge_slowdown = 1.5;
  metrics.Add(record);
  record.where = Where::kDevice;
  record.fallback = "timeout after 120 ms";
  record.deadline_missed = true;
  record.bytes_up = record.bytes_down = 0;
  metrics.Add(record);
  const std::string text = metrics.Text(DeviceMetrics::EdgeState::kUsable);
  EXPECT_THAT(
      text, AllOf(HasSubstr("cleave_device_inferences_total{where=\"edge\"} 1\n"),
                  HasSubstr("cleave_device_inferences_total{where=\"device\"} 1\n"),
                  HasSubstr("cleave_device_plans_total{cut=\"3\",encoding=\"q8\",exit=\"1\"} 2\n"),
                  HasSubstr("cleave_device_fallbacks_total{reason=\"timeout\"} 1\n"),
                  HasSubstr("cleave_device_latency_seconds_bucket{where=\"edge\",le=\"0.05\"} 1\n"),
                  HasSubstr("cleave_device_deadlines_missed_total 1\n"),
                  HasSubstr("cleave_device_sent_bytes_total 1000\n"),
                  HasSubstr("cleave_device_received_bytes_total 40\n"),
                  HasSubstr("cleave_device_link_up_bits_per_second 5000000\n"),
                  HasSubstr("cleave_device_edge_slowdown 1.5\n"),
                  HasSubstr("cleave_device_edge_usable 1\n")));
  EXPECT_THAT(text, HasSubstr("cleave_device_link_round_trip_seconds 0.012"));
  EXPECT_THAT(metrics.Text(DeviceMetrics::EdgeState::kUnusable),
              HasSubstr("cleave_device_edge_usable 0\n"));
  EXPECT_THAT(metrics.Text(DeviceMetrics::EdgeState::kNone), Not(HasSubstr("edge_usable")));
}

// The text of a fallback holds numbers and what the edge says; a label must not.
TEST(DeviceMetrics, EveryFailureOfAnEdgeHasAReasonOfItsKind) {
  using absl::StatusCode;
  absl::Status full = absl::ResourceExhaustedError("full");
  SetExpectedWait(full, 1000);
  EXPECT_EQ(FallbackReason(FailureText(full, 0)), "refused");
  for (const auto& [code, reason] : {std::pair(StatusCode::kDeadlineExceeded, "timeout"),
                                     {StatusCode::kUnavailable, "unavailable"},
                                     {StatusCode::kResourceExhausted, "refused"},
                                     {StatusCode::kNotFound, "model"},
                                     {StatusCode::kDataLoss, "reply"},
                                     {StatusCode::kUnauthenticated, "credentials"},
                                     {StatusCode::kPermissionDenied, "credentials"},
                                     {StatusCode::kInternal, "error"},
                                     {StatusCode::kInvalidArgument, "error"}}) {
    EXPECT_EQ(FallbackReason(FailureText(absl::Status(code, "what the edge says"), 5)), reason);
  }
  EXPECT_EQ(FallbackReason(FailureText(absl::FailedPreconditionError("another digest"), 0)),
            "digest");
  EXPECT_EQ(FallbackReason("a text of a peer"), "other");
}

}  // namespace
}  // namespace cleave::metrics
