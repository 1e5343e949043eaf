#include "experiments/latency/experiment.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "model/graph.h"
#include "profile/accuracy_table.h"

namespace cleave::experiments::latency {
namespace {

using rig::Contender;
using rig::Rig;
using rig::Worker;
using rig::WorkerOptions;

constexpr char kIntegers[] = "fp32,fp16,q8,q6,q5,q4,q3,q2";

class Experiment {
 public:
  Experiment(const Options& options, Results& results) : options_(options), results_(results) {}

  absl::Status Run() {
    CLEAVE_ASSIGN_OR_RETURN(graph_, Graph::Load(options_.model));
    CLEAVE_ASSIGN_OR_RETURN(calibration_, AccuracyTable::Load(options_.model, graph_->digest()));
    CLEAVE_RETURN_IF_ERROR(CheckCodecReachesBar());
    for (const double share : options_.device_shares) {
      CLEAVE_RETURN_IF_ERROR(MeasureShare(share));
    }
    results_.complete = true;
    return WriteFileAtomically(options_.output, ToJson(results_));
  }

 private:
  bool ReachesBar(const AccuracyRow& row) const {
    return row.plan.exit == graph_->exit_count() - 1 &&
           calibration_->AccuracyOf(row) >= options_.min_accuracy;
  }

  absl::Status CheckCodecReachesBar() const {
    for (const AccuracyRow& row : calibration_->rows()) {
      if (CodecRate(row.plan.encoding) && ReachesBar(row)) return absl::OkStatus();
    }
    return absl::FailedPreconditionError(
        absl::StrCat(options_.model, ": found no calibrated plan of t1 to t6 that reaches ",
                     options_.min_accuracy, ", expected one (cleave codec fit, cleave calibrate)"));
  }

  absl::StatusOr<std::unique_ptr<Worker>> StartWorker(Rig& rig,
                                                      const std::string& encodings) const {
    WorkerOptions worker;
    worker.model = options_.model;
    worker.data = options_.data;
    worker.labels.clear();
    worker.detections = true;
    worker.encodings = encodings;
    worker.min_accuracy = options_.min_accuracy;
    CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Worker> started,
                            rig::StartModelWorker(rig, std::move(worker)));
    started->Sleep();
    return started;
  }

  absl::Status MeasureShare(double share) {
    Options options = options_;
    options.device_share = share;
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Rig> rig,
                            rig::StartModelRig(options, *graph_, /*batch=*/1, results_));
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Worker> own, StartWorker(*rig, "all"));
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Worker> integers, StartWorker(*rig, kIntegers));
    std::vector<Contender> contenders = {{kOwn, own.get(), "dynamic"},
                                         {"device only", own.get(), "device"},
                                         {"dynamic, integers", integers.get(), "dynamic"},
                                         {"the file itself", own.get(), "fixed:0/jpeg"}};
    for (const rig::PictureWay& way :
         rig::CoarsestPictures(*calibration_, graph_->exit_count() - 1, options_.min_accuracy)) {
      contenders.push_back({way.name, own.get(), way.policy});
    }
    for (const double rate_bps : options_.rates_bps) {
      CLEAVE_RETURN_IF_ERROR(rig->SetRate(rate_bps));
      CLEAVE_RETURN_IF_ERROR(MeasurePoint(contenders, share, rate_bps));
    }
    return absl::OkStatus();
  }

  absl::Status MeasurePoint(const std::vector<Contender>& contenders, double share,
                            double rate_bps) {
    Point point;
    point.device_share = share;
    CLEAVE_ASSIGN_OR_RETURN(point.cells, rig::RunContest(contenders, rate_bps,
                                                         {.inferences = options_.inferences,
                                                          .settle_us = options_.settle_us,
                                                          .warmup = options_.warmup,
                                                          .cancel = options_.cancel}));
    if (options_.on_progress) {
      options_.on_progress(absl::StrFormat("share %g, %s: %.1f ms by %s, %.2f of %s", share,
                                           FormatRate(rate_bps), point.cells.front().mean_us / 1e3,
                                           rig::MostUsedPlan(point.cells.front().plans),
                                           point.Ratio(), point.BestRival()->policy));
    }
    results_.points.push_back(std::move(point));
    return WriteFileAtomically(options_.output, ToJson(results_));
  }

  const Options& options_;
  Results& results_;
  std::shared_ptr<const Graph> graph_;
  std::optional<AccuracyTable> calibration_;
};

}  // namespace

const rig::Cell* Point::BestRival() const {
  const rig::Cell* best = nullptr;
  for (const rig::Cell& cell : cells) {
    if (cell.policy != kOwn && (best == nullptr || cell.mean_us < best->mean_us)) best = &cell;
  }
  return best;
}

double Point::Ratio() const {
  const rig::Cell* rival = BestRival();
  return rival == nullptr ? 1 : cells.front().mean_us / rival->mean_us;
}

absl::Status Options::Validate() const {
  CLEAVE_RETURN_IF_ERROR(GridOptions::Validate());
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast("inferences", inferences, 1));
  return CheckAtLeast("warmup", warmup, 0);
}

absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  Results results;
  results.command = command;
  results.min_accuracy = options.min_accuracy;
  CLEAVE_RETURN_IF_ERROR(Experiment(options, results).Run());
  return results;
}

}  // namespace cleave::experiments::latency
