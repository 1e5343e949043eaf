#include "experiments/stream/experiment.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/file.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "experiments/rig/contest.h"
#include "model/graph.h"
#include "profile/accuracy_table.h"

namespace cleave::experiments::stream {
namespace {

using rig::Forecast;
using rig::Rig;
using rig::StreamResult;
using rig::Worker;
using rig::WorkerOptions;

constexpr int kPasses = 2;
constexpr double kWarmupSeconds = 1;
// The passes begin so many pictures apart.
constexpr int kApart = 100;

struct Contender {
  std::string name;
  Kind kind = Kind::kOwn;
  std::string policy;
};

// What a contender has measured in its passes.
class Tally {
 public:
  void Add(const StreamResult& result) {
    per_s_.push_back(result.frames_per_s);
    latencies_us_.insert(latencies_us_.end(), result.latencies_us.begin(),
                         result.latencies_us.end());
    bytes_up_.push_back(result.bytes_up);
    accuracies_.push_back(result.expected_accuracy);
    up_bps_.push_back(result.believed_up_bps);
    cell_.frames += result.frames;
    cell_.fallbacks += result.fallbacks;
    for (const auto& [plan, count] : result.plans) cell_.plans[plan] += count;
  }

  Cell Conclude(const Contender& contender) && {
    cell_.name = contender.name;
    cell_.kind = contender.kind;
    cell_.frames_per_s = Mean(per_s_);
    cell_.least_per_s = *std::min_element(per_s_.begin(), per_s_.end());
    cell_.most_per_s = *std::max_element(per_s_.begin(), per_s_.end());
    cell_.p50_us = Quantile(latencies_us_, 0.5);
    cell_.p99_us = Quantile(latencies_us_, 0.99);
    cell_.bytes_up = Mean(bytes_up_);
    cell_.expected_accuracy = Mean(accuracies_);
    cell_.believed_up_bps = Mean(up_bps_);
    return std::move(cell_);
  }

 private:
  Cell cell_;
  std::vector<double> per_s_, latencies_us_, bytes_up_, accuracies_, up_bps_;
};

double SlowestStageUs(const Forecast& plan, double bytes_up, double rate_bps) {
  return std::max({plan.head_us + plan.encode_us, bytes_up * 8e6 / rate_bps, plan.tail_us});
}

double SlowestStageUs(const Forecast& plan, double rate_bps) {
  return SlowestStageUs(plan, plan.bytes_up, rate_bps);
}

std::string PolicyOf(const Forecast& plan) {
  return absl::StrCat("fixed:", plan.cut, "/", EncodingName(plan.encoding));
}

class Experiment {
 public:
  Experiment(const Options& options, Results& results) : options_(options), results_(results) {}

  absl::Status Run() {
    CLEAVE_ASSIGN_OR_RETURN(graph_, Graph::Load(options_.model));
    CLEAVE_ASSIGN_OR_RETURN(calibration_, AccuracyTable::Load(options_.model, graph_->digest()));
    for (const double share : options_.device_shares) {
      CLEAVE_RETURN_IF_ERROR(MeasureShare(share));
    }
    results_.complete = true;
    return WriteFileAtomically(options_.output, ToJson(results_));
  }

 private:
  bool ReachesBar(int cut, Encoding encoding) const {
    const AccuracyRow* row = calibration_->Find({graph_->exit_count() - 1, cut, encoding});
    return IsExact(encoding) ||
           (row != nullptr && calibration_->AccuracyOf(*row) >= options_.min_accuracy);
  }

  absl::Status MeasureShare(double share) {
    Options options = options_;
    options.device_share = share;
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Rig> rig,
                            rig::StartModelRig(options, *graph_, /*batch=*/1, results_));
    WorkerOptions worker;
    worker.model = options_.model;
    worker.data = options_.data;
    worker.labels.clear();
    worker.detections = true;
    worker.min_accuracy = options_.min_accuracy;
    worker.objective = Objective::kThroughput;
    worker.in_flight = options_.in_flight;
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Worker> device,
                            rig::StartModelWorker(*rig, std::move(worker)));
    for (const double rate_bps : options_.rates_bps) {
      CLEAVE_RETURN_IF_ERROR(rig->SetRate(rate_bps));
      CLEAVE_RETURN_IF_ERROR(MeasurePoint(*device, share, rate_bps));
    }
    return absl::OkStatus();
  }

  std::vector<Contender> FixedContenders() const {
    std::vector<Contender> contenders = {{"dynamic, throughput", Kind::kOwn, "dynamic"},
                                         {"device only", Kind::kLocal, "device"},
                                         {"the file itself", Kind::kPictures, "fixed:0/jpeg"},
                                         {"edge, fp32", Kind::kPictures, "fixed:0/fp32"}};
    for (const rig::PictureWay& way :
         rig::CoarsestPictures(*calibration_, graph_->exit_count() - 1, options_.min_accuracy)) {
      contenders.push_back({way.name, Kind::kPictures, way.policy});
    }
    return contenders;
  }

