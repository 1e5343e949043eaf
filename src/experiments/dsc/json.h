#ifndef CLEAVE_EXPERIMENTS_DSC_JSON_H_
#define CLEAVE_EXPERIMENTS_DSC_JSON_H_

#include <nlohmann/json.hpp>

#include "experiments/dsc/results.h"
#include "experiments/rig/json.h"

// How the experiment's values stand in JSON. Fields that are absent keep their defaults, so that a
// file of an older run can be resumed. For .cc files only.
namespace cleave::experiments::dsc {

NLOHMANN_JSON_SERIALIZE_ENUM(Load, {{Load::kIdle, "idle"}, {Load::kBusy, "busy"}})

#define CLEAVE_JSON NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT
CLEAVE_JSON(Summary, n, median_us, p25_us, p75_us, mean_us)
CLEAVE_JSON(CutResult, cut, tensors, bytes_up, predicted_us, measured, latency, phases, fallbacks,
            final_latency)
CLEAVE_JSON(DynamicResult, warmup, latency, samples, error_median)
CLEAVE_JSON(PointResult, model, rate_bps, batch, load, cuts, dynamic, best_cut, best_us, regret,
            regret_of_medians, edge_utilization, seconds, problem)
CLEAVE_JSON(EncodingChoice, encoding, cut, bytes_up, predicted_us, accuracy)
CLEAVE_JSON(EncodingRate, rate_bps, choices)
CLEAVE_JSON(PictureFacts, bytes, made_up, height, width, decode_us, note)
CLEAVE_JSON(EncodingForecast, model, batch, last_cut, calibrated, device_us, picture, rates)
CLEAVE_JSON(StepChange, t_us, rate_bps, right_cuts, wrong_inferences, seconds, settled)
CLEAVE_JSON(StepResult, model, batch, high_bps, low_bps, timeline, changes, problem)
CLEAVE_JSON(TraceRun, policy, cut, inferences, mean_us, median_us, p95_us, predicted_mean_us,
            timeline)
CLEAVE_JSON(TraceResult, model, batch, name, made_up, seconds, mean_bps, rate_bps, runs, problem)
CLEAVE_JSON(KillResult, model, kills, inferences, lost, fallbacks, recoveries, timeline,
            killed_at_us, problem)
CLEAVE_JSON(ModelFigure, model, value, detail)
CLEAVE_JSON(MicroResult, chain_ratio, memory_ratio, decide_us, loopback_ratio, loopback_detail,
            problems)
CLEAVE_JSON(ModelEntry, name, file, digest, last_cut, candidates)
CLEAVE_JSON(Meta, schema, command, cleave, onnxruntime, machine, started, finished, cores, seed,
            link, link_rtt_us, device_share, device_share_enforced, device_slowdown, repeats,
            final_repeats, warmup, busy_utilization, predict_only_above_us, time_budget_s,
            points_planned, complete, notes)
CLEAVE_JSON(Results, meta, models, points, encodings, steps, traces, kills, micro, goals)
#undef CLEAVE_JSON

}  // namespace cleave::experiments::dsc

#endif  // CLEAVE_EXPERIMENTS_DSC_JSON_H_
