#ifndef CLEAVE_TESTS_POLICY_RANDOM_CASES_H_
#define CLEAVE_TESTS_POLICY_RANDOM_CASES_H_

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <vector>

#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"

namespace cleave::testing {

// Random tables, observations and limits as a device might have them; `Extreme` ones hold what no
// device should.
class Cases {
 public:
  explicit Cases(unsigned seed) : random_(seed) {}

  double Uniform(double low, double high) {
    return std::uniform_real_distribution<>(low, high)(random_);
  }
  int UpTo(int most) { return std::uniform_int_distribution<>(0, most)(random_); }
  bool Chance(double share) { return Uniform(0, 1) < share; }
  double LogUniform(double low, double high) {
    return std::exp(Uniform(std::log(low), std::log(high)));
  }

  // Two exits of `cuts` cuts, four encodings each; the last plan of each exit stays on the device.
  PlanTable Table(int cuts) {
    PlanTable table;
    table.best_accuracy = 0.9;
    for (int exit = 0; exit < 2; ++exit) {
      for (int cut = 0; cut < cuts; ++cut) {
        for (const Encoding encoding :
             {Encoding::kFp32, Encoding::kQ8, Encoding::kQ4, Encoding::kQ2}) {
          table.plans.push_back(RemotePlan({exit, cut, encoding}, cuts));
        }
      }
      table.plans.push_back(LocalPlan({exit, cuts, Encoding::kFp32}));
    }
    return table;
  }

  Observation Seen() {
    Observation seen;
    seen.link.rtt_us = Guess(LogUniform(300, 200e3));
    seen.link.up_us_per_byte = Guess(LogUniform(0.01, 20));
    seen.link.down_us_per_byte = Guess(LogUniform(0.01, 20));
    seen.link.age_us = static_cast<std::int64_t>(LogUniform(1, 1e7));
    seen.link.known = Chance(0.9);
    seen.link.up = Chance(0.9);
    if (Chance(0.7)) seen.link.tried_bytes = LogUniform(1, 1e6);
    seen.device_slowdown = Guess(LogUniform(0.8, 6));
    seen.edge_slowdown = Guess(LogUniform(0.8, 6));
    seen.edge_queue_us = Chance(0.5) ? 0 : LogUniform(100, 1e6);
    seen.edge_age_us = static_cast<std::int64_t>(LogUniform(1, 1e7));
    seen.edge_usable = Chance(0.9);
    if (Chance(0.8)) seen.deadline_us = LogUniform(5e3, 1e6);
    if (Chance(0.8)) seen.recent = Recent();
    return seen;
  }

  // An observation whose figures may be anything, NaN and infinity included.
  Observation ExtremeSeen() {
    Observation seen;
    for (Estimate* estimate :
         {&seen.link.rtt_us, &seen.link.up_us_per_byte, &seen.link.down_us_per_byte,
          &seen.device_slowdown, &seen.edge_slowdown}) {
      *estimate = {Anything(), Anything()};
    }
    for (double& covariance : seen.link.covariance) covariance = Anything();
    seen.link.age_us = AnyWhole();
    seen.link.tried_bytes = Anything();
    seen.link.up = Chance(0.5);
    seen.edge_queue_us = Anything();
    seen.edge_age_us = AnyWhole();
    seen.edge_usable = Chance(0.5);
    seen.batch = AnyWhole();
    if (Chance(0.7)) seen.deadline_us = Anything();
    seen.recent = {UpTo(40),   Anything(), Anything(),  Anything(),
                   Anything(), Anything(), Chance(0.5), Chance(0.5)};
    return seen;
  }

  Constraints Limits() {
    Constraints limits;
    limits.no_raw_input = Chance(0.3);
    if (Chance(0.3)) limits.max_device_us = LogUniform(1e3, 1e6);
    if (Chance(0.3)) limits.min_accuracy = Uniform(0.4, 1);
    if (Chance(0.3)) limits.accuracy_drop = Uniform(0, 0.3);
    return limits;
  }

 private:
  PlanCost RemotePlan(Plan plan, int cuts) {
    const double depth = static_cast<double>(plan.cut) / cuts;
    PlanCost cost;
    cost.plan = plan;
    cost.head_us = 1 + 40e3 * depth * (plan.exit + 1);
    cost.encode_us = Uniform(1, 500);
    cost.bytes_up = LogUniform(200, 600e3);
    cost.bytes_down = 4e3;
    cost.tail_us = 8e3 * (1 - depth) * (plan.exit + 1);
    if (Chance(0.5)) {
      cost.entropy_bytes_up = cost.bytes_up * Uniform(0.4, 1.1);
      cost.entropy_us = Uniform(1, 2e3);
    }
    cost.exact = plan.exit == 1 && IsExact(plan.encoding);
    cost.accuracy = cost.exact ? 0.9 : Uniform(0.4, 0.9);
    return cost;
  }

  PlanCost LocalPlan(Plan plan) {
    PlanCost cost;
    cost.plan = plan;
    cost.head_us = 40e3 * (plan.exit + 1);
    cost.exact = plan.exit == 1;
    cost.accuracy = cost.exact ? 0.9 : 0.7;
    return cost;
  }

  Estimate Guess(double mean) { return {mean, mean * Uniform(0, 0.5)}; }

  RecentRuns Recent() {
    RunHistory history;
    for (int i = 1 + UpTo(40); i > 0; --i) {
      const double predicted_us = LogUniform(1e3, 1e5);
      history.Add({.predicted_us = predicted_us,
                   .latency_us = predicted_us * LogUniform(0.5, 3),
                   .missed = Chance(0.2),
                   .remote = Chance(0.5)});
    }
    return history.Get();
  }

  double Anything() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const std::array<double, 12> values = {0,         -0.0,   1,          -1,
                                           kInfinity, -1e30,  -kInfinity, std::nan(""),
                                           1e300,     1e-300, -1e-300,    LogUniform(1e-3, 1e9)};
    return values[UpTo(static_cast<int>(values.size()) - 1)];
  }

  std::int64_t AnyWhole() {
    using Limits64 = std::numeric_limits<std::int64_t>;
    const std::array<std::int64_t, 5> values = {0, 1, -1, Limits64::min(), Limits64::max()};
    return values[UpTo(static_cast<int>(values.size()) - 1)];
  }

  std::mt19937 random_;
};

inline std::vector<Plan> PlansOf(const PlanTable& table) {
  std::vector<Plan> plans;
  for (const PlanCost& cost : table.plans) plans.push_back(cost.plan);
  return plans;
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_POLICY_RANDOM_CASES_H_
