#ifndef CLEAVE_CORE_LENGTH_PREFIXED_H_
#define CLEAVE_CORE_LENGTH_PREFIXED_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// Texts and files one behind the other, each as four bytes of length (little-endian) and its bytes:
// the raw contents of the Open Inference Protocol's type BYTES.

// The size in bytes of the length that goes before an element.
inline constexpr std::int64_t kLengthPrefixBytes = 4;

// Returns the length of an element as it goes before it. REQUIRES: size is below 2^32.
std::string LengthPrefix(std::size_t size);

// Returns the elements, which view `bytes`. Every length is checked before it is used;
// InvalidArgument, starting with `what`, names the element whose length or bytes are cut off.
absl::StatusOr<std::vector<absl::string_view>> SplitLengthPrefixed(absl::string_view what,
                                                                   absl::string_view bytes);

// Does the same check and returns how many elements there are, without memory for them.
absl::StatusOr<std::int64_t> CountLengthPrefixed(absl::string_view what, absl::string_view bytes);

}  // namespace cleave

#endif  // CLEAVE_CORE_LENGTH_PREFIXED_H_
