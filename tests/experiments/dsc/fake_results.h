#ifndef CLEAVE_TESTS_EXPERIMENTS_DSC_FAKE_RESULTS_H_
#define CLEAVE_TESTS_EXPERIMENTS_DSC_FAKE_RESULTS_H_

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "experiments/dsc/encodings.h"
#include "experiments/dsc/results.h"
#include "experiments/rig/worker.h"

namespace cleave::experiments::dsc {

inline Summary FakeSummary(double median_us, int n) {
  return {.n = n,
          .median_us = median_us,
          .p25_us = 0.95 * median_us,
          .p75_us = 1.1 * median_us,
          .mean_us = 1.02 * median_us};
}

// A point whose figures follow from a made-up model of five cuts, so that all of a report is fed.
inline PointResult FakePoint(const std::string& model, double rate_bps, std::int64_t batch,
                             Load load) {
  const std::vector<double> bytes = {602112, 401408, 100352, 25088, 0};
  PointResult point{.model = model, .rate_bps = rate_bps, .batch = batch, .load = load};
  for (int i = 0; i < 5; ++i) {
    const double scale = static_cast<double>(batch);
    CutResult cut{.cut = 4 * i, .tensors = "/features/features." + std::to_string(i)};
    cut.bytes_up = bytes[i] * scale;
    cut.phases.head_us = 30'000.0 * i * scale;
    cut.phases.tail_us = i == 4 ? 0 : 7'000.0 * (4 - i) * scale;
    cut.phases.queue_us = i == 4 || load == Load::kIdle ? 0 : 6'000;
    cut.phases.uplink_us = cut.bytes_up * 8e6 / rate_bps;
    cut.predicted_us =
        cut.phases.head_us + cut.phases.tail_us + cut.phases.queue_us + cut.phases.uplink_us;
    cut.measured = cut.predicted_us < 5e6;
    if (cut.measured) cut.latency = FakeSummary(cut.predicted_us * 1.03, 5);
    point.cuts.push_back(cut);
  }
  const auto best =
      std::min_element(point.cuts.begin(), point.cuts.end(),
                       [](const auto& a, const auto& b) { return a.TimeUs() < b.TimeUs(); });
  point.best_cut = best->cut;
  point.best_us = best->TimeUs();
  point.dynamic.warmup = 5;
  point.dynamic.latency = FakeSummary(point.best_us * 1.02, 8);
  for (int i = 0; i < 8; ++i) {
    point.dynamic.samples.push_back({.start_us = i * 1000,
                                     .latency_us = point.best_us * (1 + 0.01 * (i - 3)),
                                     .predicted_us = point.best_us * (0.97 + 0.02 * (i % 4)),
                                     .cut = best->cut,
                                     .where = Where::kSplit});
  }
  point.regret = point.dynamic.latency.median_us / point.best_us;
  return point;
}

// What a device would forecast of the same made-up model. `accuracy` is that of fp32, and each
// halving of the bits costs a point; without it the model is not calibrated.
inline std::vector<rig::Forecast> FakeForecasts(std::int64_t batch,
                                                std::optional<double> accuracy) {
  const std::vector<double> bytes = {602112, 401408, 100352, 25088, 0};
  const std::vector<std::pair<Encoding, double>> encodings = {
      {Encoding::kFp32, 1}, {Encoding::kFp16, 2}, {Encoding::kQ8, 4},
      {Encoding::kQ6, 5.3}, {Encoding::kQ4, 8},   {Encoding::kQ2, 16}};
  const double scale = static_cast<double>(batch);
  std::vector<rig::Forecast> rows;
  for (int i = 0; i < 5; ++i) {
    for (const auto& [encoding, divisor] : encodings) {
      if (i == 4 && encoding != Encoding::kFp32) continue;
      std::optional<double> of_plan = accuracy;
      if (of_plan) *of_plan -= 0.01 * std::log2(divisor);
      rows.push_back({.cut = 4 * i,
                      .tensors = "features",
                      .encoding = encoding,
                      .accuracy = of_plan,
                      .bytes_up = scale * bytes[i] / divisor,
                      .head_us = scale * 30'000.0 * i,
                      .uplink_us = 1,
                      .tail_us = i == 4 ? 0 : scale * 7'000.0 * (4 - i)});
    }
  }
  return rows;
}

inline EncodingForecast FakeEncodings(const std::string& model, std::int64_t batch,
                                      std::optional<double> accuracy) {
  const PictureFacts picture{
      .bytes = 30'000, .made_up = true, .height = 224, .width = 224, .decode_us = 1500};
  EncodingForecast forecast = ForecastEncodings(
      FakeForecasts(batch, accuracy), {1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 3e8}, batch, picture);
  forecast.model = model;
  return forecast;
}

inline Results FakeResults() {
  Results results;
  results.meta.command = "cleave experiment dsc";
  results.meta.machine = "made-up machine";
  results.meta.link = "made up";
  results.meta.device_share = 0.25;
  results.meta.device_share_enforced = true;
  results.meta.points_planned = 96;
  results.meta.complete = true;
  for (const char* model : {"efficientnet_b0", "mobilenet_v2"}) {
    results.models.push_back({.name = model,
                              .file = std::string(model) + ".onnx",
                              .digest = std::string(64, 'a'),
                              .last_cut = 16,
                              .candidates = {0, 4, 8, 12, 16}});
    for (const std::int64_t batch : {1, 4, 16}) {
      const bool calibrated = model == std::string("mobilenet_v2");
      results.encodings.push_back(
          FakeEncodings(model, batch, calibrated ? std::optional<double>(0.7) : std::nullopt));
    }
    for (const double rate : {1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 3e8}) {
      for (const std::int64_t batch : {1, 4, 16}) {
        for (const Load load : {Load::kIdle, Load::kBusy}) {
          results.points.push_back(FakePoint(model, rate, batch, load));
        }
      }
    }
  }
  StepResult step{.model = "efficientnet_b0", .high_bps = 5e7, .low_bps = 2e6};
  step.changes = {{.t_us = 5e6,
                   .rate_bps = 2e6,
                   .right_cuts = {12, 16},
                   .wrong_inferences = 2,
                   .seconds = 1.5,
                   .settled = true},
                  {.t_us = 10e6,
                   .rate_bps = 5e7,
                   .right_cuts = {0},
                   .wrong_inferences = 9,
                   .seconds = 1.2,
                   .settled = true}};
  TraceResult trace{.model = "efficientnet_b0", .name = "steps", .made_up = true, .seconds = 20};
  trace.mean_bps = 8e6;
  for (int second = 0; second < 20; ++second) {
    trace.rate_bps.push_back(8e6 * (1 + 0.9 * std::sin(second)));
  }
  for (const char* policy : {"dynamic", "device", "edge", "fixed:8"}) {
    TraceRun run{.policy = policy, .inferences = 40, .mean_us = 120'000};
    run.mean_us *= policy == std::string("dynamic") ? 0.8 : 1.0;
    for (int i = 0; i < 40; ++i) {
      run.timeline.push_back({.start_us = i * 500'000,
                              .latency_us = run.mean_us * (1 + 0.3 * std::sin(i)),
                              .cut = 8,
                              .where = Where::kSplit});
    }
    trace.runs.push_back(run);
  }
  results.kills = {.model = "mobilenet_v2", .kills = 2, .inferences = 60, .fallbacks = 2};
  results.kills.killed_at_us = {5e6, 10e6};
  for (int i = 0; i < 60; ++i) {
    const bool failed = i == 20 || i == 40;
    const rig::Sample sample{.start_us = i * 250'000,
                             .latency_us = failed ? 130'000.0 : 60'000.0,
                             .predicted_us = 61'000,
                             .cut = i < 20 ? 0 : 12,
                             .where = failed ? Where::kDevice : Where::kSplit,
                             .fallback = failed ? "UNAVAILABLE: Connection reset" : ""};
    step.timeline.push_back(sample);
    results.kills.timeline.push_back(sample);
  }
  results.steps.push_back(step);
  results.traces.push_back(trace);
  results.micro.decide_us = 3.2;
  results.micro.chain_ratio = {{"efficientnet_b0", 1.004, ""}, {"mobilenet_v2", 1.011, ""}};
  return results;
}

}  // namespace cleave::experiments::dsc

#endif  // CLEAVE_TESTS_EXPERIMENTS_DSC_FAKE_RESULTS_H_
