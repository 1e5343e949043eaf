#include "experiments/dsc/point.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "emulate/shaper.h"

namespace cleave::experiments::dsc {
namespace {

// Cuts this much slower than the best are measured once: more would not make them the best.
constexpr double kHopeless = 2;
constexpr std::size_t kFinalists = 3;
// A point where every cut is slow still has its best ones measured, up to this.
constexpr double kFinalistLimit = 4;
// A device that has just come awake may have to notice that the link has changed.
constexpr std::chrono::milliseconds kSettle{2000};
// A quota that was not used for a period lets the next run begin at full speed for a moment; so
// that it does so for every inference alike, each comes after a pause of several periods.
constexpr std::chrono::milliseconds kPause{20};

// The turns go on until the regret is known this well.
constexpr double kSureRegret = 0.02;

// Standard error of the mean in units of it.
double SpreadOfMean(const std::vector<double>& values) {
  if (values.size() < 2) return INFINITY;
  return StandardError(values) / Mean(values);
}

std::string PolicyOf(int cut) { return absl::StrCat("fixed:", cut); }

rig::Phases Mean(const std::vector<rig::Phases>& all) {
  rig::Phases mean;
  const auto n = static_cast<double>(std::max<std::size_t>(1, all.size()));
  for (const rig::Phases& each : all) {
    mean.decide_us += each.decide_us / n;
    mean.prepare_us += each.prepare_us / n;
    mean.head_us += each.head_us / n;
    mean.encode_us += each.encode_us / n;
    mean.uplink_us += each.uplink_us / n;
    mean.queue_us += each.queue_us / n;
    mean.tail_us += each.tail_us / n;
    mean.downlink_us += each.downlink_us / n;
  }
  return mean;
}

class PointRun {
 public:
  PointRun(const PointDevices& devices, const PointLimits& limits, PointResult& point)
      : devices_(devices), limits_(limits), point_(point), start_us_(Clock::Steady().NowUs()) {}

  absl::Status Run() {
    devices_.dynamic.Sleep();
    devices_.fixed.Wake();
    absl::Status status = BruteForce();
    if (status.ok()) status = Turns();
    devices_.fixed.Sleep();
    devices_.dynamic.Sleep();
    Conclude();
    return status;
  }

 private:
  bool OutOfTime() const { return Clock::Steady().NowUs() - start_us_ > limits_.budget_us; }

  absl::Status CheckCancelled() const {
    return limits_.cancel.cancelled() ? absl::CancelledError("stopped") : absl::OkStatus();
  }

  absl::Status BruteForce() {
    // Runs once on the device alone, so that its forecast knows how fast it is now.
    CLEAVE_RETURN_IF_ERROR(devices_.fixed.WaitForEdge(20'000'000));
    CLEAVE_RETURN_IF_ERROR(devices_.fixed.Infer("device").status());
    CLEAVE_RETURN_IF_ERROR(Predict());
    CLEAVE_RETURN_IF_ERROR(WarmLink());
    for (int round = 0; round < limits_.repeats; ++round) {
      if (round > 0 && OutOfTime()) break;
      for (const std::size_t index : Round(round)) {
        CLEAVE_RETURN_IF_ERROR(CheckCancelled());
        CLEAVE_RETURN_IF_ERROR(MeasureCut(point_.cuts[index]));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Predict() {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<rig::Forecast> forecasts, devices_.fixed.Explain());
    for (const rig::Forecast& forecast : rig::OfEncoding(std::move(forecasts), Encoding::kFp32)) {
      point_.cuts.push_back({.cut = forecast.cut,
                             .tensors = forecast.tensors,
                             .bytes_up = forecast.bytes_up,
                             .predicted_us = PredictUs(forecast, point_.rate_bps)});
    }
    return absl::OkStatus();
  }

  // The first transfer after a change of the rate pays for what the connection had got used to.
  absl::Status WarmLink() {
    const CutResult* lightest = nullptr;
    for (const CutResult& cut : point_.cuts) {
      const bool remote = cut.bytes_up > 0;
      if (remote && (lightest == nullptr || cut.bytes_up < lightest->bytes_up)) lightest = &cut;
    }
    if (lightest == nullptr) return absl::OkStatus();
    CLEAVE_RETURN_IF_ERROR(devices_.fixed.Infer(PolicyOf(lightest->cut)).status());
    return devices_.fixed.WaitForEdge(20'000'000);
  }

  std::vector<std::size_t> ByTime() const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < point_.cuts.size(); ++i) order.push_back(i);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return point_.cuts[a].TimeUs() < point_.cuts[b].TimeUs();
    });
    return order;
  }

