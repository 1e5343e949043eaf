#include "experiments/sacd/contenders.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "policy/random.h"
#include "policy/splitee.h"

namespace cleave::experiments::sacd {
namespace {

std::string FixedSpec(const PlanTable& table, int row) {
  return absl::StrCat("fixed:", PlanText(table.plans[static_cast<std::size_t>(row)].plan));
}

Contender Named(const char* name, rig::Worker* worker, const std::string& spec) {
  return {.name = name, .worker = worker, .choose = [spec](double) { return spec; }};
}

// What a device knew at its last inference, as its answer tells it: what policies that choose here,
// not in the device, observe.
class Believed {
 public:
  Believed(const world::SimulatedEnvironment& environment, double deadline_us) {
    observation_.batch = environment.table().batch;
    observation_.deadline_us = deadline_us;
    observation_.link.known = true;
    observation_.link.rtt_us.mean = environment.options().world.link.rtt_us;
    SetRate(kFirstBps);
  }

  void Learn(const rig::Sample& sample) {
    if (sample.link_up_bps > 0) SetRate(sample.link_up_bps);
    observation_.link.rtt_us.mean = sample.rtt_us;
    observation_.device_slowdown.mean = sample.device_slowdown;
    observation_.edge_slowdown.mean = sample.edge_slowdown;
  }

  const Observation& observation() const { return observation_; }

 private:
  static constexpr double kFirstBps = 10e6;

  void SetRate(double bps) {
    observation_.link.up_us_per_byte.mean = 8e6 / bps;
    observation_.link.down_us_per_byte.mean = 8e6 / bps;
  }

  Observation observation_;
};

Contender Random(const world::SimulatedEnvironment& environment, rig::Worker* worker,
                 const RealOptions& options) {
  const std::shared_ptr<Policy> policy =
      MakeRandomPolicy(environment.plans(), environment.options().constraints, options.seed);
  const auto believed = std::make_shared<Believed>(environment, options.deadline_us);
  return {.name = kRandom,
          .worker = worker,
          .choose =
              [&environment, policy, believed](double) {
                const PlanTable& table = environment.table();
                return FixedSpec(table, policy->Decide(table, believed->observation()).index);
              },
          .learn = [believed](const rig::Sample& sample) { believed->Learn(sample); }};
}

Contender SplitEeContender(const world::SimulatedEnvironment& environment, rig::Worker* worker,
                           const RealOptions& options) {
  struct State {
    SplitEe policy;
    Believed believed;
    double predicted_us = 0;
  };
  const auto state = std::make_shared<State>(
      State{SplitEe(environment.plans(), environment.options().constraints, {}),
            Believed(environment, options.deadline_us)});
  const double deadline_us = options.deadline_us;
  return {
      .name = kSplitEe,
      .worker = worker,
      .choose =
          [&environment, state](double) {
            const PlanTable& table = environment.table();
            const Decision decision = state->policy.Choose(table, state->believed.observation());
            state->predicted_us = decision.predicted_us;
            return FixedSpec(table, decision.index);
          },
      .learn =
          [state, deadline_us](const rig::Sample& sample) {
            state->believed.Learn(sample);
            // What cannot be is not learned from, and the experiment goes on.
            state->policy
                .Learn({.taken = {.plan = {sample.exit, sample.cut, sample.encoding},
                                  .confidence = std::clamp(sample.confidence.value_or(0), 0.0, 1.0),
                                  .predicted_us = state->predicted_us,
                                  .latency_us = sample.latency_us},
                        .passed = {},
                        .deadline_us = deadline_us})
                .IgnoreError();
          }};
}

Contender Oracle(const world::SimulatedEnvironment& environment, rig::Worker* worker,
                 double deadline_us, Truth& truth) {
  return {.name = kOracle,
          .worker = worker,
          .choose = [&environment, &truth, deadline_us](double now_us) {
            return FixedSpec(environment.table(), truth.BestRow(now_us, deadline_us));
          }};
}

bool HasJpeg(const PlanTable& table) {
  return std::any_of(table.plans.begin(), table.plans.end(),
                     [](const PlanCost& cost) { return cost.plan.encoding == Encoding::kJpeg; });
}

}  // namespace

std::vector<Contender> MakeContenders(const world::SimulatedEnvironment& environment,
                                      const Workers& workers, const RealOptions& options,
                                      int best_fixed_row, Truth& truth) {
  std::vector<Contender> contenders = {Named(kDeviceOnly, workers.timed, "device"),
                                       Named(kEdgeOnly, workers.timed, "edge")};
  if (HasJpeg(environment.table())) {
    contenders.push_back(Named(kEdgeJpeg, workers.timed, "fixed:0/jpeg"));
  }
  contenders.push_back(
      Named(kBestFixed, workers.timed, FixedSpec(environment.table(), best_fixed_row)));
  contenders.push_back(Named(kDynamic, workers.untimed, "dynamic"));
  contenders.push_back(Named(kExact, workers.exact, "dynamic"));
  contenders.push_back(Named(kExactMeans, workers.exact, "dynamic:means"));
  contenders.push_back(Random(environment, workers.timed, options));
  contenders.push_back(SplitEeContender(environment, workers.timed, options));
  contenders.push_back(Oracle(environment, workers.timed, options.deadline_us, truth));
  for (std::size_t i = 0; i < options.learned.size(); ++i) {
    const LearnedPolicy& policy = options.learned[i];
    Contender contender = Named(policy.name.c_str(), workers.learned[i], policy.files.front());
    contender.files = {policy.files.front()};
    if (policy.name == kSacd && workers.hedged != nullptr) {
      Contender hedged = contender;
      hedged.name = kSacdHedged;
      hedged.worker = workers.hedged;
      contenders.push_back(std::move(hedged));
    }
    contenders.push_back(std::move(contender));
  }
  return contenders;
}

}  // namespace cleave::experiments::sacd
