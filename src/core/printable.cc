#include "core/printable.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cleave {
namespace {

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Returns the length of the well-formed UTF-8 character (RFC 3629) that the text begins with, or 0
// if it begins with none.
std::size_t CharacterBytes(absl::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return 0;
  if (!std::all_of(text.begin() + 1, text.begin() + static_cast<std::ptrdiff_t>(size),
                   IsContinuation)) {
    return 0;
  }
  // The character is longer than it need be, half of a surrogate pair, or beyond the last
  // character.
  const auto second = static_cast<unsigned char>(text[1]);
  const bool malformed = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                         (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return malformed ? 0 : size;
}

// Says whether it is one of the C0 controls, DEL or the C1 controls, which a terminal takes for
// commands.
bool IsControl(absl::string_view character) {
  const auto first = static_cast<unsigned char>(character.front());
  if (character.size() == 1) return first < 0x20 || first == 0x7F;
  return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

void AppendEscaped(absl::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
    }
  }
}

std::string Ellipsis(std::size_t bytes) { return absl::StrCat("... (", bytes, " bytes)"); }

// Returns at most the first `max_bytes` without a part of a character at their end.
absl::string_view Head(absl::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  std::size_t end = max_bytes;
  while (end > 0 && max_bytes - end < 3 && IsContinuation(text[end])) --end;
  return text.substr(0, end);
}

}  // namespace

std::string Printable(absl::string_view text, std::size_t max_bytes) {
  std::string out;
  absl::string_view rest = Head(text, max_bytes);
  const bool whole = rest.size() == text.size();
  while (!rest.empty()) {
    const std::size_t size = CharacterBytes(rest);
    const absl::string_view character = rest.substr(0, std::max<std::size_t>(size, 1));
    if (size == 0 || IsControl(character)) {
      AppendEscaped(character, out);
    } else {
      out.append(character.data(), character.size());
    }
    rest.remove_prefix(character.size());
  }
  return whole ? out : absl::StrCat(out, Ellipsis(text.size()));
}

std::string Shortened(absl::string_view text, std::size_t max_bytes) {
  const absl::string_view head = Head(text, max_bytes);
  return head.size() == text.size() ? std::string(text) : absl::StrCat(head, Ellipsis(text.size()));
}

}  // namespace cleave
