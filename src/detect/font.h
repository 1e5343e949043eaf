#ifndef CLEAVE_DETECT_FONT_H_
#define CLEAVE_DETECT_FONT_H_

#include <array>
#include <cstdint>

namespace cleave {

inline constexpr int kGlyphWidth = 6;
inline constexpr int kGlyphHeight = 13;

// The rows of a letter from the top; bit kGlyphWidth - 1 of a row is its leftmost pixel.
using Glyph = std::array<std::uint8_t, kGlyphHeight>;

// Returns the letter of an ASCII character; that of a question mark for any other and for control
// characters. The letters are those of the font "fixed" 6x13 of the X Window System, which is in
// the public domain. Thread-safe.
const Glyph& GlyphOf(char32_t character);

}  // namespace cleave

#endif  // CLEAVE_DETECT_FONT_H_
