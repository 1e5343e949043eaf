#ifndef CLEAVE_LEARN_DQN_H_
#define CLEAVE_LEARN_DQN_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "learn/agent.h"

namespace cleave {

// Double DQN (van Hasselt et al., arXiv 1509.06461): the learned rival of SAC-d, with the same
// network.
struct DqnOptions {
  LearningOptions learning;
  // A plan is drawn uniformly from the valid ones with this chance, which falls from `first` to
  // `last` in a straight line over `epsilon_share` of the training. CleanRL's 1 to 0.05 over half;
  // here the warm-up has been uniform already.
  double first_epsilon = 0.5;
  double last_epsilon = 0.05;
  double epsilon_share = 0.6;

  absl::Status Validate() const;  // InvalidArgument names the field.
  std::map<std::string, std::string> Describe() const;
};

// REQUIRES: options.Validate().ok().
std::unique_ptr<Agent> MakeDqn(const DecisionShape& shape, const DqnOptions& options,
                               std::uint64_t seed);

}  // namespace cleave

#endif  // CLEAVE_LEARN_DQN_H_