  // The plans at cuts that the device forecasts the most frames of, of each cut the best.
  std::vector<Forecast> BestCuts(const std::vector<Forecast>& forecasts, double rate_bps) const {
    std::map<int, Forecast> best;
    for (const Forecast& plan : forecasts) {
      if (plan.cut == 0 || plan.bytes_up <= 0 || !ReachesBar(plan.cut, plan.encoding)) continue;
      const auto [place, first] = best.emplace(plan.cut, plan);
      if (first) continue;
      const bool faster = SlowestStageUs(plan, rate_bps) < SlowestStageUs(place->second, rate_bps);
      if (faster) place->second = plan;
    }
    std::vector<Forecast> plans;
    for (const auto& [cut, plan] : best) plans.push_back(plan);
    std::sort(plans.begin(), plans.end(), [rate_bps](const Forecast& a, const Forecast& b) {
      return SlowestStageUs(a, rate_bps) < SlowestStageUs(b, rate_bps);
    });
    plans.resize(std::min(plans.size(), static_cast<std::size_t>(options_.fixed_cuts)));
    return plans;
  }

  absl::Status MeasurePoint(Worker& device, double share, double rate_bps) {
    // It learns the new rate first, by which its forecasts are.
    CLEAVE_RETURN_IF_ERROR(
        device.Stream({.policy = "fixed:0/jpeg", .seconds = kWarmupSeconds}).status());
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Forecast> forecasts, device.Explain());
    std::vector<Contender> contenders = FixedContenders();
    for (const Forecast& plan : BestCuts(forecasts, rate_bps)) {
      contenders.push_back({PolicyOf(plan), Kind::kCut, PolicyOf(plan)});
    }
    std::vector<Tally> tallies(contenders.size());
    for (int pass = 0; pass < kPasses; ++pass) {
      for (std::size_t i = 0; i < contenders.size(); ++i) {
        const std::size_t turn = pass % 2 == 0 ? i : contenders.size() - 1 - i;
        CLEAVE_ASSIGN_OR_RETURN(const StreamResult result, Measure(device, contenders[turn], pass));
        tallies[turn].Add(result);
      }
    }
    Point point{.device_share = share, .rate_bps = rate_bps};
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      point.cells.push_back(std::move(tallies[i]).Conclude(contenders[i]));
    }
    point.slowest_stage_us = SlowestOfMostUsed(point.own(), forecasts, rate_bps);
    if (options_.on_progress) {
      options_.on_progress(absl::StrFormat("share %g, %s: %.1f frames/s, %.2f of the best fixed",
                                           share, FormatRate(rate_bps), point.own().frames_per_s,
                                           point.RatioToBest()));
    }
    results_.points.push_back(std::move(point));
    return WriteFileAtomically(options_.output, ToJson(results_));
  }

  absl::StatusOr<StreamResult> Measure(Worker& device, const Contender& contender, int pass) const {
    if (options_.cancel.cancelled()) return absl::CancelledError("stopped");
    std::this_thread::sleep_for(std::chrono::microseconds(options_.settle_us));
    CLEAVE_RETURN_IF_ERROR(
        device.Stream({.policy = contender.policy, .seconds = kWarmupSeconds}).status());
    return device.Stream({.policy = contender.policy,
                          .seconds = options_.seconds / kPasses,
                          .first_item = std::int64_t{kApart} * pass});
  }

  static double SlowestOfMostUsed(const Cell& own, const std::vector<Forecast>& forecasts,
                                  double rate_bps) {
    const std::string most = rig::MostUsedPlan(own.plans);
    for (const Forecast& plan : forecasts) {
      const std::string name = absl::StrCat(plan.cut, "/", EncodingName(plan.encoding), "/");
      if (most.starts_with(name)) {
        return SlowestStageUs(plan, own.bytes_up, rate_bps);
      }
    }
    return 0;
  }

  const Options& options_;
  Results& results_;
  std::shared_ptr<const Graph> graph_;
  std::optional<AccuracyTable> calibration_;
};

}  // namespace

const Cell* Point::Best(const std::vector<Kind>& kinds) const {
  const Cell* best = nullptr;
  for (const Cell& cell : cells) {
    if (std::find(kinds.begin(), kinds.end(), cell.kind) == kinds.end()) continue;
    if (best == nullptr || cell.frames_per_s > best->frames_per_s) best = &cell;
  }
  return best;
}

double Point::RatioToBest() const {
  const Cell* best = Best({Kind::kLocal, Kind::kPictures, Kind::kCut});
  return best == nullptr ? 1 : own().frames_per_s / best->frames_per_s;
}

double Point::CutRatio() const {
  const Cell* rival = Best({Kind::kLocal, Kind::kPictures});
  const Cell* cut = Best({Kind::kCut});
  return rival == nullptr || cut == nullptr ? 0 : cut->frames_per_s / rival->frames_per_s;
}

double Point::StageRatio() const { return own().frames_per_s * slowest_stage_us / 1e6; }

absl::Status Options::Validate() const {
  CLEAVE_RETURN_IF_ERROR(GridOptions::Validate());
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("in_flight", in_flight, 1));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast("fixed_cuts", fixed_cuts, 0));
  return CheckAtLeast<double>("seconds", seconds, 0.1);
}

absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  Results results;
  results.command = command;
  results.min_accuracy = options.min_accuracy;
  results.in_flight = options.in_flight;
  CLEAVE_RETURN_IF_ERROR(Experiment(options, results).Run());
  return results;
}

}  // namespace cleave::experiments::stream
