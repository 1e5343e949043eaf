#ifndef CLEAVE_EXPERIMENTS_SACD_RESULTS_H_
#define CLEAVE_EXPERIMENTS_SACD_RESULTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/plan.h"
#include "experiments/dsc/results.h"
#include "experiments/sacd/stats.h"

namespace cleave::experiments::sacd {

// Everything that `cleave experiment sacd` measures and simulates, as plain values;
// docs/experiments.md describes the same fields as they stand in the JSON file.

// Names of the rows that others are compared with.
inline constexpr char kDeviceOnly[] = "device only";
inline constexpr char kEdgeOnly[] = "edge only, fp32";
inline constexpr char kEdgeJpeg[] = "edge only, JPEG";
inline constexpr char kBestFixed[] = "best fixed plan";
inline constexpr char kDynamic[] = "dynamic split";
inline constexpr char kExact[] = "exact search";
inline constexpr char kExactMeans[] = "exact search by means";
inline constexpr char kDqn[] = "DQN";
inline constexpr char kRandom[] = "random";
inline constexpr char kSplitEe[] = "I-SplitEE";
inline constexpr char kSacd[] = "SAC-d";
inline constexpr char kSacdHedged[] = "SAC-d, hedged";
inline constexpr char kOracle[] = "oracle";

// One inference, real or simulated.
struct Step {
  int unit = 0;           // Cycle of blocks, or course: what intervals draw as a whole.
  std::int64_t t_us = 0;  // Since the traces' or the course's start.
  int exit = 0;           // The exit of the plan as decided.
  int cut = 0;
  Encoding encoding = Encoding::kFp32;
  Where where = Where::kDevice;  // Where it really ran.
  std::string reason;
  std::string fallback;
  bool hedged = false;     // The device ran an earlier exit beside the edge,
  bool hedge_won = false;  // and that is the answer.
  double latency_us = 0;
  double predicted_us = 0;  // What the device predicted when it decided.
  double replayed_us = 0;   // What the simulator's costs give from the true state; 0: not replayed.
  double accuracy = 0;      // Real: share of the answers that were right. Simulated: the plan's.
  double expected_accuracy = 0;  // That of the plan, as calibrated.
  double bytes_up = 0;
  double deadline_us = 0;
  double reward = 0;
  // The chance that was predicted for the plan to miss the deadline; nothing where nobody did.
  std::optional<double> miss_chance;
  // The true state at its start.
  double up_bps = 0;
  double device_slowdown = 1;

  bool missed() const { return latency_us > deadline_us; }
  // Says whether the exact search decided in the learned policy's place.
  bool guarded() const;
};

// Inferences whose predicted chance to miss the deadline is alike, and how many did.
struct ChanceBin {
  double low = 0, high = 0;  // Of the chance; `low` belongs to the bin.
  std::int64_t inferences = 0;
  double predicted = 0;  // The mean of their chances,
  Interval missed;       // and the share that was late, with its exact interval.
};

// What one policy did, with 95% intervals.
struct Row {
  std::string policy;
  std::vector<std::string> files;  // The files of a learned policy.
  std::int64_t inferences = 0;
  std::int64_t misses = 0;
  std::int64_t fallbacks = 0;
  std::int64_t hedges = 0;
  std::int64_t hedges_won = 0;
  Interval reward;
  Interval normalized;  // random = 0, oracle = 1
  Interval latency_us;
  double p50_us = 0, p95_us = 0, p99_us = 0;
  Interval accuracy;
  Interval timely_accuracy;  // A late answer counts as wrong.
  double expected_accuracy = 0;
  Interval bytes_up;
  Interval miss_share;
  double guarded_share = 0;
  Interval reliability;  // Share in time, exact interval of independent trials.
  std::vector<double> rewards_by_file;
  std::vector<ChanceBin> chances;  // Ascending; bins without inferences are left out.
};

// Share of plans in one range of the true uplink rate.
struct MixBin {
  double low_bps = 0, high_bps = 0;
  std::int64_t inferences = 0;
  std::map<std::string, std::int64_t> where;  // device, split, edge -> inferences
  std::map<std::string, std::int64_t> plans;  // "cut/encoding/exit" -> inferences
};
struct Mix {
  std::string policy;
  std::vector<MixBin> bins;  // Ascending.
};

struct TimelineRun {
  std::string policy;
  std::vector<Step> steps;
};
struct Timeline {
  std::string name;
  std::string what;  // Tells people what changes, and when.
  std::vector<double> change_s;
  std::vector<TimelineRun> runs;
};

struct Simulated {
  std::string environment;
  int courses = 0;
  std::uint64_t seed = 1;
  std::string best_fixed;  // "cut/encoding/exit"
  std::vector<Row> rows;
  std::vector<Mix> mixes;
  std::vector<Timeline> timelines;
  bool complete = false;
};

struct Replay {
  std::int64_t inferences = 0;
  double median_error = 0;  // |replayed - measured| / measured
  double p90_error = 0;
  double bias = 0;  // Median of replayed / measured.
};

inline constexpr double kMostStolen = 0.02;

struct Real {
  std::string model, data, link;
  std::vector<std::string> traces;
  std::int64_t batch = 1;
  double deadline_us = 0;
  double device_share = 1;
  bool device_slowed = false;
  std::vector<double> cpu_slowdowns;
  double cpu_dwell_s = 0;
  double edge_load = 0;  // Share of the time that other devices occupied it, as measured.
  // What a hypervisor took of the processor's time in the cycles that count, where that was
  // measured; and the cycles that do not count, since it took more than kMostStolen in them.
  std::optional<double> stolen_share;
  int repeated_cycles = 0;
  int block = 0;
  int warmup = 0;
  std::uint64_t seed = 1;
  std::string best_fixed;
  std::vector<std::string> notes;  // What is not like the true thing.
  std::vector<Row> rows;
  std::map<std::string, std::vector<Step>> steps;  // Those of each policy, in the order of time.
  std::map<std::string, Replay> replay;            // That of each policy; "" is all of them.
  bool complete = false;
};

// The rows that both the real part and its twin have (without one, the simulated part), best reward
// first.
struct Ranking {
  std::vector<std::string> simulated;
  std::vector<std::string> real;
  double spearman = 0;
};

struct Results {
  std::string schema = "cleave-experiment-sacd/1";
  std::string command, cleave, machine, started, finished;
  Simulated simulated;
  Simulated twin;  // The courses, deadline and steps of the link of the real part, simulated; only
                   // its rows.
  Real real;
  Ranking ranking;
  std::string curves;  // The training's JSON as it stands in its file; empty: none was given.
  std::vector<rig::Goal> goals;

  // Returns the row of a policy; null where there is none.
  static const Row* Find(const std::vector<Row>& rows, absl::string_view policy);
};

std::string ToJson(const Results& results);
// Parses what ToJson returns. InvalidArgument names `origin` and what does not fit.
absl::StatusOr<Results> FromJson(absl::string_view json, const std::string& origin);

// Returns tables in Markdown: both parts, the replay, the ranking.
std::string ToText(const Results& results);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_RESULTS_H_
