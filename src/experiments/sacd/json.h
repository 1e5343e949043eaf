#ifndef CLEAVE_EXPERIMENTS_SACD_JSON_H_
#define CLEAVE_EXPERIMENTS_SACD_JSON_H_

#include <nlohmann/json.hpp>

#include "experiments/dsc/json.h"
#include "experiments/sacd/results.h"

// How the experiment's values stand in JSON. Fields that are absent keep their defaults. For .cc
// files only.
namespace cleave::experiments::sacd {

#define CLEAVE_JSON NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT
CLEAVE_JSON(Interval, mean, low, high)
CLEAVE_JSON(Step, unit, t_us, exit, cut, encoding, where, reason, fallback, hedged, hedge_won,
            latency_us, predicted_us, replayed_us, accuracy, expected_accuracy, bytes_up,
            deadline_us, reward, miss_chance, up_bps, device_slowdown)
CLEAVE_JSON(ChanceBin, low, high, inferences, predicted, missed)
CLEAVE_JSON(Row, policy, files, inferences, misses, fallbacks, hedges, hedges_won, reward,
            normalized, latency_us, p50_us, p95_us, p99_us, accuracy, timely_accuracy,
            expected_accuracy, bytes_up, miss_share, guarded_share, reliability, rewards_by_file,
            chances)
CLEAVE_JSON(MixBin, low_bps, high_bps, inferences, where, plans)
CLEAVE_JSON(Mix, policy, bins)
CLEAVE_JSON(TimelineRun, policy, steps)
CLEAVE_JSON(Timeline, name, what, change_s, runs)
CLEAVE_JSON(Simulated, environment, courses, seed, best_fixed, rows, mixes, timelines, complete)
CLEAVE_JSON(Replay, inferences, median_error, p90_error, bias)
CLEAVE_JSON(Real, model, data, link, traces, batch, deadline_us, device_share, device_slowed,
            cpu_slowdowns, cpu_dwell_s, edge_load, stolen_share, repeated_cycles, block, warmup,
            seed, best_fixed, notes, rows, steps, replay, complete)
CLEAVE_JSON(Ranking, simulated, real, spearman)
CLEAVE_JSON(Results, schema, command, cleave, machine, started, finished, simulated, twin, real,
            ranking, curves, goals)
#undef CLEAVE_JSON

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_JSON_H_
