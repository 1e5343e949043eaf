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
#include "core/status_macros.h"
#include "core/units.h"
#include "experiments/rig/contest.h"
#include "model/graph.h"
#include "profile/accuracy_table.h"

namespace cleave::experiments::elastic {
namespace {

using rig::Contender;
using rig::Rig;
using rig::Sample;
using rig::Worker;
using rig::WorkerOptions;

constexpr int kTries = 3;  // Each fixed cut is tried so often before the best one is measured.

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
    CLEAVE_ASSIGN_OR_RETURN(std::vector<Cell> cells,
                            rig::RunContest(contenders, rate_bps,
                                            {.inferences = options_.inferences,
                                             .batch = options_.batch,
                                             .settle_us = options_.settle_us,
                                             .warmup = options_.warmup,
                                             .cancel = options_.cancel}));
    for (Cell& cell : cells) {
      Say(absl::StrFormat("%-12s %-30s %8.1f ms  %5.1f%%  %s", FormatRate(rate_bps), cell.policy,
                          cell.mean_us / 1e3, 100.0 * cell.right / cell.pictures,
                          FormatBytes(cell.bytes_up)));
      results_.cells.push_back(std::move(cell));
    }
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
        CLEAVE_ASSIGN_OR_RETURN(const Sample sample, rig::InferRested(contender, i));
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
  CLEAVE_RETURN_IF_ERROR(rig::CheckRates(rates_bps));
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
