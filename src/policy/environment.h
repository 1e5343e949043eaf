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

// The environment that an agent learns in: it asks for one decision for each inference, and an
// episode is a sequence of them. The simulated environment (src/world/simulated_environment.h) is
// one; tests have small ones. Thread-compatible.
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

  // Returns the actions. Each is a plan, and the list and its order never change.
  virtual const std::vector<Plan>& plans() const = 0;
  virtual std::string model_digest() const = 0;

  // Begins an episode; equal seeds give equal episodes for equal actions.
  virtual absl::Status Reset(std::uint64_t seed) = 0;

  // Returns the features of the present decision, valid until the next Step or Reset.
  virtual const Features& Now() const = 0;

  // These return the reward that the best valid plan is expected to earn now, for one who knows the
  // true state, and the mean over all valid plans. Learning is scaled by them; no policy sees them.
  virtual double OracleReward() const = 0;
  virtual double RandomReward() const = 0;

  // Returns the expected reward of every plan of plans() in the present decision, averaged over the
  // noise of single runs: the side observations of Mannor and Shamir (arXiv 1106.2436), which an
  // environment can give whose course does not depend on the actions. They are for learning; no
  // policy sees them. The value of a plan that is not valid means nothing. Empty where the
  // environment cannot tell.
  virtual std::vector<StepResult> Alternatives() const { return {}; }

  // REQUIRES: Now().valid[action] is 1.
  virtual absl::StatusOr<StepResult> Step(int action) = 0;
};

}  // namespace cleave

#endif  // CLEAVE_POLICY_ENVIRONMENT_H_
