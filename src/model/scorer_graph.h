#ifndef CLEAVE_MODEL_SCORER_GRAPH_H_
#define CLEAVE_MODEL_SCORER_GRAPH_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// The weights of the small network of a learned policy, which scores each plan of a fixed list by
// the S features of the state and the P features of the plan:
//
//   s = clip((state - state_mean) * state_scale, limit), p likewise
//   h = relu(from_state s + from_plan p + plan_bias[plan])
//   g = relu(inner h + inner_bias)
//   score = output . g + output_bias
struct ScorerWeights {
  std::int64_t state_features = 0;  // S
  std::int64_t plan_features = 0;   // P
  std::int64_t plans = 0;           // A
  std::int64_t hidden = 0;          // H
  std::int64_t inner_hidden = 0;    // G
  float limit = 10;

  std::vector<float> state_mean, state_scale;  // S
  std::vector<float> plan_mean, plan_scale;    // P
  std::vector<float> from_state;               // H x S
  std::vector<float> from_plan;                // H x P
  std::vector<float> plan_bias;                // A x H
  std::vector<float> inner;                    // G x H
  std::vector<float> inner_bias;               // G
  std::vector<float> output;                   // G
  std::vector<float> output_bias;              // 1

  // InvalidArgument names the field whose size does not fit.
  absl::Status Validate() const;
};

// A plan that is not valid scores this much less than it otherwise would.
inline constexpr float kInvalidPenalty = 1e9F;

// Returns a model (opset 13, IR version 8) with inputs `state` [1, S], `plans` [1, A, P] and
// `valid` [1, A] and the output `scores` [1, A], all FP32. Equal weights and metadata give equal
// bytes.
absl::StatusOr<std::string> ScorerGraph(
    absl::string_view name, const ScorerWeights& weights,
    const std::vector<std::pair<std::string, std::string>>& metadata);

}  // namespace cleave

#endif  // CLEAVE_MODEL_SCORER_GRAPH_H_
