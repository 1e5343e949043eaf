#ifndef CLEAVE_POLICY_FEATURES_H_
#define CLEAVE_POLICY_FEATURES_H_

#include <optional>
#include <span>
#include <vector>

#include "absl/strings/string_view.h"
#include "cleave/plan.h"
#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"

namespace cleave {

// An observation as numbers for a learned policy: they describe the link, the machines and recent
// runs, and for each plan of a fixed list what the product's own prediction says of it. All are
// dimensionless (logarithms of ratios, shares, times over the deadline), finite and of moderate
// size.
//
// kFeatureVersion is part of a policy's file and changes with every change of meaning or order.
inline constexpr int kFeatureVersion = 1;

// These return the names of the features, in the order of the numbers. Their counts are the widths
// of the two blocks.
std::span<const absl::string_view> StateFeatureNames();
std::span<const absl::string_view> PlanFeatureNames();

// Returns how far beyond its range in training each state feature may lie in any case, in the order
// of the names. A change of this size means the same to a policy that never saw it.
std::span<const float> StateFeatureSlack();

// No feature is farther from 0 than this, whatever the observation.
inline constexpr float kMaxFeature = 20;

struct Features {
  std::vector<float> state;  // As many as StateFeatureNames().
  std::vector<float> plans;  // For each plan as many as PlanFeatureNames().
  std::vector<float> valid;  // 1 for a plan that may be taken, else 0; never all 0.
};

// Returns where the plans of a list stand in a table: an index into table.plans, or nothing where
// the table has no such plan.
std::vector<std::optional<int>> RowsOf(const PlanTable& table, std::span<const Plan> plans);

// Fills `features` (resized as needed; no allocation once it has the size). A plan is valid where
// its row exists, `constraints` allow it (with its accuracy) and, if it is remote, the edge is
// usable and the link up. Where that leaves none, the plan that stays on the device and has the
// best accuracy is valid (of equals the one predicted to be quicker). Without a deadline the time
// that the whole network takes on the device by its profile stands in for it. The features of a
// plan without a row are 0. Bounded by kMaxFeature for any observation, infinite and NaN included.
// REQUIRES: rows are RowsOf(table, ...), and one of them at least stays on the device.
void Featurize(const PlanTable& table, std::span<const std::optional<int>> rows,
               const Observation& observation, const Constraints& constraints, Features& features);

}  // namespace cleave

#endif  // CLEAVE_POLICY_FEATURES_H_
