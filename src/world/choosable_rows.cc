#include <algorithm>

#include "world/simulated_environment.h"

namespace cleave::world {
namespace {

double DeviceUs(const PlanCost& cost) { return cost.head_us + cost.encode_us; }

bool NoWorse(const PlanCost& a, const PlanCost& b, const PlanTable& table) {
  return *AccuracyOf(a, table) >= *AccuracyOf(b, table) && DeviceUs(a) <= DeviceUs(b) &&
         a.bytes_up <= b.bytes_up && a.bytes_down <= b.bytes_down && a.tail_us <= b.tail_us;
}

bool AlwaysStays(const PlanCost& cost, const PlanTable& table) {
  if (!cost.remote()) return true;
  return cost.plan.cut == 0 && IsExact(cost.plan.encoding) &&
         cost.plan.exit == table.plans.back().plan.exit;
}

bool IsDominated(std::size_t row, const PlanTable& table) {
  const PlanCost& cost = table.plans[row];
  for (std::size_t other = 0; other < table.plans.size(); ++other) {
    const PlanCost& rival = table.plans[other];
    if (other == row || !AccuracyOf(rival, table) || !NoWorse(rival, cost, table)) continue;
    if (other < row || !NoWorse(cost, rival, table)) return true;
  }
  return false;
}

}  // namespace

std::vector<int> ChoosableRows(const PlanTable& table) {
  std::vector<int> rows;
  for (std::size_t row = 0; row < table.plans.size(); ++row) {
    const PlanCost& cost = table.plans[row];
    if (!AccuracyOf(cost, table)) continue;
    if (AlwaysStays(cost, table) || !IsDominated(row, table)) rows.push_back(static_cast<int>(row));
  }
  return rows;
}

}  // namespace cleave::world
