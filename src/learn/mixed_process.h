#ifndef CLEAVE_LEARN_MIXED_PROCESS_H_
#define CLEAVE_LEARN_MIXED_PROCESS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "policy/decision_process.h"

namespace cleave {

// Several processes with the same plans: each episode is one of theirs, drawn by its seed.
// Thread-compatible.
class MixedProcess final : public DecisionProcess {
 public:
  // InvalidArgument: no process, or one whose plans or model are not the first one's; `names` are
  // for the message, one for each.
  static absl::StatusOr<std::unique_ptr<MixedProcess>> Create(
      std::vector<std::unique_ptr<DecisionProcess>> parts, const std::vector<std::string>& names);

  const std::vector<Plan>& plans() const override { return now_->plans(); }
  std::string model_digest() const override { return now_->model_digest(); }
  absl::Status Reset(std::uint64_t seed) override;
  const Features& Now() const override { return now_->Now(); }
  double OracleReward() const override { return now_->OracleReward(); }
  double RandomReward() const override { return now_->RandomReward(); }
  std::vector<Step> Alternatives() const override { return now_->Alternatives(); }
  absl::StatusOr<Step> Take(int action) override { return now_->Take(action); }

 private:
  explicit MixedProcess(std::vector<std::unique_ptr<DecisionProcess>> parts);

  const std::vector<std::unique_ptr<DecisionProcess>> parts_;
  DecisionProcess* now_;  // One of parts_.
};

}  // namespace cleave

#endif  // CLEAVE_LEARN_MIXED_PROCESS_H_
