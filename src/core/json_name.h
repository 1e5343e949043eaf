#ifndef CLEAVE_CORE_JSON_NAME_H_
#define CLEAVE_CORE_JSON_NAME_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "core/json_section.h"

namespace cleave {

// A value that JSON files have by its name, such as one of an enum.
template <typename Value>
struct JsonName {
  const char* text;
  Value value;
};

// Returns the name of `value`; empty where `names` has none.
template <typename Value, std::size_t kSize>
absl::string_view NameOf(const std::array<JsonName<Value>, kSize>& names, Value value) {
  const auto found = std::find_if(names.begin(), names.end(), [value](const JsonName<Value>& name) {
    return name.value == value;
  });
  return found == names.end() ? "" : found->text;
}

// Reads the name at `key`, which may be missing, into `to`. A name that `names` lacks is a fault.
template <typename Value, std::size_t kSize>
void ReadName(JsonSection& section, absl::string_view key,
              const std::array<JsonName<Value>, kSize>& names, Value& to) {
  constexpr std::size_t kShownBytes = 60;
  if (!section.Has(key)) return;
  std::string text(NameOf(names, to));
  section.Text(key, text);
  const auto found = std::find_if(names.begin(), names.end(),
                                  [&](const JsonName<Value>& name) { return text == name.text; });
  if (found != names.end()) {
    to = found->value;
    return;
  }
  std::vector<std::string> known;
  known.reserve(names.size());
  for (const JsonName<Value>& name : names) known.push_back(absl::StrCat("\"", name.text, "\""));
  const std::string last = std::move(known.back());
  known.pop_back();
  section.Fail(key, absl::StrCat("\"", text.substr(0, kShownBytes), "\""),
               absl::StrCat(absl::StrJoin(known, ", "), " or ", last));
}

}  // namespace cleave

#endif  // CLEAVE_CORE_JSON_NAME_H_
