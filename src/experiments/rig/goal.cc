#include "experiments/rig/goal.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cleave::experiments::rig {

Goal Unknown(std::string id, std::string figure, std::string goal, double limit, std::string why) {
  return Goal{.id = std::move(id),
              .figure = std::move(figure),
              .goal = std::move(goal),
              .measured = "-",
              .met = "unknown",
              .limit = limit,
              .note = std::move(why)};
}

Goal Judged(Goal goal, double value, bool met, std::string measured, std::string note) {
  goal.value = value;
  goal.met = met ? "yes" : "no";
  goal.measured = std::move(measured);
  goal.note = std::move(note);
  return goal;
}

std::string GoalsTable(const std::vector<Goal>& goals) {
  std::size_t figure = 6, goal_width = 4, measured = 8;
  for (const Goal& goal : goals) {
    figure = std::max(figure, goal.figure.size());
    goal_width = std::max(goal_width, goal.goal.size());
    measured = std::max(measured, goal.measured.size());
  }
  const auto row = [&](const std::string& a, const std::string& b, const std::string& c,
                       const std::string& d) {
    return absl::StrFormat("%-*s  %*s  %*s  %s\n", static_cast<int>(figure), a,
                           static_cast<int>(goal_width), b, static_cast<int>(measured), c, d);
  };
  std::string table = row("figure", "goal", "measured", "met");
  for (const Goal& goal : goals) {
    absl::StrAppend(&table, row(goal.figure, goal.goal, goal.measured, goal.met));
    if (!goal.note.empty()) absl::StrAppend(&table, "    ", goal.note, "\n");
  }
  return table;
}

}  // namespace cleave::experiments::rig
