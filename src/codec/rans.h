#ifndef CLEAVE_CODEC_RANS_H_
#define CLEAVE_CODEC_RANS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// These functions code levels, given as a byte each, by rANS 4x16 in the form that
// docs/wire-format.md allows.

namespace cleave {

inline constexpr std::size_t kMaxRansLevels = std::size_t{1} << 30;

// Fewer levels are not worth order 1, which has a table for each level and takes longer to set up
// than the levels take to send (bench/entropy_bench).
inline constexpr std::size_t kLeastOrder1Levels = std::size_t{1} << 15;

// Returns the coded levels, or nothing where they take more than `most_bytes` or there is not
// enough memory. The same levels give the same bytes. Thread-safe. REQUIRES: there are 1 to
// kMaxRansLevels levels.
std::optional<std::string> RansEncode(std::span<const std::uint8_t> levels, std::size_t most_bytes);

// Decodes `count` levels of `bits` bits, each below 2^bits. InvalidArgument names the field, what
// was found and what was expected: an unexpected order, length or table before anything is
// allocated for it, a level out of range after decoding. ResourceExhausted if there is not enough
// memory. Thread-safe. REQUIRES: bits is 2 to 6, count at least 1.
absl::StatusOr<std::shared_ptr<char[]>> RansDecode(absl::string_view coded, int bits,
                                                   std::size_t count);

}  // namespace cleave

#endif  // CLEAVE_CODEC_RANS_H_