  // The cuts that this round measures, the promising first; each round starts at another one.
  std::vector<std::size_t> Round(int round) const {
    std::vector<std::size_t> chosen;
    const std::vector<std::size_t> order = ByTime();
    const double best_us = point_.cuts[order.front()].TimeUs();
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      const CutResult& cut = point_.cuts[order[rank]];
      const double limit_us =
          limits_.predict_only_above_us * (rank < kFinalists ? kFinalistLimit : 1);
      const bool wanted = round == 0 ? cut.predicted_us <= limit_us
                                     : cut.measured && std::min(cut.TimeUs(), cut.predicted_us) <=
                                                           kHopeless * best_us;
      if (wanted) chosen.push_back(order[rank]);
    }
    if (!chosen.empty()) {
      std::rotate(chosen.begin(), chosen.begin() + round % chosen.size(), chosen.end());
    }
    return chosen;
  }

  absl::Status MeasureCut(CutResult& cut) {
    std::this_thread::sleep_for(kPause);
    CLEAVE_ASSIGN_OR_RETURN(const rig::Sample sample, devices_.fixed.Infer(PolicyOf(cut.cut)));
    // What ended on the device for want of an answer says nothing about this cut.
    if (!sample.fallback.empty()) {
      ++cut.fallbacks;
      point_.problem = absl::StrCat("cut ", cut.cut, " fell back: ", sample.fallback);
      return devices_.fixed.WaitForEdge(20'000'000);
    }
    times_us_[cut.cut].push_back(sample.latency_us);
    phases_[cut.cut].push_back(sample.phases);
    cut.latency = Summarize(times_us_[cut.cut]);
    cut.measured = true;
    return absl::OkStatus();
  }

  std::vector<std::size_t> Finalists() const {
    std::vector<std::size_t> finalists;
    for (const std::size_t index : ByTime()) {
      if (point_.cuts[index].measured && finalists.size() < kFinalists) finalists.push_back(index);
    }
    return finalists;
  }

  absl::Status Turns() {
    devices_.fixed.Sleep();
    devices_.dynamic.Wake();
    std::this_thread::sleep_for(kSettle);
    for (int i = 0; i < limits_.warmup; ++i) {
      CLEAVE_RETURN_IF_ERROR(CheckCancelled());
      std::this_thread::sleep_for(kPause);
      CLEAVE_RETURN_IF_ERROR(devices_.dynamic.Infer("dynamic").status());
    }
    point_.dynamic.warmup = limits_.warmup;
    devices_.dynamic.Sleep();
    const std::vector<std::size_t> finalists = Finalists();
    std::map<std::size_t, std::vector<double>> finals_us;
    for (int block = 0; block < limits_.most_final_repeats; ++block) {
      if (block > 1 && OutOfTime()) break;
      if (block >= limits_.final_repeats && SpreadOfRegret(finals_us) <= kSureRegret) break;
      for (std::size_t i = 0; i < finalists.size(); ++i) {
        CLEAVE_RETURN_IF_ERROR(CheckCancelled());
        const std::size_t index = finalists[(i + block) % finalists.size()];
        CLEAVE_RETURN_IF_ERROR(TurnOfDynamic());
        CLEAVE_ASSIGN_OR_RETURN(const rig::Sample sample,
                                Turn(devices_.fixed, PolicyOf(point_.cuts[index].cut)));
        if (sample.fallback.empty()) finals_us[index].push_back(sample.latency_us);
        point_.cuts[index].final_latency = Summarize(finals_us[index]);
      }
    }
    return absl::OkStatus();
  }

  // Standard error of the regret, relative, as far as the turns so far tell it.
  double SpreadOfRegret(const std::map<std::size_t, std::vector<double>>& finals_us) const {
    std::vector<double> dynamic_us;
    for (const rig::Sample& sample : point_.dynamic.samples)
      dynamic_us.push_back(sample.latency_us);
    const std::vector<double>* best_us = nullptr;
    for (const auto& [index, times_us] : finals_us) {
      if (times_us.empty()) continue;
      if (best_us == nullptr || Median(times_us) < Median(*best_us)) best_us = &times_us;
    }
    if (best_us == nullptr) return INFINITY;
    return std::hypot(SpreadOfMean(dynamic_us), SpreadOfMean(*best_us));
  }

  static absl::StatusOr<rig::Sample> Turn(rig::Worker& worker, const std::string& policy) {
    worker.Wake();
    std::this_thread::sleep_for(kPause);
    absl::StatusOr<rig::Sample> sample = worker.Infer(policy);
    worker.Sleep();
    return sample;
  }

  absl::Status TurnOfDynamic() {
    absl::StatusOr<rig::Sample> sample = Turn(devices_.dynamic, "dynamic");
    if (!sample.ok()) return sample.status();
    point_.dynamic.samples.push_back(*std::move(sample));
    return absl::OkStatus();
  }

  void Conclude() {
    std::vector<double> latencies_us;
    std::vector<double> errors;
    for (rig::Sample& sample : point_.dynamic.samples) {
      sample.start_us -= start_us_;
      latencies_us.push_back(sample.latency_us);
      errors.push_back(std::abs(sample.predicted_us - sample.latency_us) / sample.latency_us);
    }
    point_.dynamic.latency = Summarize(std::move(latencies_us));
    point_.dynamic.error_median = Median(std::move(errors));
    for (CutResult& cut : point_.cuts) cut.phases = Mean(phases_[cut.cut]);
    ChooseBest();
    point_.seconds = static_cast<double>(Clock::Steady().NowUs() - start_us_) / 1e6;
  }

  // Among the finalists by all that was measured of them; its time for the comparison comes from
  // the turns alone, since having been picked makes the earlier runs look better than they are.
  void ChooseBest() {
    const CutResult* best = nullptr;
    double best_us = INFINITY;
    for (const CutResult& cut : point_.cuts) {
      const bool final = cut.final_latency.n > 0;
      if (final) {
        const double both_us = cut.AllTimeUs();
        if (best == nullptr || best->final_latency.n == 0 || both_us < best_us) {
          best = &cut;
          best_us = both_us;
        }
      } else if ((best == nullptr || best->final_latency.n == 0) && cut.TimeUs() < best_us) {
        best = &cut;
        best_us = cut.TimeUs();
      }
    }
    if (best == nullptr) return;
    point_.best_cut = best->cut;
    point_.best_us = best->final_latency.n > 0 ? best->final_latency.mean_us : best->TimeUs();
    if (best->final_latency.n > 0 && point_.dynamic.latency.n > 0) {
      point_.regret = point_.dynamic.latency.mean_us / point_.best_us;
      point_.regret_of_medians = point_.dynamic.latency.median_us / best->final_latency.median_us;
    }
  }

  const PointDevices devices_;
  const PointLimits& limits_;
  PointResult& point_;
  const std::int64_t start_us_;
  std::map<int, std::vector<double>> times_us_;
  std::map<int, std::vector<rig::Phases>> phases_;
};

}  // namespace

double PredictUs(const rig::Forecast& forecast, double rate_bps) {
  const double bytes =
      static_cast<double>(emulate::WireBytes(static_cast<std::int64_t>(forecast.bytes_up)));
  const double uplink_us = forecast.bytes_up > 0 ? bytes * 8e6 / rate_bps : 0;
  return forecast.head_us + forecast.encode_us + uplink_us + forecast.queue_us + forecast.tail_us;
}

absl::Status MeasurePoint(const PointDevices& devices, const PointLimits& limits,
                          PointResult& point) {
  return PointRun(devices, limits, point).Run();
}

std::vector<int> RightCuts(const PointResult& point, double tolerance) {
  double best_us = INFINITY;
  for (const CutResult& cut : point.cuts) best_us = std::min(best_us, cut.AllTimeUs());
  std::vector<int> right;
  for (const CutResult& cut : point.cuts) {
    if (cut.AllTimeUs() <= (1 + tolerance) * best_us) right.push_back(cut.cut);
  }
  return right;
}

}  // namespace cleave::experiments::dsc
