#include "policy/constraints.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

absl::Status CheckShare(absl::string_view field, const std::optional<double>& share) {
  if (!share || (*share >= 0 && *share <= 1)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": found ", *share, ", expected a share from 0 to 1"));
}

}  // namespace

absl::Status Constraints::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckShare("min_accuracy", min_accuracy));
  CLEAVE_RETURN_IF_ERROR(CheckShare("accuracy_drop", accuracy_drop));
  if (!max_device_us || *max_device_us >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("max_device_us: found ", *max_device_us, ", expected at least 0"));
}

}  // namespace cleave
