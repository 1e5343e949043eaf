#ifndef CLEAVE_LAB_EXPERIMENT_SACD_REAL_SLOTS_H_
#define CLEAVE_LAB_EXPERIMENT_SACD_REAL_SLOTS_H_

#include <functional>
#include <string>
#include <vector>

#include "lab/experiment_dsc_worker.h"
#include "lab/experiment_sacd_real.h"
#include "lab/experiment_sacd_truth.h"

namespace cleave::sacd {

// The device processes: one with the deadline for whoever does not go by its own past, one without,
// and with the deadline one for the exact search, one that hedges too (null: none) and one for each
// learned policy.
struct Workers {
  dsc::Worker* timed = nullptr;
  dsc::Worker* exact = nullptr;
  dsc::Worker* untimed = nullptr;
  dsc::Worker* hedged = nullptr;
  std::vector<dsc::Worker*> learned;  // As RealOptions::learned.
};

// A policy of the real experiment.
struct Slot {
  std::string name;
  std::vector<std::string> files;
  dsc::Worker* worker = nullptr;
  // What the worker is told for an inference at this time of the course: a policy that the device
  // knows, or a fixed plan that was chosen here.
  std::function<std::string(double now_us)> choose;
  std::function<void(const dsc::Sample&)> learn;  // May be empty.
};

// All policies of the table. Environment and truth must outlive them.
std::vector<Slot> MakeSlots(const Environment& environment, const Workers& workers,
                            const RealOptions& options, int best_fixed_row, Truth& truth);

}  // namespace cleave::sacd

#endif  // CLEAVE_LAB_EXPERIMENT_SACD_REAL_SLOTS_H_
