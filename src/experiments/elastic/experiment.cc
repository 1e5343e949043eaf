#include "experiments/elastic/experiment.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/file.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "experiments/dsc/results.h"
#include "model/graph.h"
#include "profile/accuracy_table.h"

namespace cleave::experiments::elastic {
namespace {

using rig::Rig;
using rig::Sample;
using rig::Worker;
using rig::WorkerOptions;

// The devices share a quota. After a pause of several of its periods an inference finds it unused,
// whatever ran before.
constexpr std::chrono::milliseconds kPause{100};
constexpr int kPasses = 2;  // In both orders, so that what drifts hits all policies alike.
constexpr int kTries = 3;   // Each fixed cut is tried so often before the best one is measured.

// A policy, and the device process that runs by it.
struct Contender {
  std::string name;
  Worker* worker = nullptr;
  std::string policy;  // As Device::SetPolicy takes it.
};

// What one policy has measured at one rate so far.
class Tally {
 public:
  void Add(const Sample& sample, std::int64_t batch) {
    latencies_us_.push_back(sample.latency_us);
    predicted_us_.push_back(sample.predicted_us);
    bytes_.push_back(sample.bytes_up);
    expected_.push_back(sample.accuracy.value_or(0));
    up_bps_.push_back(sample.link_up_bps);
    rtt_us_.push_back(sample.rtt_us);
    device_slowdown_.push_back(sample.device_slowdown);
    edge_slowdown_.push_back(sample.edge_slowdown);
    cell_.fallbacks += sample.fallback.empty() ? 0 : 1;
    cell_.pictures += batch;
    cell_.right += sample.right.value_or(0);
    ++cell_.plans[absl::StrCat(sample.cut, "/", EncodingName(sample.encoding), "/", sample.exit)];
  }

  Cell Conclude(const std::string& policy, double rate_bps) && {
    const dsc::Summary summary = dsc::Summarize(latencies_us_);
    cell_.policy = policy;
    cell_.rate_bps = rate_bps;
    cell_.inferences = summary.n;
    cell_.mean_us = summary.mean_us;
    cell_.median_us = summary.median_us;
    cell_.p25_us = summary.p25_us;
    cell_.p75_us = summary.p75_us;
    cell_.predicted_us = Mean(predicted_us_);
    cell_.bytes_up = Mean(bytes_);
    cell_.expected_accuracy = Mean(expected_);
    cell_.believed_up_bps = Median(up_bps_);
    cell_.believed_rtt_us = Median(rtt_us_);
    cell_.device_slowdown = Median(device_slowdown_);
    cell_.edge_slowdown = Median(edge_slowdown_);
    return std::move(cell_);
  }

 private:
  Cell cell_;
  std::vector<double> latencies_us_, predicted_us_, bytes_, expected_;
  std::vector<double> up_bps_, rtt_us_, device_slowdown_, edge_slowdown_;
};

class Experiment {
 public:
  Experiment(const Options& options, Results& results) : options_(options), results_(results) {}

  absl::Status Run() {
    CLEAVE_RETURN_IF_ERROR(Prepare());
    for (const double rate_bps : options_.rates_bps) {
      CLEAVE_RETURN_IF_ERROR(MeasureRate(rate_bps));
      results_.agreements = Agreements();
      CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options_.output, ToJson(results_)));
    }
    results_.complete = true;
    return WriteFileAtomically(options_.output, ToJson(results_));
  }

 private:
  void Say(const std::string& line) const {
    if (options_.on_progress) options_.on_progress(line);
  }

