#include "policy/algorithm.h"

#include "absl/strings/str_cat.h"
#include "core/check.h"

namespace cleave {

absl::string_view AlgorithmName(Algorithm algorithm) {
  return algorithm == Algorithm::kSacd ? "sacd" : "dqn";
}

absl::StatusOr<Algorithm> ParseAlgorithm(absl::string_view name) {
  for (const Algorithm algorithm : {Algorithm::kSacd, Algorithm::kDqn}) {
    if (AlgorithmName(algorithm) == name) return algorithm;
  }
  return FieldError("algorithm", absl::StrCat("'", name, "'"), "sacd or dqn");
}

}  // namespace cleave
