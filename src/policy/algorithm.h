#ifndef CLEAVE_POLICY_ALGORITHM_H_
#define CLEAVE_POLICY_ALGORITHM_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// How a policy was learned.
enum class Algorithm : std::uint8_t {
  kSacd,  // Discrete soft actor-critic (docs/sacd.md).
  kDqn,   // A deep Q-network.
};

// Returns "sacd" or "dqn".
absl::string_view AlgorithmName(Algorithm algorithm);

// Parses what AlgorithmName returns. InvalidArgument says what was found and what was expected.
absl::StatusOr<Algorithm> ParseAlgorithm(absl::string_view name);

}  // namespace cleave

#endif  // CLEAVE_POLICY_ALGORITHM_H_
