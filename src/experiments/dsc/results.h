#ifndef CLEAVE_EXPERIMENTS_DSC_RESULTS_H_
#define CLEAVE_EXPERIMENTS_DSC_RESULTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/plan.h"
#include "experiments/rig/goal.h"
#include "experiments/rig/sample.h"

namespace cleave::experiments::dsc {

// Everything that `cleave experiment dsc` measures, as plain values; docs/experiments.md describes
// the same fields as they stand in the JSON file.

// Order statistics of one quantity over n inferences.
struct Summary {
  int n = 0;
  double median_us = 0;
  double p25_us = 0;
  double p75_us = 0;
  double mean_us = 0;
};
Summary Summarize(std::vector<double> values_us);

// A candidate cut at one point of the grid.
struct CutResult {
  int cut = 0;
  std::string tensors;
  double bytes_up = 0;
  double predicted_us = 0;  // What follows from the profiles and the true rate.
  bool measured = false;    // False: predicted_us stands for it.
  Summary latency;          // As brute force measured it.
  rig::Phases phases;
  int fallbacks = 0;
  Summary final_latency;  // The cuts that came out best, once more, in turns with `dynamic`.
  // Returns what brute force measured, or the prediction in its place.
  double TimeUs() const { return measured ? latency.mean_us : predicted_us; }
  // Returns the mean of everything that was measured.
  double AllTimeUs() const {
    const double n = latency.n + final_latency.n;
    return n > 0 ? (latency.n * latency.mean_us + final_latency.n * final_latency.mean_us) / n
                 : TimeUs();
  }
};

struct DynamicResult {
  int warmup = 0;  // Inferences before the first counted one.
  Summary latency;
  std::vector<rig::Sample> samples;
  double error_median = 0;  // |predicted - measured| / measured
};

// What else the edge has to do.
enum class Load { kIdle, kBusy };

// "idle" or "busy".
absl::string_view LoadName(Load load);

// One point of the grid.
struct PointResult {
  std::string model;
  double rate_bps = 0;
  std::int64_t batch = 1;
  Load load = Load::kIdle;
  std::vector<CutResult> cuts;
  DynamicResult dynamic;
  std::optional<int> best_cut;  // Nothing where no cuts were compared.
  double best_us = 0;           // Mean of the best fixed cut in the turns with `dynamic`.
  double regret = 0;            // Mean of dynamic / best_us; 0 where nothing was compared.
  double regret_of_medians = 0;
  double edge_utilization = 0;
  double seconds = 0;  // What measuring it took.
  std::string problem;

  std::string Key() const;
};

// The fastest way to place a model with one encoding at one rate, by prediction.
struct EncodingChoice {
  Encoding encoding = Encoding::kFp32;  // What the cut's tensors are sent as; kJpeg: the input.
  int cut = 0;
  double bytes_up = 0;
  double predicted_us = 0;
  std::optional<double> accuracy;  // That of the plan, where it is calibrated.
};
struct EncodingRate {
  double rate_bps = 0;
  std::vector<EncodingChoice> choices;
};

// The file that `jpeg` sends for each item of a batch.
struct PictureFacts {
  double bytes = 0;      // 0: the model's input is no picture.
  bool made_up = false;  // Else the size was given.
  int height = 0, width = 0;
  double decode_us = 0;  // Measured where the experiment runs, on the made-up picture.
  std::string note;      // Why there is none.
};

// What the encodings change for one model and batch: predicted from measured profiles, the true
// rate and an idle edge; nothing of it is measured as a whole.
struct EncodingForecast {
  std::string model;
  std::int64_t batch = 1;
  int last_cut = 0;
  bool calibrated = false;  // Else nothing is known of what lossy encodings cost in accuracy.
  double device_us = 0;     // The time with all on the device.
  PictureFacts picture;
  std::vector<EncodingRate> rates;  // Ascending.
};

struct StepChange {
  double t_us = 0;  // Since the timeline's start.
  double rate_bps = 0;
  std::vector<int> right_cuts;
  int wrong_inferences = 0;  // Decided after the change, before the first one at a right cut.
  double seconds = 0;        // The time from the change to the start of that one.
  bool settled = false;      // It came at all.
};
struct StepResult {
  std::string model;
  std::int64_t batch = 1;
  double high_bps = 0, low_bps = 0;
  std::vector<rig::Sample> timeline;
  std::vector<StepChange> changes;
  std::string problem;
};

struct TraceRun {
  std::string policy;
  std::optional<int> cut;  // The cut of a fixed policy.
  int inferences = 0;
  double mean_us = 0;
  double median_us = 0;
  double p95_us = 0;
  double predicted_mean_us =
      0;  // What replaying the trace on paper gives; 0 where it was not done.
  std::vector<rig::Sample> timeline;
};
struct TraceResult {
  std::string model;
  std::int64_t batch = 1;
  std::string name;
  bool made_up = false;
  double seconds = 0;
  double mean_bps = 0;
  std::vector<double> rate_bps;  // One for each second.
  std::vector<TraceRun> runs;
  std::string problem;
};

struct KillResult {
  std::string model;
  int kills = 0;
  int inferences = 0;
  int lost = 0;        // Ended without outputs, or with wrong ones.
  int fallbacks = 0;   // Ended on the device after the edge failed.
  int recoveries = 0;  // Times that the edge was used again after a restart.
  std::vector<rig::Sample> timeline;
  std::vector<double> killed_at_us;
  std::string problem;
};

// A figure measured once for each model, such as a ratio.
struct ModelFigure {
  std::string model;
  double value = 0;
  std::string detail;
};
struct MicroResult {
  std::vector<ModelFigure> chain_ratio;
  std::vector<ModelFigure> memory_ratio;
  double decide_us = 0;  // 500 candidates.
  double loopback_ratio = 0;
  std::string loopback_detail;
  std::vector<std::string> problems;
};

struct ModelEntry {
  std::string name;
  std::string file;
  std::string digest;
  int last_cut = 0;
  std::vector<int> candidates;
};

struct Meta {
  std::string schema = "cleave-experiment-dsc/1";
  std::string command;
  std::string cleave, onnxruntime, machine, started, finished;
  int cores = 0;
  std::uint64_t seed = 1;
  std::string link;
  double link_rtt_us = 0;
  double device_share = 1;
  bool device_share_enforced = false;
  double device_slowdown = 0;  // Whole model, device / edge, by their profiles' sums.
  int repeats = 0, final_repeats = 0, warmup = 0;
  double busy_utilization = 0;
  double predict_only_above_us = 0;
  double time_budget_s = 0;
  int points_planned = 0;
  bool complete = false;
  std::vector<std::string> notes;
};

struct Results {
  Meta meta;
  std::vector<ModelEntry> models;
  std::vector<PointResult> points;
  std::vector<EncodingForecast> encodings;
  std::vector<StepResult> steps;
  std::vector<TraceResult> traces;
  KillResult kills;
  MicroResult micro;
  std::vector<rig::Goal> goals;

  const PointResult* Find(const std::string& key) const;
  const EncodingForecast* FindEncodings(const std::string& model, std::int64_t batch) const;
  // Keeps the forecast in place of the one for the same model and batch, if there is one.
  void Keep(EncodingForecast forecast);
};

std::string ToJson(const Results& results);
// InvalidArgument names `origin` and what does not fit.
absl::StatusOr<Results> FromJson(absl::string_view json, const std::string& origin);

}  // namespace cleave::experiments::dsc

#endif  // CLEAVE_EXPERIMENTS_DSC_RESULTS_H_
