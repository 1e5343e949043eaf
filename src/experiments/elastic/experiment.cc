#include "experiments/elastic/experiment.h"

#include <chrono>
#include <cmath>
#include <filesystem>
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
#include "experiments/rig/rig.h"
#include "experiments/rig/worker.h"
#include "model/graph.h"
#include "profile/accuracy_table.h"

namespace cleave::experiments::elastic {
namespace {

using rig::Rig;
using rig::Sample;
using rig::Worker;
using rig::WorkerOptions;

constexpr std::int64_t kEdgeUs = 60'000'000;
// The devices share a quota. After a pause of several of its periods an inference finds it unused,
// whatever ran before.
constexpr std::chrono::milliseconds kPause{100};
constexpr int kPasses = 2;  // There and back, so that what drifts hits all ways alike.
constexpr int kTries = 3;   // Of each fixed cut, before the best one is measured.

// A device process, and the policy that it is run by.
struct Way {
  std::string name;
  rig::Worker* worker = nullptr;
  std::string policy;
};

// What one way has measured at one rate so far.
class Tally {
 public:
  void Add(const Sample& sample, std::int64_t batch) {
    latencies_us_.push_back(sample.latency_us);
    predicted_us_.push_back(sample.predicted_us);
    bytes_.push_back(sample.bytes_up);
    expected_.push_back(sample.accuracy);
    up_bps_.push_back(sample.link_up_bps);
    rtt_us_.push_back(sample.rtt_us);
    device_slowdown_.push_back(sample.device_slowdown);
    edge_slowdown_.push_back(sample.edge_slowdown);
    cell_.fallbacks += sample.fallback.empty() ? 0 : 1;
    cell_.pictures += batch;
    cell_.right += sample.right;
    ++cell_.plans[absl::StrCat(sample.cut, "/", sample.encoding, "/", sample.exit)];
  }

  Cell Conclude(const std::string& way, double rate_bps) && {
    const dsc::Summary summary = dsc::Summarize(latencies_us_);
    cell_.way = way;
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
    results_.model = options_.model;
    results_.digest = graph->digest();
    results_.calibration_samples = calibration.about().samples;
    CLEAVE_ASSIGN_OR_RETURN(rig_, rig::Rig::Create({.program = options_.program,
                                                    .folder = options_.output + ".work",
                                                    .device_share = options_.device_share,
                                                    .force_relay = options_.force_relay,
                                                    .seed = options_.seed}));
    results_.link = rig_->link_name();
    results_.device_slowed = rig_->share_enforced();
    results_.notes = rig_->notes();
    CLEAVE_RETURN_IF_ERROR(rig_->StartEdge({options_.model}));
    for (int exit = 0; exit <= last_exit_; ++exit) {
      CLEAVE_RETURN_IF_ERROR(
          rig_->WarmEdgeProfile(graph->name(), graph->digest(), exit, options_.batch));
    }
    Say("measuring the device's profile");
    CLEAVE_ASSIGN_OR_RETURN(plain_, StartWorker("fp32", last_exit_));
    CLEAVE_ASSIGN_OR_RETURN(encoding_, StartWorker(options_.encodings, last_exit_));
    CLEAVE_ASSIGN_OR_RETURN(full_, StartWorker(options_.encodings, std::nullopt));
    CLEAVE_ASSIGN_OR_RETURN(jpeg_, StartWorker("fp32,jpeg", last_exit_));
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<rig::Worker>> StartWorker(const std::string& encodings,
                                                           std::optional<int> exit) {
    rig::WorkerOptions worker;
    worker.model = options_.model;
    worker.batch = options_.batch;
    worker.data = options_.data;
    worker.encodings = encodings;
    worker.exit = exit;
    if (encodings != "fp32") worker.accuracy_drop = options_.accuracy_drop;
    CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<rig::Worker> started,
                            rig_->StartWorker(std::move(worker), rig::Rig::Way::kLink));
    CLEAVE_RETURN_IF_ERROR(started->WaitForEdge(kEdgeUs));
    std::this_thread::sleep_for(std::chrono::microseconds(options_.settle_us));
    started->Sleep();
    return started;
  }

  static absl::StatusOr<Sample> Infer(const Way& way, std::int64_t item) {
    std::this_thread::sleep_for(kPause);
    return way.worker->Infer(way.policy, item);
  }

