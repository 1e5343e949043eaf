// Estimator, probe planner and dynamic policy together, on a simulated link and an
// EfficientNet-B0-like table, in simulated time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "link/estimator.h"
#include "link/one_way.h"
#include "link/probe_planner.h"
#include "link/simulated_link.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "policy/predict.h"

namespace cleave {
namespace {

constexpr std::int64_t kClockOffsetUs = 123'456'789'012;

struct DepthAndBytes {
  double depth;
  double bytes;
};

PlanTable TableOf(double device_us, double edge_us, const std::vector<DepthAndBytes>& cuts) {
  PlanTable table;
  for (const DepthAndBytes& cut : cuts) {
    PlanCost cost;
    cost.plan.cut = static_cast<int>(table.plans.size());
    cost.head_us = device_us * cut.depth;
    if (cut.bytes > 0) {
      cost.bytes_up = cut.bytes + 300;
      cost.bytes_down = 4'300;
      cost.tail_us = edge_us * (1 - cut.depth);
    }
    table.plans.push_back(cost);
  }
  return table;
}

PlanTable EfficientNetLike() {
  return TableOf(200'000, 20'000,
                 {{0, 602'112},
                  {0.08, 200'704},
                  {0.2, 100'352},
                  {0.35, 62'720},
                  {0.6, 31'360},
                  {0.8, 15'680},
                  {0.93, 7'840},
                  {1, 0}});
}

// A faster device, for which nothing is worth sending below some 25 Mbit/s.
PlanTable FewCuts() {
  return TableOf(58'000, 13'000, {{0, 602'112}, {0.26, 125'400}, {0.33, 62'720}, {1, 0}});
}

struct Conditions {
  const char* name;
  SimulatedLink link;
  double stall_share = 0;
  bool throttled = false;
  bool few_cuts = false;
  // A probe that tells anything is larger than the burst, and a hundredth of 2 Mbit/s pays for one
  // of those in this time and no sooner.
  double SecondsUp() const { return link.burst_bytes > 0 ? link.burst_bytes / 900 : 2; }
};

// A device at work: one inference after the other, probes beside those that stay on it.
class SimulatedDevice {
 public:
  SimulatedDevice(const Conditions& conditions, unsigned seed)
      : link_(conditions.link),
        stall_share_(conditions.stall_share),
        throttled_(conditions.throttled),
        table_(conditions.few_cuts ? FewCuts() : EfficientNetLike()) {
    link_.random.seed(seed);
    SetRate(50e6);
    // As after connecting: small, then large.
    for (const double bytes : {64., 64., 16e3, 64e3}) {
      const TransferSample sample = link_.Send(bytes, 64, now_us_);
      Pass(sample.network_us);
      estimator_.AddSample(sample, now_us_);
    }
  }

  void SetRate(double bps) { link_.up_bps = link_.down_bps = bps; }

  struct Inference {
    bool right = false;  // Within 15% of the best possible at the true rate.
    double used_us = 0;
    double best_us = 0;
  };

  Inference Infer() {
    const Decision decision = policy_->Decide(table_, Observe(estimator_.Get(now_us_)));
    const PlanCost& cost = table_.plans[decision.index];
    const Observation truth = Observe(Truth());
    Inference inference;
    inference.best_us = policy_->Decide(table_, truth).predicted_us;
    inference.right = Predict(cost, truth).total_us() <= 1.15 * inference.best_us;
    const std::int64_t start_us = now_us_;
    cost.remote() ? RunRemotely(cost) : RunHere();
    inference.used_us = static_cast<double>(now_us_ - start_us);
    return inference;
  }

  std::int64_t now_us() const { return now_us_; }
  double probe_bytes() const { return probe_bytes_; }

 private:
  void Pass(double us) { now_us_ += std::llround(us); }

  static Observation Observe(const LinkEstimate& link) {
    Observation observation;
    observation.link = link;
    return observation;
  }

  LinkEstimate Truth() const {
    LinkEstimate link;
    link.rtt_us.mean = link_.rtt_us;
    link.up_us_per_byte.mean = 8e6 / link_.up_bps;
    link.down_us_per_byte.mean = 8e6 / link_.down_bps;
    return link;
  }

  // A device at work does not always get to its probe's answer in time.
  double StallUs(std::int64_t at_us) {
    std::uniform_real_distribution<double> uniform;
    if (throttled_) {  // As by a CPU quota that is enforced at the scheduler's ticks.
      constexpr std::int64_t kPeriodUs = 16'000;
      constexpr std::int64_t kRunUs = 4'000;
      const std::int64_t phase_us = at_us % kPeriodUs;
      return phase_us < kRunUs ? 0 : static_cast<double>(kPeriodUs - phase_us);
    }
    return uniform(link_.random) < stall_share_ ? 50'000 * uniform(link_.random) : 0;
  }

  void RunRemotely(const PlanCost& cost) {
    Pass(cost.head_us);
    planner_.OnTraffic(now_us_);
    const TransferSample sample = link_.Send(cost.bytes_up, cost.bytes_down, now_us_);
    Pass(sample.network_us + cost.tail_us);
    planner_.OnTraffic(now_us_);
    estimator_.AddSample(sample, now_us_);
  }

  void RunHere() {
    const std::int64_t end_us = now_us_ + std::llround(table_.plans.back().head_us);
    while (now_us_ < end_us) {
      if (const auto bytes = planner_.Due(estimator_.Get(now_us_), now_us_)) Probe(*bytes);
      now_us_ = std::min(end_us, std::max(now_us_, planner_.NextCheckUs(now_us_)));
    }
  }

  void Probe(std::int64_t bytes) {
    planner_.OnProbeSent(bytes, now_us_);
    probe_bytes_ += static_cast<double>(bytes + ProbeOptions().overhead_bytes);
    const auto up = static_cast<double>(bytes);
    TransferSample sample = link_.Send(up, std::min(up, 4'000.0), now_us_);
    ProbeTiming trip{up, now_us_, now_us_ + std::llround(link_.way_up_us) + kClockOffsetUs};
    sample.network_us += StallUs(now_us_ + std::llround(sample.network_us));
    Pass(sample.network_us);
    planner_.OnProbeSucceeded(now_us_);
    trip.round_trip_us = sample.network_us;
    sample = one_way_.SampleOf(trip, sample.bytes_down);
    const LinkEstimator::Verdict verdict = estimator_.AddProbe(sample, now_us_);
    if (verdict == LinkEstimator::Verdict::kRepeat) Probe(bytes);
    if (verdict != LinkEstimator::Verdict::kEnlarge) return;
    const std::optional<std::int64_t> larger = planner_.EnlargedBytes(bytes);
    larger ? Probe(*larger) : estimator_.AddSample(sample, now_us_);
  }

  SimulatedLink link_;
  double stall_share_ = 0;
  bool throttled_ = false;
  const PlanTable table_;
  LinkEstimator estimator_;
  ProbePlanner planner_;
  OneWayTimer one_way_;
  const std::unique_ptr<Policy> policy_ = MakeDynamicPolicy({});
  std::int64_t now_us_ = 1'000'000;
  double probe_bytes_ = 0;
};

SimulatedLink LinkOf(double rtt_us, double burst_bytes) {
  SimulatedLink link;
  link.rtt_us = rtt_us;
  link.noise = 0.05;
  link.burst_bytes = burst_bytes;
  return link;
}

const std::vector<Conditions>& AllConditions() {
  static const std::vector<Conditions> all = {
      {"long round trip", LinkOf(20'000, 0), 0},
      {"short round trip", LinkOf(500, 0), 0},
      {"bursts", LinkOf(500, 5'000), 0},
      {"busy device", LinkOf(500, 0), 0.15},
      {"bursts and busy device", LinkOf(500, 5'000), 0.15},
      {"throttled device", LinkOf(500, 3'200), 0, true},
      {"bursts and few cuts", LinkOf(500, 3'200), 0, false, true},
      {"throttled device and few cuts", LinkOf(500, 3'200), 0, true, true},
  };
  return all;
}

constexpr std::int64_t kSecond = 1'000'000;
constexpr unsigned kSeeds = 20;

struct Adaptation {
  int inferences = 0;  // Up to the first right one.
  std::int64_t us = 0;
};

Adaptation UntilRight(SimulatedDevice& device) {
  const std::int64_t start_us = device.now_us();
  Adaptation adaptation;
  for (bool right = false; !right && device.now_us() < start_us + 30 * kSecond;) {
    adaptation.us = device.now_us() - start_us;
    right = device.Infer().right;
    ++adaptation.inferences;
  }
  return adaptation;
}

double RunFor(SimulatedDevice& device, std::int64_t us) {
  const std::int64_t end_us = device.now_us() + us;
  double used_us = 0;
  double best_us = 0;
  while (device.now_us() < end_us) {
    const SimulatedDevice::Inference inference = device.Infer();
    used_us += inference.used_us;
    best_us += inference.best_us;
  }
  return used_us / best_us;
}

class ClosedLoopTest : public testing::TestWithParam<Conditions> {};

INSTANTIATE_TEST_SUITE_P(Links, ClosedLoopTest, testing::ValuesIn(AllConditions()),
                         [](const testing::TestParamInfo<Conditions>& each) {
                           std::string name = each.param.name;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

TEST_P(ClosedLoopTest, FindsTheRightCutWithinThreeInferencesOfAFall) {
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    SimulatedDevice device(GetParam(), seed);
    RunFor(device, 10 * kSecond);
    device.SetRate(2e6);
    EXPECT_LE(UntilRight(device).inferences, 3) << "seed " << seed;
  }
}

TEST_P(ClosedLoopTest, NoticesWithinTwoSecondsThatTheLinkIsGoodAgain) {
  std::vector<std::int64_t> times_us;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    SimulatedDevice device(GetParam(), seed);
    RunFor(device, 10 * kSecond);
    device.SetRate(2e6);
    RunFor(device, 20 * kSecond + seed * 137'000);
    device.SetRate(50e6);
    times_us.push_back(UntilRight(device).us);
  }
  std::sort(times_us.begin(), times_us.end());
  const double goal_us = 1e6 * GetParam().SecondsUp();
  EXPECT_LE(static_cast<double>(times_us[kSeeds / 2]), std::max(2e6, 0.7 * goal_us));
  EXPECT_LE(static_cast<double>(times_us[kSeeds * 9 / 10]), goal_us);
  EXPECT_LE(static_cast<double>(times_us.back()), 3 * goal_us);
}

TEST_P(ClosedLoopTest, ProbesCostAtMostAHundredthOfThePoorLink) {
  double sum = 0;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    SimulatedDevice device(GetParam(), seed);
    device.SetRate(2e6);
    RunFor(device, 5 * kSecond);
    const double before = device.probe_bytes();
    const std::int64_t start_us = device.now_us();
    RunFor(device, 60 * kSecond);
    const double seconds = static_cast<double>(device.now_us() - start_us) / 1e6;
    EXPECT_GT(device.probe_bytes(), before);
    const double share = (device.probe_bytes() - before) / (2e6 / 8 * seconds);
    EXPECT_LE(share, 0.018) << "in a single minute; seed " << seed;
    sum += share;
  }
  EXPECT_LE(sum / kSeeds, 0.01);
}

TEST_P(ClosedLoopTest, StaysNearTheOracleOnASteadyLink) {
  for (const double bps : {1e6, 2e6, 5e6, 10e6, 20e6, 50e6, 100e6, 300e6}) {
    SimulatedDevice device(GetParam(), 3);
    device.SetRate(bps);
    RunFor(device, 5 * kSecond);
    EXPECT_LT(RunFor(device, 60 * kSecond), 1.05) << bps;
  }
}

}  // namespace
}  // namespace cleave
