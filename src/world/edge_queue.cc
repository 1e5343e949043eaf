#include "world/edge_queue.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/status_macros.h"

namespace cleave::world {
namespace {

constexpr std::uint64_t kArrivals = 5;
constexpr std::uint64_t kServices = 6;
constexpr double kUsPerMs = 1e3;
// The queue has been fed for so many mean gaps when an episode begins.
constexpr double kWarmUpArrivals = 500;
// As in src/edge/admission.cc: of a request that takes longer than expected.
constexpr double kOverrunShare = 0.1;

}  // namespace

absl::Status EdgeQueueOptions::Validate() const {
  if (kind == QueueKind::kRecorded && recorded.empty()) {
    return FieldError("queue.recorded", "none", "at least one");
  }
  for (const WaitStep& step : recorded) {
    CLEAVE_RETURN_IF_ERROR(
        CheckRange<double>("queue.recorded duration_ms", step.duration_ms, 1, 1e9));
    CLEAVE_RETURN_IF_ERROR(CheckRange<double>("queue.recorded wait_us", step.wait_us, 0, 1e9));
  }
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("queue.arrivals_per_s", arrivals_per_s, 1e-3, 1e5));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("queue.service_ms", service_ms, 1e-3, 1e6));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("queue.service_cv", service_cv, 0, 5));
  if (kind != QueueKind::kOthers) return absl::OkStatus();
  return CheckRange<double>("queue.arrivals_per_s * service_ms / 1000", load(), 0, 0.95);
}

EdgeQueue::EdgeQueue(const EdgeQueueOptions& options, std::uint64_t seed)
    : options_(options), arrivals_(seed, kArrivals), services_(seed, kServices) {
  for (const WaitStep& step : options_.recorded) recorded_us_ += step.duration_ms * kUsPerMs;
  beginning_us_ = recorded_us_ * arrivals_.Uniform(0);
}

double EdgeQueue::DrawServiceUs(std::int64_t index) const {
  const double mean_us = options_.service_ms * kUsPerMs;
  const double cv = options_.service_cv;
  if (cv == 0) return mean_us;
  if (cv == 1) return mean_us * services_.Exponential(index);
  const double variance = std::log(1 + cv * cv);
  return mean_us * std::exp(std::sqrt(variance) * services_.Normal(index) - variance / 2);
}

void EdgeQueue::ExtendTo(double t_us) {
  const double gap_us = 1e6 / options_.arrivals_per_s;
  while (jobs_.empty() || jobs_.back().arrival_us <= t_us) {
    const auto index = static_cast<std::int64_t>(jobs_.size());
    const double before_us = jobs_.empty() ? -kWarmUpArrivals * gap_us : jobs_.back().arrival_us;
    Job job;
    job.arrival_us = before_us + gap_us * arrivals_.Exponential(index + 1);
    job.start_us = jobs_.empty() ? job.arrival_us : std::max(job.arrival_us, jobs_.back().end_us);
    job.end_us = job.start_us + DrawServiceUs(index);
    jobs_.push_back(job);
  }
}

double EdgeQueue::RecordedUs(double t_us) const {
  double at_us = std::fmod(beginning_us_ + t_us, recorded_us_);
  for (const WaitStep& step : options_.recorded) {
    at_us -= step.duration_ms * kUsPerMs;
    if (at_us < 0) return step.wait_us;
  }
  return options_.recorded.back().wait_us;
}

double EdgeQueue::WaitUs(double t_us) {
  if (options_.kind == QueueKind::kEmpty) return 0;
  if (options_.kind == QueueKind::kRecorded) return RecordedUs(t_us);
  ExtendTo(t_us);
  const auto later = std::upper_bound(jobs_.begin(), jobs_.end(), t_us,
                                      [](double t, const Job& job) { return t < job.arrival_us; });
  return later == jobs_.begin() ? 0 : std::max(0.0, (later - 1)->end_us - t_us);
}

double EdgeQueue::ReportedUs(double t_us) {
  if (options_.kind != QueueKind::kOthers) return WaitUs(t_us);
  ExtendTo(t_us);
  const double mean_us = options_.service_ms * kUsPerMs;
  auto job = std::upper_bound(jobs_.begin(), jobs_.end(), t_us,
                              [](double t, const Job& each) { return t < each.end_us; });
  double wait_us = 0;
  for (; job != jobs_.end() && job->arrival_us <= t_us; ++job) {
    const double ran_us = std::max(0.0, t_us - job->start_us);
    wait_us += std::max(mean_us - ran_us, kOverrunShare * mean_us);
  }
  return wait_us;
}

}  // namespace cleave::world
