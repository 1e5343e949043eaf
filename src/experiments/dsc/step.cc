#include <algorithm>
#include <chrono>
#include <thread>

#include "core/clock.h"
#include "core/status_macros.h"
#include "experiments/dsc/point.h"
#include "experiments/dsc/scenarios.h"

namespace cleave::experiments::dsc {
namespace {

constexpr double kRightWithin = 0.05;
constexpr std::int64_t kHoldUs = 6'000'000;
constexpr int kLeastInferences = 6;  // A rate is held for so many, however long they take.

class StepRun {
 public:
  StepRun(rig::Rig& rig, rig::Worker& device, StepResult& result, const CancelToken& cancel)
      : rig_(rig), device_(device), result_(result), cancel_(cancel) {}

  absl::Status Run(const PointResult& high, const PointResult& low, int cycles) {
    device_.Wake();
    CLEAVE_RETURN_IF_ERROR(rig_.SetRate(high.rate_bps));
    CLEAVE_RETURN_IF_ERROR(device_.WaitForEdge(20'000'000));
    start_us_ = Clock::Steady().NowUs();
    CLEAVE_RETURN_IF_ERROR(Hold());
    for (int cycle = 0; cycle < cycles; ++cycle) {
      CLEAVE_RETURN_IF_ERROR(Change(low));
      CLEAVE_RETURN_IF_ERROR(Change(high));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Change(const PointResult& to) {
    CLEAVE_RETURN_IF_ERROR(rig_.SetRate(to.rate_bps));
    const std::int64_t changed_us = Clock::Steady().NowUs();
    const std::size_t first = result_.timeline.size();
    CLEAVE_RETURN_IF_ERROR(Hold());
    StepChange change{.t_us = static_cast<double>(changed_us - start_us_),
                      .rate_bps = to.rate_bps,
                      .right_cuts = RightCuts(to, kRightWithin)};
    for (std::size_t i = first; i < result_.timeline.size() && !change.settled; ++i) {
      const rig::Sample& sample = result_.timeline[i];
      change.settled = std::find(change.right_cuts.begin(), change.right_cuts.end(), sample.cut) !=
                       change.right_cuts.end();
      if (!change.settled) ++change.wrong_inferences;
      change.seconds = static_cast<double>(sample.start_us) / 1e6 - change.t_us / 1e6;
    }
    result_.changes.push_back(std::move(change));
    return absl::OkStatus();
  }

  absl::Status Hold() {
    const std::int64_t until_us = Clock::Steady().NowUs() + kHoldUs;
    for (int done = 0; done < kLeastInferences || Clock::Steady().NowUs() < until_us; ++done) {
      if (cancel_.cancelled()) return absl::CancelledError("stopped");
      CLEAVE_ASSIGN_OR_RETURN(rig::Sample sample, device_.Infer("dynamic"));
      sample.start_us -= start_us_;
      result_.timeline.push_back(std::move(sample));
    }
    return absl::OkStatus();
  }

  rig::Rig& rig_;
  rig::Worker& device_;
  StepResult& result_;
  const CancelToken& cancel_;
  std::int64_t start_us_ = 0;
};

}  // namespace

StepResult RunStep(rig::Rig& rig, rig::Worker& device, const PointResult& high,
                   const PointResult& low, int cycles, const CancelToken& cancel) {
  StepResult result{
      .model = high.model, .batch = high.batch, .high_bps = high.rate_bps, .low_bps = low.rate_bps};
  const absl::Status status = StepRun(rig, device, result, cancel).Run(high, low, cycles);
  if (!status.ok()) result.problem = std::string(status.message());
  return result;
}

}  // namespace cleave::experiments::dsc