  absl::Status Prepare() {
    CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(options_.model));
    CLEAVE_ASSIGN_OR_RETURN(const AccuracyTable calibration,
                            AccuracyTable::Load(options_.model, graph->digest()));
    last_exit_ = graph->exit_count() - 1;
    results_.calibration_samples = calibration.about().samples;
    CLEAVE_ASSIGN_OR_RETURN(rig_, rig::StartModelRig(options_, *graph, options_.batch, results_));
    Say("measuring the device's profile");
    CLEAVE_ASSIGN_OR_RETURN(plain_, StartWorker("fp32", last_exit_));
    CLEAVE_ASSIGN_OR_RETURN(encoding_, StartWorker(options_.encodings, last_exit_));
    CLEAVE_ASSIGN_OR_RETURN(full_, StartWorker(options_.encodings, std::nullopt));
    CLEAVE_ASSIGN_OR_RETURN(jpeg_, StartWorker("fp32,jpeg", last_exit_));
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Worker>> StartWorker(const std::string& encodings,
                                                      std::optional<int> exit) {
    WorkerOptions worker;
    worker.model = options_.model;
    worker.batch = options_.batch;
    worker.data = options_.data;
    worker.encodings = encodings;
    worker.exit = exit;
    if (encodings != "fp32") worker.accuracy_drop = options_.accuracy_drop;
    CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Worker> started,
                            rig::StartModelWorker(*rig_, std::move(worker)));
    std::this_thread::sleep_for(std::chrono::microseconds(options_.settle_us));
    started->Sleep();
    return started;
  }

  static absl::StatusOr<Sample> Infer(const Contender& contender, std::int64_t item) {
    std::this_thread::sleep_for(kPause);
    return contender.worker->Infer(contender.policy, item);
  }

  absl::Status MeasureRate(double rate_bps) {
    CLEAVE_RETURN_IF_ERROR(rig_->SetRate(rate_bps));
    std::vector<Contender> contenders = {{"device only", plain_.get(), "device"},
                                         {"edge only, fp32", plain_.get(), "edge"},
                                         {"edge only, JPEG", jpeg_.get(), "fixed:0/jpeg"},
                                         {"best fixed cut, fp32", plain_.get(), ""},
                                         {"dynamic, fp32", plain_.get(), "dynamic"},
                                         {"dynamic, encodings", encoding_.get(), "dynamic"},
                                         {"dynamic, encodings and exits", full_.get(), "dynamic"}};
    CLEAVE_ASSIGN_OR_RETURN(contenders[3].policy, BestFixed());
    std::vector<Tally> tallies(contenders.size());
    for (int pass = 0; pass < kPasses; ++pass) {
      for (std::size_t i = 0; i < contenders.size(); ++i) {
        const std::size_t turn = pass % 2 == 0 ? i : contenders.size() - 1 - i;
        CLEAVE_RETURN_IF_ERROR(MeasureBlock(contenders[turn], pass, tallies[turn]));
      }
    }
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      results_.cells.push_back(std::move(tallies[i]).Conclude(contenders[i].name, rate_bps));
      const Cell& cell = results_.cells.back();
      Say(absl::StrFormat("%-12s %-30s %8.1f ms  %5.1f%%  %s", FormatRate(rate_bps), cell.policy,
                          cell.mean_us / 1e3, 100.0 * cell.right / cell.pictures,
                          FormatBytes(cell.bytes_up)));
    }
    return absl::OkStatus();
  }

  // One pass's share of a policy's inferences. Its device is awake all through: it probes the link
  // between them as it would anywhere.
  absl::Status MeasureBlock(const Contender& contender, int pass, Tally& tally) {
    contender.worker->Wake();
    std::this_thread::sleep_for(std::chrono::microseconds(options_.settle_us));
    for (int i = 0; i < options_.warmup; ++i) {
      CLEAVE_RETURN_IF_ERROR(Infer(contender, i).status());
    }
    for (int item = pass; item < options_.inferences; item += kPasses) {
      if (options_.cancel.cancelled()) return absl::CancelledError("stopped");
      CLEAVE_ASSIGN_OR_RETURN(const Sample sample, Infer(contender, item));
      tally.Add(sample, options_.batch);
    }
    contender.worker->Sleep();
    return absl::OkStatus();
  }

  // The fixed cut that is fastest in a few inferences; that of the device alone is one of them.
  absl::StatusOr<std::string> BestFixed() {
    plain_->Wake();
    std::string best;
    double best_us = std::numeric_limits<double>::infinity();
    for (const int cut : plain_->info().candidates) {
      const Contender contender{"", plain_.get(), absl::StrCat("fixed:", cut)};
      double total_us = 0;
      for (int i = 0; i < kTries && total_us < best_us; ++i) {
        CLEAVE_ASSIGN_OR_RETURN(const Sample sample, Infer(contender, i));
        total_us += sample.latency_us;
      }
      if (total_us >= best_us) continue;
      best_us = total_us;
      best = contender.policy;
    }
    plain_->Sleep();
    return best;
  }

  std::vector<Agreement> Agreements() const {
    std::vector<Agreement> all;
    for (const std::string& name : Policies()) {
      Agreement one;
      one.policy = name;
      double right = 0;
      for (const Cell& cell : results_.cells) {
        if (cell.policy != name) continue;
        one.pictures += cell.pictures;
        right += static_cast<double>(cell.right);
        one.expected += cell.expected_accuracy * static_cast<double>(cell.pictures);
      }
      if (one.pictures == 0) continue;
      // The pictures are the same at each rate, so they count once for the interval.
      const auto n = static_cast<double>(options_.inferences) * static_cast<double>(options_.batch);
      one.measured = right / static_cast<double>(one.pictures);
      one.expected /= static_cast<double>(one.pictures);
      one.margin = 1.96 * std::sqrt(one.measured * (1 - one.measured) / n +
                                    one.expected * (1 - one.expected) /
                                        static_cast<double>(results_.calibration_samples));
      one.agrees = std::abs(one.measured - one.expected) <= one.margin;
      all.push_back(one);
    }
    return all;
  }

  const Options& options_;
  Results& results_;
  int last_exit_ = 0;
  std::unique_ptr<Rig> rig_;
  std::unique_ptr<Worker> plain_, encoding_, full_, jpeg_;
};

}  // namespace

std::vector<std::string> Policies() {
  return {"device only",
          "edge only, fp32",
          "edge only, JPEG",
          "best fixed cut, fp32",
          "dynamic, fp32",
          "dynamic, encodings",
          "dynamic, encodings and exits"};
}

absl::Status Options::Validate() const {
  if (rates_bps.empty()) return FieldError("rates", "none", "at least one");
  for (const double rate : rates_bps) {
    if (!(rate > 0)) return FieldError("rates", rate, "more than 0");
  }
  CLEAVE_RETURN_IF_ERROR(ModelOptions::Validate());
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("batch", batch, 1));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast("inferences", inferences, 1));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("settle_us", settle_us, 0));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast("warmup", warmup, 0));
  return CheckShare("accuracy_drop", accuracy_drop);
}

absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  Results results;
  results.command = command;
  results.batch = options.batch;
  results.accuracy_drop = options.accuracy_drop;
  results.encodings = options.encodings;
  CLEAVE_RETURN_IF_ERROR(Experiment(options, results).Run());
  return results;
}

}  // namespace cleave::experiments::elastic
