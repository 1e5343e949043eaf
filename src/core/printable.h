#ifndef CLEAVE_CORE_PRINTABLE_H_
#define CLEAVE_CORE_PRINTABLE_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace cleave {

// What of a text from outside goes into one line of a log.
inline constexpr std::size_t kPrintableBytes = 1024;

// The text for a log or a terminal, where it came from a peer or a file and may hold anything: line
// ends, control characters (of a terminal's escape sequences too) and bytes that are no UTF-8
// become \n, \t, \r or \xNN; all else stays as it is. What comes after `max_bytes` of the text is
// left out, and how long it was is said instead.
std::string Printable(absl::string_view text, std::size_t max_bytes = kPrintableBytes);

// The same limit without the escapes, for writers that have escapes of their own.
std::string Shortened(absl::string_view text, std::size_t max_bytes = kPrintableBytes);

}  // namespace cleave

#endif  // CLEAVE_CORE_PRINTABLE_H_
