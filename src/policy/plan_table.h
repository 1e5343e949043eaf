#ifndef CLEAVE_POLICY_PLAN_TABLE_H_
#define CLEAVE_POLICY_PLAN_TABLE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "cleave/plan.h"

namespace cleave {

// How a request travels.
struct RequestForm {
  bool entropy = false;  // Its encoded tensors are compressed as well.
};

// One candidate plan with what it costs by the profiles, before slow-downs: a row of a PlanTable.
struct PlanCost {
  Plan plan;
  double head_us = 0;    // On the device, by its profile.
  double encode_us = 0;  // On the device.
  // The whole request, framing included; 0 for a plan that stays on the device.
  double bytes_up = 0;
  double bytes_down = 0;         // The whole answer.
  double tail_us = 0;            // On the edge, by its profile.
  double tail_on_device_us = 0;  // What a fallback after the head costs, by the device's profile.

  // The size of the request when the encoded tensors are compressed as well, and the time that
  // compressing and expanding add (at the speed of the device's profile). 0 bytes: it is not known
  // to become smaller.
  double entropy_bytes_up = 0;
  double entropy_us = 0;

  // The share of the samples that this plan gets right, as calibrated. Nothing: it was not
  // measured, and the plan is only chosen where nobody asks for accuracy.
  std::optional<double> accuracy;
  bool exact = true;  // The outputs are bit for bit those of the whole model in full precision.

  // Returns whether the edge takes part.
  bool remote() const { return bytes_up > 0; }
  // Returns the size of the request in this form.
  double RequestBytes(RequestForm form) const { return form.entropy ? entropy_bytes_up : bytes_up; }
};

// The candidate plans at one batch size. It is immutable once made, and shared by policy and
// observer.
struct PlanTable {
  std::int64_t batch = 1;
  // They ascend by exit, then by cut, then by encoding; the last one runs the last exit on the
  // device.
  std::vector<PlanCost> plans;
  // The accuracy of the exact plans; nothing where the model is not calibrated.
  std::optional<double> best_accuracy;
};

// Returns the plan's accuracy as far as it is known: an exact plan's is the table's best.
inline std::optional<double> AccuracyOf(const PlanCost& cost, const PlanTable& table) {
  return cost.accuracy || !cost.exact ? cost.accuracy : table.best_accuracy;
}

// Returns whether the table has a plan at this cut, of whatever exit and encoding.
bool HasCut(const PlanTable& table, int cut);

}  // namespace cleave

#endif  // CLEAVE_POLICY_PLAN_TABLE_H_
