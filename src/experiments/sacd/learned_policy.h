#ifndef CLEAVE_EXPERIMENTS_SACD_LEARNED_POLICY_H_
#define CLEAVE_EXPERIMENTS_SACD_LEARNED_POLICY_H_

#include <string>
#include <vector>

namespace cleave::experiments::sacd {

// A learned policy's files that differ in their seed alone.
struct LearnedPolicy {
  std::string name;  // kSacd or kDqn
  std::vector<std::string> files;
};

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_LEARNED_POLICY_H_
