#include "metrics/edge_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace cleave::metrics {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

EdgeEvent Answered(const std::string& model, int cut) {
  EdgeEvent event;
  event.kind = EdgeEventKind::kInfer;
  event.model = model;
  event.named = EdgeEvent::Named::kStart;
  event.cut = cut;
  event.batch = 3;
  event.queue_us = 2'000;
  event.compute_us = 40'000;
  event.decode_us = 300;
  return event;
}

EdgeStatistics Serving(std::vector<std::string> models) {
  EdgeStatistics now;
  now.models = std::move(models);
  now.queue_capacity = 64;
  now.queued = 7;
  return now;
}

TEST(EdgeMetrics, CountsInferencesByModelCutExitAndCode) {
  EdgeMetrics metrics("1.2");
  metrics.Add(Answered("net", 4));
  metrics.Add(Answered("net", 4));
  EdgeEvent early = Answered("net", 2);
  early.exit = 1;
  metrics.Add(early);
  EdgeEvent refused = Answered("net", 4);
  refused.kind = EdgeEventKind::kRefused;
  refused.code = absl::StatusCode::kResourceExhausted;
  metrics.Add(refused);
  const std::string text = metrics.Text(Serving({"net"}));
  const auto series = [](const std::string& code, const std::string& cut, const std::string& exit) {
    return absl::StrCat("code=\"", code, "\",cut=\"", cut, "\",exit=\"", exit, "\",model=\"net\"");
  };
  for (const auto& [labels, count] : {std::pair(series("OK", "4", ""), 2),
                                      {series("OK", "2", "1"), 1},
                                      {series("RESOURCE_EXHAUSTED", "4", ""), 1}}) {
    EXPECT_THAT(
        text, HasSubstr(absl::StrCat("cleave_edge_inferences_total{", labels, "} ", count, "\n")));
  }
  // Of those that were answered alone.
  EXPECT_THAT(text,
              AllOf(HasSubstr("cleave_edge_queue_seconds_count{model=\"net\"} 3\n"),
                    HasSubstr("cleave_edge_compute_seconds_bucket{model=\"net\",le=\"0.05\"} 3\n"),
                    HasSubstr("cleave_edge_compute_seconds_bucket{model=\"net\",le=\"0.025\"} 0\n"),
                    HasSubstr("cleave_edge_decode_seconds_count{model=\"net\"} 3\n"),
                    HasSubstr("cleave_edge_batch_size_sum{model=\"net\"} 9\n"),
                    HasSubstr("cleave_edge_queue_length 7\n"),
                    HasSubstr("cleave_build_info{version=\"1.2\"} 1\n")));
}

TEST(EdgeMetrics, NoLabelHoldsWhatOnlyAPeerSays) {
  EdgeMetrics metrics("1");
  for (int i = 0; i < 1000; ++i) {
    EdgeEvent event = Answered(absl::StrCat("hostile", i), i);
    event.kind = EdgeEventKind::kError;
    event.code = absl::StatusCode::kNotFound;
    event.named = EdgeEvent::Named::kNothing;
    metrics.Add(event);
    event.model = "net";
    event.named = EdgeEvent::Named::kModel;
    event.code = absl::StatusCode::kInvalidArgument;
    metrics.Add(event);
  }
  const std::string text = metrics.Text(Serving({"net"}));
  EXPECT_THAT(text, Not(HasSubstr("hostile")));
  EXPECT_THAT(text, HasSubstr("cleave_edge_inferences_total{code=\"NOT_FOUND\",cut=\"\",exit=\"\","
                              "model=\"\"} 1000\n"));
  EXPECT_THAT(text, HasSubstr("cleave_edge_inferences_total{code=\"INVALID_ARGUMENT\",cut=\"\","
                              "exit=\"\",model=\"net\"} 1000\n"));
}

TEST(EdgeMetrics, ModelsThatHaveGoneAreForgotten) {
  EdgeMetrics metrics("1");
  metrics.Add(Answered("net", 1));
  metrics.Add(Answered("pushed", 1));
  EXPECT_THAT(metrics.Text(Serving({"net", "pushed"})), HasSubstr("model=\"pushed\""));
  const std::string text = metrics.Text(Serving({"net"}));
  EXPECT_THAT(text, Not(HasSubstr("pushed")));
  EXPECT_THAT(text, HasSubstr("cleave_edge_batch_size_count{model=\"net\"} 1\n"));
  metrics.Add(Answered("pushed", 1));
  EXPECT_THAT(metrics.Text(Serving({"net", "pushed"})),
              HasSubstr("cleave_edge_batch_size_count{model=\"pushed\"} 1\n"));
}

TEST(EdgeMetrics, CallsRefusalsAndBytesAreCountedAsTheyEnd) {
  EdgeMetrics metrics("1");
  EdgeCall call;
  call.method = "ModelInfer";
  call.received_bytes = 100;
  call.sent_bytes = 7;
  metrics.Add(call);
  call.code = absl::StatusCode::kResourceExhausted;
  call.refusal = Refusal::kBudget;
  call.sent_bytes = 0;
  metrics.Add(call);
  // Before the edge serves there is no state of it.
  const std::string text = metrics.Text(std::nullopt);
  EXPECT_THAT(
      text,
      AllOf(
          HasSubstr("cleave_edge_calls_total{code=\"OK\",method=\"ModelInfer\"} 1\n"),
          HasSubstr("cleave_edge_calls_total{code=\"RESOURCE_EXHAUSTED\",method=\"ModelInfer\"} 1"),
          HasSubstr("cleave_edge_refusals_total{reason=\"budget\"} 1\n"),
          HasSubstr("cleave_edge_received_bytes_total 200\n"),
          HasSubstr("cleave_edge_sent_bytes_total 7\n"),
          HasSubstr("process_resident_memory_bytes "), Not(HasSubstr("cleave_edge_queue_length"))));
}

TEST(EdgeMetrics, ANameMayHoldAnything) {
  EdgeMetrics metrics("1");
  const std::string name = "a\"b\\c\nd\xff";
  metrics.Add(Answered(name, 0));
  const std::string text = metrics.Text(Serving({name}));
  EXPECT_THAT(text, HasSubstr("cleave_edge_batch_size_count{model=\"a\\\"b"));
  EXPECT_THAT(text, Not(HasSubstr("\xff")));
}

}  // namespace
}  // namespace cleave::metrics
