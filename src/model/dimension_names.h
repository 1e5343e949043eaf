#ifndef CLEAVE_MODEL_DIMENSION_NAMES_H_
#define CLEAVE_MODEL_DIMENSION_NAMES_H_

// Internal to src/model: what the name of a free dimension says of it.

#include <cstdint>
#include <initializer_list>

#include "absl/strings/string_view.h"

namespace cleave {

// More elements than this in one dimension are a mistake.
inline constexpr std::int64_t kMaxDimension = std::int64_t{1} << 31;

// Says whether the name holds one of the words, which are lower-case, in whatever case.
bool HoldsAny(absl::string_view name, std::initializer_list<absl::string_view> words);

bool NamesBatch(absl::string_view name);
bool NamesLength(absl::string_view name);

}  // namespace cleave

#endif  // CLEAVE_MODEL_DIMENSION_NAMES_H_
