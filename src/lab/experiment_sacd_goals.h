#ifndef CLEAVE_LAB_EXPERIMENT_SACD_GOALS_H_
#define CLEAVE_LAB_EXPERIMENT_SACD_GOALS_H_

#include <vector>

#include "lab/experiment_sacd_results.h"

namespace cleave::sacd {

// What learned policies are to reach, held against what was measured and simulated. A goal without
// its figures is `unknown`, never met.
std::vector<dsc::Goal> EvaluateGoals(const Results& results);

}  // namespace cleave::sacd

#endif  // CLEAVE_LAB_EXPERIMENT_SACD_GOALS_H_
