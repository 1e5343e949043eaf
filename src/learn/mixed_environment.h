#ifndef CLEAVE_LEARN_MIXED_ENVIRONMENT_H_
#define CLEAVE_LEARN_MIXED_ENVIRONMENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "policy/environment.h"

namespace cleave {

// Several processes with the same plans: each episode is one of theirs, drawn by its seed.
// Thread-compatible.
class MixedEnvironment final : public Environment {
 public:
  // InvalidArgument: no process, or one whose plans or model are not the first one's; `names` are
  // for the message, one for each.
  static absl::StatusOr<std::unique_ptr<MixedEnvironment>> Create(
      std::vector<std::unique_ptr<Environment>> parts, const std::vector<std::string>& names);

  const std::vector<Plan>& plans() const override { return now_->plans(); }
  std::string model_digest() const override { return now_->model_digest(); }
  absl::Status Reset(std::uint64_t seed) override;
  const Features& Now() const override { return now_->Now(); }
  double OracleReward() const override { return now_->OracleReward(); }
  double RandomReward() const override { return now_->RandomReward(); }
  std::vector<StepResult> Alternatives() const override { return now_->Alternatives(); }
  absl::StatusOr<StepResult> Step(int action) override { return now_->Step(action); }

 private:
  explicit MixedEnvironment(std::vector<std::unique_ptr<Environment>> parts);

  const std::vector<std::unique_ptr<Environment>> parts_;
  Environment* now_;  // One of parts_.
};

}  // namespace cleave

#endif  // CLEAVE_LEARN_MIXED_ENVIRONMENT_H_
