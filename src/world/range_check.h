#ifndef CLEAVE_WORLD_RANGE_CHECK_H_
#define CLEAVE_WORLD_RANGE_CHECK_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace cleave::world {

// InvalidArgument names the field, what was found and what was expected; NaN is out of range.
inline absl::Status CheckRange(absl::string_view field, double value, double least, double most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": found ", value, ", expected ", least, " to ", most));
}

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_RANGE_CHECK_H_
