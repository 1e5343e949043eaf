#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "core/clock.h"
#include "core/status_macros.h"
#include "experiments/dsc/scenarios.h"

namespace cleave::experiments::dsc {
namespace {

// Fast enough that the edge is worth using.
constexpr double kRateBps = 300e6;
constexpr int kUsesBeforeKill = 3;
constexpr int kRunsWhileDead = 3;
constexpr std::int64_t kRecoveryUs = 15'000'000;
constexpr double kSameOutput = 1e-3;  // Relative; device and edge may differ by rounding.

class KillRun {
 public:
  KillRun(rig::Rig& rig, const std::string& file, std::uint64_t seed, const CancelToken& cancel,
          KillResult& result)
      : rig_(rig), file_(file), random_(seed), cancel_(cancel), result_(result) {}

  absl::Status Run(int kills) {
    CLEAVE_RETURN_IF_ERROR(rig_.StartEdge({file_}));
    CLEAVE_RETURN_IF_ERROR(rig_.SetRate(kRateBps));
    CLEAVE_ASSIGN_OR_RETURN(worker_, rig_.StartWorker({.model = file_}));
    CLEAVE_RETURN_IF_ERROR(
        rig_.WarmEdgeProfile(result_.model, worker_->info().digest, /*exit=*/0, /*batch=*/1));
    start_us_ = Clock::Steady().NowUs();
    CLEAVE_RETURN_IF_ERROR(UntilUsed().status());
    for (int kill = 0; kill < kills; ++kill) {
      CLEAVE_RETURN_IF_ERROR(KillInTheMiddle());
      for (int i = 0; i < kRunsWhileDead; ++i) CLEAVE_RETURN_IF_ERROR(One().status());
      CLEAVE_RETURN_IF_ERROR(rig_.StartEdge({file_}));
      CLEAVE_ASSIGN_OR_RETURN(const bool recovered, UntilUsed());
      result_.recoveries += recovered;
    }
    return absl::OkStatus();
  }

 private:
  // Inferences until the edge has served some; false when it was not used in time.
  absl::StatusOr<bool> UntilUsed() {
    const std::int64_t until_us = Clock::Steady().NowUs() + kRecoveryUs;
    for (int used = 0; used < kUsesBeforeKill;) {
      CLEAVE_ASSIGN_OR_RETURN(const rig::Sample sample, One());
      used += sample.where != Where::kDevice;
      if (Clock::Steady().NowUs() > until_us) return false;
    }
    return true;
  }

  absl::StatusOr<rig::Sample> One() {
    if (cancel_.cancelled()) return absl::CancelledError("stopped");
    CLEAVE_RETURN_IF_ERROR(worker_->StartInfer("edge"));
    return Finish();
  }

  absl::Status KillInTheMiddle() {
    const auto longest_us = static_cast<std::int64_t>(last_latency_us_);
    std::uniform_int_distribution<std::int64_t> wait(0, std::max<std::int64_t>(1, longest_us));
    CLEAVE_RETURN_IF_ERROR(worker_->StartInfer("edge"));
    std::this_thread::sleep_for(std::chrono::microseconds(wait(random_)));
    rig_.KillEdge();
    result_.killed_at_us.push_back(static_cast<double>(Clock::Steady().NowUs() - start_us_));
    ++result_.kills;
    return Finish().status();
  }

  // An inference that failed, or gave other outputs than the device gives, is lost; a worker that
  // has gone ends the run.
  absl::StatusOr<rig::Sample> Finish() {
    ++result_.inferences;
    absl::StatusOr<rig::Sample> sample = worker_->FinishInfer();
    if (!sample.ok()) {
      ++result_.lost;
      return sample;
    }
    sample->start_us -= start_us_;
    result_.lost += sample->output_error.value_or(0) > kSameOutput;
    result_.fallbacks += !sample->fallback.empty();
    last_latency_us_ = sample->latency_us;
    result_.timeline.push_back(*sample);
    return sample;
  }

  rig::Rig& rig_;
  const std::string& file_;
  std::mt19937_64 random_;
  const CancelToken& cancel_;
  KillResult& result_;
  std::unique_ptr<rig::Worker> worker_;
  std::int64_t start_us_ = 0;
  double last_latency_us_ = 0;
};

}  // namespace

KillResult RunKills(rig::Rig& rig, const std::string& model_file, const std::string& model,
                    int kills, std::uint64_t seed, const CancelToken& cancel) {
  KillResult result{.model = model};
  const absl::Status status = KillRun(rig, model_file, seed, cancel, result).Run(kills);
  if (!status.ok()) result.problem = std::string(status.message());
  return result;
}

}  // namespace cleave::experiments::dsc
