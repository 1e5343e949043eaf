#include "policy/constraints.h"

#include "absl/strings/string_view.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {

absl::Status Constraints::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckShare("min_accuracy", min_accuracy));
  CLEAVE_RETURN_IF_ERROR(CheckShare("accuracy_drop", accuracy_drop));
  return max_device_us ? CheckAtLeast<double>("max_device_us", *max_device_us, 0)
                       : absl::OkStatus();
}

}  // namespace cleave
