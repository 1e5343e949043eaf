#ifndef CLEAVE_DEVICE_DECIDER_H_
#define CLEAVE_DEVICE_DECIDER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "cleave/device.h"
#include "core/clock.h"
#include "device/edge_view.h"
#include "device/inference.h"
#include "device/local_model.h"
#include "device/own_estimates.h"
#include "device/plan_tables.h"
#include "device/policy_cache.h"
#include "device/shape_costs.h"
#include "device/shared_heads.h"
#include "policy/constraints.h"
#include "policy/hedge.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"

namespace cleave {

inline constexpr char kNoEdge[] = "no edge given";

// Makes an observation and asks the policy in force. It keeps nothing of an inference, so that
// several may decide at once. Thread-safe.
class Decider {
 public:
  // The arguments must outlive it. REQUIRES: options.Validate() is OK.
  Decider(const LocalModel& model, const DeviceOptions& options, const OwnEstimates& own,
          ShapeBook& book, const Clock& clock);

  // Puts a policy in force from the next decision on. Errors name what is wrong with `spec`, and
  // leave the present one in force.
  absl::Status SetPolicy(const std::string& spec) ABSL_LOCKS_EXCLUDED(mutex_);

  // Decides by the policy in force what is to be done with the request. Without `edge` there is
  // none.
  Decided Decide(const InferenceRequest& request, const std::optional<EdgeView>& edge)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The forecast of every plan under the present state, for inputs of these shapes.
  std::vector<PlanForecast> Forecast(const InputShapes& shapes, const std::optional<EdgeView>& edge)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What a decision is made of.
  struct Basis {
    ChosenPolicy chosen;
    Observation observation;
    std::shared_ptr<const PlanTable> table;
    std::shared_ptr<const ShapeCosts> shape_costs;
  };

  Basis BasisOf(const InferenceRequest& request, const EdgeView& edge) ABSL_LOCKS_EXCLUDED(mutex_);
  Observation ObserveNow(std::int64_t batch, const EdgeView& edge) const;
  PlanTableTerms TableTerms(const InputShapes& shapes, double picture_bytes) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<HedgePlan> HedgeOf(const InferenceRequest& request, const Basis& basis,
                                   const Decision& decision) const;
  SharedHeads::Point SharedWith(const Plan& plan, int exit) const;
  std::vector<double> SharedUs(const InferenceRequest& request, const Basis& basis,
                               const Plan& plan) const;
  std::optional<std::string> WhyOverBudget(const Decided& decided) const;
  std::optional<std::string> WhyTooLate(const InferenceRequest& request,
                                        const Decided& decided) const;

  const LocalModel& model_;
  const DeviceOptions& options_;
  const OwnEstimates& own_;
  ShapeBook& book_;
  const Clock& clock_;
  const Constraints constraints_;
  const std::vector<Encoding> encodings_;
  const SharedHeads shared_;
  PolicyCache policies_;

  absl::Mutex mutex_;
  ChosenPolicy chosen_ ABSL_GUARDED_BY(mutex_);
  double picture_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // The last batch's, for forecasts.
  PlanTables tables_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_DECIDER_H_
