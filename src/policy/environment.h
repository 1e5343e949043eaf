#ifndef CLEAVE_POLICY_ENVIRONMENT_H_
#define CLEAVE_POLICY_ENVIRONMENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/plan.h"
#include "policy/features.h"

namespace cleave {

// What an agent learns in: one decision for each inference, an episode being a stretch of them. The
// environment (src/world/simulated_environment.h) is one; tests have small ones. Thread-compatible.
class Environment {
 public:
  struct StepResult {
    double reward = 0;
    // The episode was cut off after this step. It did not terminate: the state that follows has a
    // value, and Now() still shows it.
    bool truncated = false;
    // Another plan was taken than the action's: the guard had the exact search decide
    // (policy/guard.h), or the edge was not asked since it would have been too late.
    bool overruled = false;
  };

  virtual ~Environment() = default;

  // The actions: a plan each, the same list in the same order for ever.
  virtual const std::vector<Plan>& plans() const = 0;
  virtual std::string model_digest() const = 0;

  // Begins an episode; equal seeds give equal episodes for equal actions.
  virtual absl::Status Reset(std::uint64_t seed) = 0;

  // The present decision, valid until the next Step or Reset.
  virtual const Features& Now() const = 0;

  // Expected reward now of the best valid plan to one who knows the true state, and the mean over
  // all valid plans: what learning is scaled by, never shown to a policy.
  virtual double OracleReward() const = 0;
  virtual double RandomReward() const = 0;

  // What the decision at hand would come to for every plan of plans(), in the mean over what chance
  // does to single runs: the side observations of Mannor and Shamir (arXiv 1106.2436), which a
  // process can give whose course does not depend on what is done. For learning, never shown to a
  // policy. Of a plan that is not valid nothing is said; empty where the process cannot tell.
  virtual std::vector<StepResult> Alternatives() const { return {}; }

  // REQUIRES: Now().valid[action] is 1.
  virtual absl::StatusOr<StepResult> Step(int action) = 0;
};

}  // namespace cleave

#endif  // CLEAVE_POLICY_ENVIRONMENT_H_
