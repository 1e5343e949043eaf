#ifndef CLEAVE_EXPERIMENTS_RIG_JSON_H_
#define CLEAVE_EXPERIMENTS_RIG_JSON_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cleave/plan.h"
#include "experiments/rig/contest.h"
#include "experiments/rig/goal.h"
#include "experiments/rig/sample.h"
#include "experiments/rig/stream.h"
#include "experiments/rig/worker.h"

// How the values that experiments share stand in JSON. Fields that are absent keep their defaults,
// so that a file of an older run can be resumed. For .cc files only.

// A value that is not known is -1 in JSON, which no value that may be unknown can be.
template <typename T>
struct nlohmann::adl_serializer<std::optional<T>> {
  static void to_json(json& to, const std::optional<T>& value) { to = value.value_or(T{-1}); }
  static void from_json(const json& from, std::optional<T>& value) {
    const T found = from.get<T>();
    value = found < 0 ? std::nullopt : std::optional<T>(found);
  }
};

// An encoding stands by its name; other_error for a name that is none.
template <>
struct nlohmann::adl_serializer<cleave::Encoding> {
  static void to_json(json& to, cleave::Encoding encoding) {
    to = std::string(cleave::EncodingName(encoding));
  }
  static void from_json(const json& from, cleave::Encoding& encoding) {
    const auto found = cleave::ParseEncoding(from.get<std::string>());
    if (!found.ok())
      throw json::other_error::create(501, std::string(found.status().message()), &from);
    encoding = *found;
  }
};

namespace cleave {

NLOHMANN_JSON_SERIALIZE_ENUM(Where, {{Where::kDevice, "device"},
                                     {Where::kSplit, "split"},
                                     {Where::kEdge, "edge"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Objective, {{Objective::kLatency, "latency"},
                                         {Objective::kThroughput, "throughput"}})

}  // namespace cleave

namespace cleave::experiments::rig {

NLOHMANN_JSON_SERIALIZE_ENUM(Met,
                             {{Met::kUnknown, "unknown"}, {Met::kYes, "yes"}, {Met::kNo, "no"}})

#define CLEAVE_JSON NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT
CLEAVE_JSON(Phases, decide_us, prepare_us, head_us, encode_us, uplink_us, queue_us, tail_us,
            downlink_us)
CLEAVE_JSON(Sample, start_us, latency_us, predicted_us, cut, exit, encoding, where, fallback,
            link_up_bps, output_error, bytes_up, rtt_us, device_slowdown, edge_slowdown, accuracy,
            right, reason, miss_chance, hedged, hedge_won, confidence, phases)
CLEAVE_JSON(Goal, id, figure, goal, measured, met, value, limit, note)
CLEAVE_JSON(WorkerOptions, model, edge, cuts, batch, threads, remote_timeout_us, seed, encodings,
            exit, accuracy_drop, min_accuracy, exit_confidence, deadline_us, max_miss, data, labels,
            detections, objective, in_flight)
CLEAVE_JSON(StreamTerms, policy, seconds, first_item)
CLEAVE_JSON(StreamResult, frames, frames_per_s, latencies_us, bytes_up, bytes_down, fallbacks,
            expected_accuracy, believed_up_bps, plans)
CLEAVE_JSON(WorkerInfo, digest, candidates, last_cut, edge_usable, edge_problem)
CLEAVE_JSON(Forecast, cut, tensors, encoding, accuracy, bytes_up, head_us, encode_us, uplink_us,
            queue_us, tail_us, downlink_us)
#undef CLEAVE_JSON

// The files call a policy `way`.
inline void to_json(nlohmann::json& nlohmann_json_j, const Cell& nlohmann_json_t) {
  nlohmann_json_j["way"] = nlohmann_json_t.policy;
  NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(
      NLOHMANN_JSON_TO, rate_bps, inferences, fallbacks, mean_us, median_us, p25_us, p75_us,
      predicted_us, bytes_up, believed_up_bps, believed_rtt_us, device_slowdown, edge_slowdown,
      pictures, right, expected_accuracy, plans))
}

}  // namespace cleave::experiments::rig

#endif  // CLEAVE_EXPERIMENTS_RIG_JSON_H_
