#include "policy/constraints.h"

#include "absl/strings/string_view.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {

absl::Status Constraints::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckShare("min_accuracy", min_accuracy));
  CLEAVE_RETURN_IF_ERROR(CheckShare("accuracy_drop", accuracy_drop));
  if (max_latency_us) {
    CLEAVE_RETURN_IF_ERROR(CheckAtLeast<double>("max_latency_us", *max_latency_us, 0));
    if (objective != Objective::kThroughput) {
      return FieldError("max_latency_us", "the objective latency", "throughput");
    }
  }
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("max_in_flight", max_in_flight, 1));
  return max_device_us ? CheckAtLeast<double>("max_device_us", *max_device_us, 0)
                       : absl::OkStatus();
}

}  // namespace cleave
