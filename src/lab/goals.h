#ifndef CLEAVE_LAB_GOALS_H_
#define CLEAVE_LAB_GOALS_H_

#include <vector>

#include "lab/experiment_dsc_results.h"

namespace cleave::dsc {

// What the experiment is to reach, held against what was measured. A goal without a measurement is
// `unknown`, never met.
std::vector<Goal> EvaluateGoals(const Results& results);

}  // namespace cleave::dsc

#endif  // CLEAVE_LAB_GOALS_H_
