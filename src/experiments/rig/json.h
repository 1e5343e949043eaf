#ifndef CLEAVE_EXPERIMENTS_RIG_JSON_H_
#define CLEAVE_EXPERIMENTS_RIG_JSON_H_

#include <nlohmann/json.hpp>

#include "experiments/rig/goal.h"
#include "experiments/rig/sample.h"

// How the values that experiments share stand in JSON. Fields that are absent keep their defaults,
// so that a file of an older run can be resumed. For .cc files only.
namespace cleave::experiments::rig {

#define CLEAVE_JSON NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT
CLEAVE_JSON(Phases, decide_us, prepare_us, head_us, encode_us, uplink_us, queue_us, tail_us,
            downlink_us)
CLEAVE_JSON(Sample, start_us, latency_us, predicted_us, cut, exit, encoding, where, fallback,
            link_up_bps, output_error, bytes_up, rtt_us, device_slowdown, edge_slowdown, accuracy,
            right, reason, hedged, hedge_won, confidence, phases)
CLEAVE_JSON(Goal, id, figure, goal, measured, met, value, limit, note)
#undef CLEAVE_JSON

}  // namespace cleave::experiments::rig

#endif  // CLEAVE_EXPERIMENTS_RIG_JSON_H_
