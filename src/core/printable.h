#ifndef CLEAVE_CORE_PRINTABLE_H_
#define CLEAVE_CORE_PRINTABLE_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace cleave {

// The number of bytes of a text from outside that go into one line of a log.
inline constexpr std::size_t kPrintableBytes = 1024;

// Returns the text in a form that is safe for a log or a terminal, since a text from a peer or a
// file may hold anything: line ends, control characters (those of a terminal's escape sequences
// too) and bytes that are not valid UTF-8 become \n, \t, \r or \xNN; all else stays as it is. A
// text longer than `max_bytes` is cut off there, and its full length is given instead of the rest.
std::string Printable(absl::string_view text, std::size_t max_bytes = kPrintableBytes);

// Applies the same limit without the escapes, for writers that have escapes of their own.
std::string Shortened(absl::string_view text, std::size_t max_bytes = kPrintableBytes);

}  // namespace cleave

#endif  // CLEAVE_CORE_PRINTABLE_H_