  absl::Status MeasureRate(double rate_bps) {
    CLEAVE_RETURN_IF_ERROR(rig_->SetRate(rate_bps));
    std::vector<Way> ways = {{"device only", plain_.get(), "device"},
                             {"edge only, fp32", plain_.get(), "edge"},
                             {"edge only, JPEG", jpeg_.get(), "fixed:0/jpeg"},
                             {"best fixed cut, fp32", plain_.get(), ""},
                             {"dynamic, fp32", plain_.get(), "dynamic"},
                             {"dynamic, encodings", encoding_.get(), "dynamic"},
                             {"dynamic, encodings and exits", full_.get(), "dynamic"}};
    CLEAVE_ASSIGN_OR_RETURN(ways[3].policy, BestFixed());
    std::vector<Tally> tallies(ways.size());
    for (int pass = 0; pass < kPasses; ++pass) {
      for (std::size_t i = 0; i < ways.size(); ++i) {
        const std::size_t turn = pass % 2 == 0 ? i : ways.size() - 1 - i;
        CLEAVE_RETURN_IF_ERROR(MeasureBlock(ways[turn], pass, tallies[turn]));
      }
    }
    for (std::size_t i = 0; i < ways.size(); ++i) {
      results_.cells.push_back(std::move(tallies[i]).Conclude(ways[i].name, rate_bps));
      const Cell& cell = results_.cells.back();
      Say(absl::StrFormat("%-12s %-30s %8.1f ms  %5.1f%%  %s", FormatRate(rate_bps), cell.way,
                          cell.mean_us / 1e3, 100.0 * cell.right / cell.pictures,
                          FormatBytes(cell.bytes_up)));
    }
    return absl::OkStatus();
  }

  // One pass's share of the inferences of a way, its device awake all through: it probes the link
  // between them as it would anywhere.
  absl::Status MeasureBlock(const Way& way, int pass, Tally& tally) {
    way.worker->Wake();
    std::this_thread::sleep_for(std::chrono::microseconds(options_.settle_us));
    for (int i = 0; i < options_.warmup; ++i) {
      CLEAVE_RETURN_IF_ERROR(Infer(way, i).status());
    }
    for (int item = pass; item < options_.inferences; item += kPasses) {
      if (options_.cancel.cancelled()) return absl::CancelledError("stopped");
      CLEAVE_ASSIGN_OR_RETURN(const Sample sample, Infer(way, item));
      tally.Add(sample, options_.batch);
    }
    way.worker->Sleep();
    return absl::OkStatus();
  }

  // By a few inferences of each; the device's own is one of them.
  absl::StatusOr<std::string> BestFixed() {
    plain_->Wake();
    std::string best;
    double best_us = std::numeric_limits<double>::infinity();
    for (const int cut : plain_->info().candidates) {
      const Way way{"", plain_.get(), absl::StrCat("fixed:", cut)};
      double total_us = 0;
      for (int i = 0; i < kTries && total_us < best_us; ++i) {
        CLEAVE_ASSIGN_OR_RETURN(const Sample sample, Infer(way, i));
        total_us += sample.latency_us;
      }
      if (total_us >= best_us) continue;
      best_us = total_us;
      best = way.policy;
    }
    plain_->Sleep();
    return best;
  }

  std::vector<Agreement> Agreements() const {
    std::vector<Agreement> all;
    for (const std::string& name : Ways()) {
      Agreement one;
      one.way = name;
      double right = 0;
      for (const Cell& cell : results_.cells) {
        if (cell.way != name) continue;
        one.pictures += cell.pictures;
        right += static_cast<double>(cell.right);
        one.expected += cell.expected_accuracy * static_cast<double>(cell.pictures);
      }
      if (one.pictures == 0) continue;
      // At each rate the same pictures: they count once for the interval.
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
  std::unique_ptr<rig::Rig> rig_;
  std::unique_ptr<rig::Worker> plain_, encoding_, full_, jpeg_;
};

}  // namespace

std::vector<std::string> Ways() {
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
  std::error_code unused;
  if (!std::filesystem::is_directory(data, unused)) {
    return FieldError("data", absl::StrCat("'", data, "'"), "a folder of labelled pictures");
  }
  if (batch < 1) return FieldError("batch", batch, "at least 1");
  if (inferences < 1) return FieldError("inferences", inferences, "at least 1");
  if (settle_us < 0) return FieldError("settle_us", settle_us, "at least 0");
  if (warmup < 0) return FieldError("warmup", warmup, "at least 0");
  if (!(device_share > 0 && device_share <= 1)) {
    return FieldError("device_share", device_share, "more than 0, at most 1");
  }
  if (!(accuracy_drop >= 0 && accuracy_drop <= 1)) {
    return FieldError("accuracy_drop", accuracy_drop, "a share from 0 to 1");
  }
  return absl::OkStatus();
}

absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  Results results;
  results.command = command;
  results.batch = options.batch;
  results.device_share = options.device_share;
  results.accuracy_drop = options.accuracy_drop;
  results.encodings = options.encodings;
  CLEAVE_RETURN_IF_ERROR(Experiment(options, results).Run());
  return results;
}

}  // namespace cleave::experiments::elastic
