#include "detect/draw.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "detect/font.h"

namespace cleave {
namespace {

using Colour = std::array<std::uint8_t, RgbImage::kChannels>;

// Colours that differ in hue and are dark enough for white letters.
constexpr std::array<Colour, 8> kColours = {{{214, 39, 40},
                                             {31, 95, 168},
                                             {34, 120, 60},
                                             {148, 60, 170},
                                             {176, 88, 0},
                                             {0, 118, 128},
                                             {190, 30, 110},
                                             {90, 90, 90}}};
constexpr Colour kWhite = {255, 255, 255};
// The shorter side of a picture for each pixel of a line, and for each size of the letters.
constexpr int kPixelsOfLine = 240;
constexpr int kPixelsOfLetter = 480;
constexpr std::size_t kMostLetters = 40;

// Columns and rows of a picture, the last ones excluded.
struct Rectangle {
  int left = 0;
  int top = 0;
  int right = 0;
  int bottom = 0;
};

void Fill(const Rectangle& area, const Colour& colour, RgbImage& picture) {
  const int left = std::max(area.left, 0);
  const int right = std::min(area.right, picture.size.width);
  for (int y = std::max(area.top, 0); y < std::min(area.bottom, picture.size.height); ++y) {
    std::uint8_t* const row = picture.row(y);
    for (int x = left; x < right; ++x) {
      std::copy(colour.begin(), colour.end(), row + std::size_t{RgbImage::kChannels} * x);
    }
  }
}

// The lines of a box lie within it.
void DrawFrame(const Rectangle& box, int line, const Colour& colour, RgbImage& picture) {
  Fill({box.left, box.top, box.right, box.top + line}, colour, picture);
  Fill({box.left, box.bottom - line, box.right, box.bottom}, colour, picture);
  Fill({box.left, box.top, box.left + line, box.bottom}, colour, picture);
  Fill({box.right - line, box.top, box.right, box.bottom}, colour, picture);
}

// A question mark for each character that is not ASCII; UTF-8's further bytes are 10xxxxxx.
std::string Ascii(const std::string& text) {
  std::string letters;
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    if ((value & 0xC0U) == 0x80U) continue;
    letters.push_back(value < 0x80U ? byte : '?');
  }
  return letters.substr(0, kMostLetters);
}

void DrawText(const std::string& text, int left, int top, int size, RgbImage& picture) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const Glyph& glyph = GlyphOf(static_cast<unsigned char>(text[i]));
    for (int row = 0; row < kGlyphHeight; ++row) {
      for (int column = 0; column < kGlyphWidth; ++column) {
        if ((glyph[row] >> (kGlyphWidth - 1 - column) & 1) == 0) continue;
        const int x = left + (static_cast<int>(i) * kGlyphWidth + column) * size;
        const int y = top + row * size;
        Fill({x, y, x + size, y + size}, kWhite, picture);
      }
    }
  }
}

// Above the box, or where there is no room inside its upper edge; never over the picture's right
// edge while it fits.
void DrawLabel(const std::string& text, const Rectangle& box, int size, const Colour& colour,
               RgbImage& picture) {
  const int width = (static_cast<int>(text.size()) * kGlyphWidth + 2) * size;
  const int height = kGlyphHeight * size;
  const int left = std::max(0, std::min(box.left, picture.size.width - width));
  const int top = box.top >= height ? box.top - height : box.top;
  Fill({left, top, left + width, top + height}, colour, picture);
  DrawText(text, left + size, top, size, picture);
}

}  // namespace

std::string ClassName(int class_index, const std::vector<std::string>& labels) {
  const auto index = static_cast<std::size_t>(class_index);
  return index < labels.size() ? labels[index] : absl::StrCat("class ", class_index);
}

void DrawDetections(const std::vector<Detection>& detections,
                    const std::vector<std::string>& labels, RgbImage& picture) {
  const int shorter = std::min(picture.size.width, picture.size.height);
  const int line = 1 + shorter / kPixelsOfLine;
  const int size = 1 + shorter / kPixelsOfLetter;
  for (auto each = detections.rbegin(); each != detections.rend(); ++each) {
    const Colour& colour = kColours[static_cast<std::size_t>(each->class_index) % kColours.size()];
    const Rectangle box = {
        static_cast<int>(std::floor(each->box.x0)), static_cast<int>(std::floor(each->box.y0)),
        static_cast<int>(std::ceil(each->box.x1)), static_cast<int>(std::ceil(each->box.y1))};
    DrawFrame(box, line, colour, picture);
    DrawLabel(Ascii(absl::StrFormat("%s %.0f%%", ClassName(each->class_index, labels),
                                    100 * each->score)),
              box, size, colour, picture);
  }
}

}  // namespace cleave
