#ifndef CLEAVE_LEARN_POLICY_PAGE_H_
#define CLEAVE_LEARN_POLICY_PAGE_H_

#include <string>

#include "absl/status/statusor.h"
#include "learn/train_policy.h"

namespace cleave {

// Returns the page that goes with a policy (markdown): file and digest, what it was made for, the
// command, the seeds' scores, every option. REQUIRES: options.out is the file that `outcome` tells
// of.
absl::StatusOr<std::string> PolicyPage(const TrainPolicyOptions& options,
                                       const PolicyOutcome& outcome, const std::string& command);

}  // namespace cleave

#endif  // CLEAVE_LEARN_POLICY_PAGE_H_
