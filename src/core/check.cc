#include "core/check.h"

#include <cmath>

namespace cleave {

absl::Status FieldError(absl::string_view field, const absl::AlphaNum& found,
                        const absl::AlphaNum& expected) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": found ", found.Piece(), ", expected ", expected.Piece()));
}

absl::Status CheckCount(absl::string_view field, std::size_t found, std::size_t expected) {
  if (found == expected) return absl::OkStatus();
  return FieldError(field, absl::StrCat(found, " values"), expected);
}

absl::Status CheckShare(absl::string_view field, const std::optional<double>& share) {
  if (!share || (*share >= 0 && *share <= 1)) return absl::OkStatus();
  return FieldError(field, *share, "a share from 0 to 1");
}

absl::Status CheckNotNegative(absl::string_view field, double value) {
  if (value >= 0 && std::isfinite(value)) return absl::OkStatus();
  return FieldError(field, value, "a number of at least 0");
}

absl::Status CheckDigest(absl::string_view field, const std::string& digest) {
  constexpr std::size_t kDigits = 64;
  const bool hex = digest.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (digest.size() == kDigits && hex) return absl::OkStatus();
  return FieldError(field, absl::StrCat("'", digest.substr(0, 70), "'"),
                    "64 lower-case hex digits");
}

}  // namespace cleave
