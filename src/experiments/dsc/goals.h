#ifndef CLEAVE_EXPERIMENTS_DSC_GOALS_H_
#define CLEAVE_EXPERIMENTS_DSC_GOALS_H_

#include <vector>

#include "experiments/dsc/results.h"

namespace cleave::experiments::dsc {

// Returns what the experiment is to reach, held against what was measured. A goal without a
// measurement is `unknown`, never met.
std::vector<rig::Goal> EvaluateGoals(const Results& results);

}  // namespace cleave::experiments::dsc

#endif  // CLEAVE_EXPERIMENTS_DSC_GOALS_H_
