#ifndef CLEAVE_EXPERIMENTS_SACD_GOALS_H_
#define CLEAVE_EXPERIMENTS_SACD_GOALS_H_

#include <vector>

#include "experiments/sacd/results.h"

namespace cleave::experiments::sacd {

// Returns what learned policies are to reach, held against what was measured and simulated. A goal
// without its figures is `unknown`, never met.
std::vector<rig::Goal> EvaluateGoals(const Results& results);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_GOALS_H_
