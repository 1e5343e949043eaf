#ifndef CLEAVE_CORE_CHECK_H_
#define CLEAVE_CORE_CHECK_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace cleave {

// InvalidArgument "FIELD: found FOUND, expected EXPECTED": what is said of every value that is
// refused. All functions of this file are thread-safe.
absl::Status FieldError(absl::string_view field, const absl::AlphaNum& found,
                        const absl::AlphaNum& expected);

// FieldError unless value >= least; NaN is refused.
template <typename Number>
absl::Status CheckAtLeast(absl::string_view field, Number value, Number least) {
  if (value >= least) return absl::OkStatus();
  return FieldError(field, value, absl::StrCat("at least ", least));
}

// FieldError unless least <= value <= most; NaN is refused.
template <typename Number>
absl::Status CheckRange(absl::string_view field, Number value, Number least, Number most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return FieldError(field, value, absl::StrCat(least, " to ", most));
}

// FieldError unless there are as many values as expected.
absl::Status CheckCount(absl::string_view field, std::size_t found, std::size_t expected);

// FieldError unless there is no share, or it lies from 0 to 1.
absl::Status CheckShare(absl::string_view field, const std::optional<double>& share);

// FieldError unless the number is finite and at least 0.
absl::Status CheckNotNegative(absl::string_view field, double value);

// FieldError unless the text is a SHA-256 as 64 lower-case hex digits.
absl::Status CheckDigest(absl::string_view field, const std::string& digest);

}  // namespace cleave

#endif  // CLEAVE_CORE_CHECK_H_
