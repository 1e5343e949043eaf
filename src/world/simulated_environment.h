#ifndef CLEAVE_WORLD_SIMULATED_ENVIRONMENT_H_
#define CLEAVE_WORLD_SIMULATED_ENVIRONMENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/plan.h"
#include "policy/constraints.h"
#include "policy/environment.h"
#include "policy/features.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "policy/reward.h"
#include "profile/slowdown.h"
#include "world/chance.h"
#include "world/plan_run.h"
#include "world/simulated_edge.h"

namespace cleave::world {

struct EnvironmentOptions {
  int inferences = 256;  // The length of an episode.
  // From one inference's begin to the next one's; 0, or an inference that takes longer: right after
  // the other, with the pause between them.
  double interval_us = 100'000;
  double pause_us = 0;
  // The deadline of all inferences of an episode is drawn for it from this range, uniformly in the
  // logarithm.
  double deadline_low_us = 50'000;
  double deadline_high_us = 50'000;
  // The device is told the deadline; else it only counts in the reward.
  bool deadline_known = true;
  std::int64_t remote_timeout_us = 10'000'000;  // As DeviceOptions'.
  Constraints constraints;                      // What makes a plan valid.
  RewardOptions reward;
  WorldOptions world;

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// Returns the rows of the table that an agent chooses among: those that no other row dominates (one
// with no lower accuracy and nothing larger among head and encoding together, bytes up, bytes down
// and tail; of equals the first stays), and besides, for each exit, the one on the device, and at
// cut 0 of the last exit those in full precision and as the picture's own file. Ascending.
std::vector<int> ChoosableRows(const PlanTable& table);

// The environment that policies learn in (docs/environment.md): the product's plan table, policies'
// observation, estimator, probing and timeouts, in a simulated world and in simulated time. Equal
// seeds give the same course of link, machines and queue, whatever is done. Thread-compatible.
class SimulatedEnvironment final : public Environment {
 public:
  // `table` is as MakePlanTable makes it for a device. InvalidArgument for the options, or a table
  // with a row whose accuracy is not known, since the reward needs it.
  static absl::StatusOr<std::unique_ptr<SimulatedEnvironment>> Create(
      std::shared_ptr<const PlanTable> table, std::string model_digest, EnvironmentOptions options);

  // Makes another world for the same table, model and plans. Its errors are those of Create.
  absl::StatusOr<std::unique_ptr<SimulatedEnvironment>> With(EnvironmentOptions options) const;

  const std::vector<Plan>& plans() const override { return plans_; }
  std::string model_digest() const override { return model_digest_; }
  absl::Status Reset(std::uint64_t seed) override;
  const Features& Now() const override { return features_; }
  // Returns the reward of one who knows the course of link, machines and queue, but only the
  // distribution of the jitter of single runs.
  double OracleReward() const override { return OracleChoice().reward; }
  double RandomReward() const override;
  // Runs the plan as a device runs what its learned policy says: the guard may have the exact
  // search decide (src/policy/guard.h).
  absl::StatusOr<StepResult> Step(int action) override;
  std::vector<StepResult> Alternatives() const override;

  // This is for experiments, whose rivals choose among all rows of the table.
  const PlanTable& table() const { return *table_; }
  // Returns where plans() stand in the table.
  const std::vector<int>& rows() const { return rows_; }
  const Observation& observation() const { return observation_; }
  const EnvironmentOptions& options() const { return options_; }
  double deadline_us() const { return deadline_us_; }
  double now_us() const { return now_us_; }  // Since the episode began.
  int inference() const { return inference_; }

  // What only an oracle knows.
  struct Truth {
    double up_bps = 0;  // Mean over the next `window_us`.
    double down_bps = 0;
    double rtt_us = 0;  // Median.
    double device_slowdown = 1;
    double edge_slowdown = 1;
    double queue_us = 0;
  };
  Truth TruthNow(double window_us = 100'000) const;

  // A row of the table, sent compressed or not.
  struct RowChoice {
    int row = 0;  // 0 <= row < table().plans.size()
    bool entropy = false;
  };

  // What became, or would become, of one inference.
  struct Result {
    Plan plan;  // As chosen.
    Where where = Where::kDevice;
    Outcome outcome;  // Accuracy is that of the answer: after a fallback its exit's on the device.
    double reward = 0;
    double predicted_us = 0;  // By the device, before.
    double bytes_up = 0;      // Sent, whether answered or not.
    double bytes_down = 0;
    bool entropy = false;
    bool skipped = false;    // The edge was not asked: too late for the deadline, or out of reach.
    bool fell_back = false;  // It was asked, and did not answer in time.
    PlanRun run;             // Its phases.
    bool truncated = false;  // The episode ends here. Set by Run alone.
  };

  // Returns what this choice would come to now, without chance in single runs; changes nothing.
  Result Expected(const RowChoice& choice) const;
  // Returns the same with or without compression, whichever the product's prediction takes.
  Result Expected(int row) const { return Expected({.row = row, .entropy = EntropyOf(row)}); }
  // Returns the valid row that OracleReward() is of; of equals, one that is really taken.
  int OracleRow() const { return OracleChoice().row; }

  // Runs it. FailedPrecondition after the episode's end, or before the first Reset.
  absl::StatusOr<Result> Run(const RowChoice& choice);

  // Returns whether the product would send this row compressed.
  bool EntropyOf(int row) const;

 private:
  struct Episode;

  SimulatedEnvironment(std::shared_ptr<const PlanTable> table, std::string model_digest,
                       EnvironmentOptions options);

  struct Trial {
    RowChoice choice;
    Jitter jitter = Jitter::kMedian;
    double device_factor = 1;  // The device's runs take so many times what they would.
  };
  Result Try(const Trial& trial) const;
  // Returns the mean reward of the row over the jitter of the device's runs; `median` is what the
  // row comes to without jitter.
  double MeanReward(int row, const Result& median) const;
  struct Choice {
    int row = 0;
    double reward = 0;
    bool skipped = false;
  };
  Choice OracleChoice() const;
  const PlanCost& LocalRow(int exit) const;
  void Learn(const PlanCost& cost, const Result& result);
  void Observe();

  const std::shared_ptr<const PlanTable> table_;
  const std::string model_digest_;
  const EnvironmentOptions options_;
  const std::vector<int> rows_;
  const std::vector<std::optional<int>> feature_rows_;  // rows_, as Featurize takes them.
  const std::unique_ptr<Policy> search_;
  std::vector<Plan> plans_;

  std::unique_ptr<Episode> episode_;
  double deadline_us_ = 0;
  double now_us_ = 0;
  int inference_ = 0;
  Observation observation_;
  Features features_;

 public:
  ~SimulatedEnvironment() override;
};

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_SIMULATED_ENVIRONMENT_H_
