#include "model/dimension_names.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace cleave {

bool HoldsAny(absl::string_view name, std::initializer_list<absl::string_view> words) {
  const std::string lower = absl::AsciiStrToLower(name);
  return std::any_of(words.begin(), words.end(),
                     [&](absl::string_view word) { return absl::StrContains(lower, word); });
}

bool NamesBatch(absl::string_view name) { return HoldsAny(name, {"batch"}); }
bool NamesLength(absl::string_view name) {
  return HoldsAny(name, {"seq", "len", "time", "frame", "token", "step", "width", "height"});
}

}  // namespace cleave
