#include "experiments/rig/contest.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "experiments/dsc/results.h"

namespace cleave::experiments::rig {
namespace {

// The devices share a quota. After a pause of several of its periods an inference finds it unused,
// whatever ran before.
constexpr std::chrono::milliseconds kPause{100};
constexpr int kPasses = 2;

// What one contender has measured so far.
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

// One pass's share of a contender's inferences. Its device is awake all through: it probes the link
// between them as it would anywhere.
absl::Status MeasureBlock(const Contender& contender, int pass, const ContestOptions& options,
                          Tally& tally) {
  contender.worker->Wake();
  std::this_thread::sleep_for(std::chrono::microseconds(options.settle_us));
  for (int i = 0; i < options.warmup; ++i) {
    CLEAVE_RETURN_IF_ERROR(InferRested(contender, i).status());
  }
  for (int item = pass; item < options.inferences; item += kPasses) {
    if (options.cancel.cancelled()) return absl::CancelledError("stopped");
    CLEAVE_ASSIGN_OR_RETURN(const Sample sample, InferRested(contender, item));
    tally.Add(sample, options.batch);
  }
  contender.worker->Sleep();
  return absl::OkStatus();
}

}  // namespace

std::string MostUsedPlan(const std::map<std::string, int>& plans) {
  const auto most = std::max_element(
      plans.begin(), plans.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == plans.end() ? "-" : most->first;
}

absl::StatusOr<Sample> InferRested(const Contender& contender, std::int64_t item) {
  std::this_thread::sleep_for(kPause);
  return contender.worker->Infer(contender.policy, item);
}

absl::StatusOr<std::vector<Cell>> RunContest(const std::vector<Contender>& contenders,
                                             double rate_bps, const ContestOptions& options) {
  std::vector<Tally> tallies(contenders.size());
  for (int pass = 0; pass < kPasses; ++pass) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const std::size_t turn = pass % 2 == 0 ? i : contenders.size() - 1 - i;
      CLEAVE_RETURN_IF_ERROR(MeasureBlock(contenders[turn], pass, options, tallies[turn]));
    }
  }
  std::vector<Cell> cells;
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    cells.push_back(std::move(tallies[i]).Conclude(contenders[i].name, rate_bps));
  }
  return cells;
}

}  // namespace cleave::experiments::rig
