#ifndef CLEAVE_EXPERIMENTS_RIG_GOAL_H_
#define CLEAVE_EXPERIMENTS_RIG_GOAL_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cleave::experiments::rig {

enum class Met { kUnknown, kYes, kNo };

// Returns "unknown", "yes" or "no".
absl::string_view MetName(Met met);

// A figure that an experiment is to reach, and what was measured of it.
struct Goal {
  std::string id;
  std::string figure;
  std::string goal;      // For people: "<= 1.02"
  std::string measured;  // For people; "-" with the reason in `note` where nothing was measured.
  Met met = Met::kUnknown;
  double value = 0;
  double limit = 0;
  std::string note;
};

// Returns a goal of which nothing was measured; `why` says for what reason.
Goal Unknown(std::string id, std::string figure, std::string goal, double limit, std::string why);
// Returns the same goal with what was measured of it.
Goal Judged(Goal goal, double value, Met met, std::string measured, std::string note);
// Returns the same, met where the value is at most the limit.
Goal JudgedByLimit(Goal goal, double value, std::string measured, std::string note);

// Returns the goals as a table for a terminal.
std::string GoalsTable(const std::vector<Goal>& goals);

}  // namespace cleave::experiments::rig

#endif  // CLEAVE_EXPERIMENTS_RIG_GOAL_H_
