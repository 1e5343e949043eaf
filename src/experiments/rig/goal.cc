#include "experiments/rig/goal.h"

#include <utility>

#include "core/text_table.h"

namespace cleave::experiments::rig {

absl::string_view MetName(Met met) {
  switch (met) {
    case Met::kYes:
      return "yes";
    case Met::kNo:
      return "no";
    case Met::kUnknown:
      break;
  }
  return "unknown";
}

Goal Unknown(std::string id, std::string figure, std::string goal, double limit, std::string why) {
  return Goal{.id = std::move(id),
              .figure = std::move(figure),
              .goal = std::move(goal),
              .measured = "-",
              .limit = limit,
              .note = std::move(why)};
}

Goal Judged(Goal goal, double value, Met met, std::string measured, std::string note) {
  goal.value = value;
  goal.met = met;
  goal.measured = std::move(measured);
  goal.note = std::move(note);
  return goal;
}

Goal JudgedByLimit(Goal goal, double value, std::string measured, std::string note) {
  const Met met = value <= goal.limit ? Met::kYes : Met::kNo;
  return Judged(std::move(goal), value, met, std::move(measured), std::move(note));
}

std::string GoalsTable(const std::vector<Goal>& goals) {
  TextTable table({{"figure", TextTable::Align::kLeft},
                   {"goal"},
                   {"measured"},
                   {"met", TextTable::Align::kLeft}});
  for (const Goal& goal : goals) {
    table.Add({goal.figure, goal.goal, goal.measured, std::string(MetName(goal.met))});
    if (!goal.note.empty()) table.AddNote(goal.note);
  }
  return table.Text();
}

}  // namespace cleave::experiments::rig
