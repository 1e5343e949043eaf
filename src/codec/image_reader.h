#ifndef CLEAVE_CODEC_IMAGE_READER_H_
#define CLEAVE_CODEC_IMAGE_READER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/exif.h"
#include "codec/rgb_image.h"

namespace cleave {

// What the header of an image file says.
struct ImageHeader {
  ImageSize stored;  // The size as the file has it.
  Orientation orientation = Orientation::kUpright;

  // The size of the upright picture.
  ImageSize upright() const {
    return SwapsSides(orientation) ? ImageSize{stored.height, stored.width} : stored;
  }
};

// The names that the endings of image files have, for errors and help.
inline constexpr char kImageEndings[] = ".jpg, .jpeg, .png or .webp";
// Whether the path has one of these endings, in capitals or not.
bool HasImageEnding(absl::string_view path);

// Reads a JPEG (baseline or progressive; gray, YCbCr, RGB, CMYK or YCCK of 8 bits), a PNG (of any
// kind; 16 bits are rounded to 8) or a still WebP image, and gives RGB. Gray becomes three equal
// channels, a palette its colours, CMYK what Pillow makes of Adobe's inverted CMYK. Alpha is left
// out: a transparent pixel has the colour that the file stores for it. Colour profiles and gamma
// change nothing. Thread-compatible.
class ImageReader {
 public:
  // Reads the header; `encoded` must outlive the reader. InvalidArgument names `origin`, what was
  // found and what was expected: for another kind of file, which is named where it is a known one;
  // for a header that is broken; and for an image that is too large to be decoded: a side over
  // 2^16, over kMaxImagePixels, or more pixels than so few bytes plausibly hold. Nothing is
  // allocated for the pixels before that.
  static absl::StatusOr<std::unique_ptr<ImageReader>> Open(absl::string_view encoded,
                                                           const std::string& origin);
  virtual ~ImageReader() = default;

  const ImageHeader& header() const { return header_; }

  // Decodes all pixels, as the file stores them, into `rgb`, which has room for
  // header().stored.pixels() x 3 bytes. InvalidArgument for a file that is broken or breaks off.
  // May be called once.
  virtual absl::Status ReadPixels(std::uint8_t* rgb) = 0;

  // Calls ReadPixels and turns the picture upright.
  absl::StatusOr<RgbImage> ReadUpright();

 protected:
  ImageHeader header_;
};

// Internal to src/codec: the readers of one kind of file each, which check no size.
absl::StatusOr<std::unique_ptr<ImageReader>> OpenJpeg(absl::string_view encoded,
                                                      const std::string& origin);
absl::StatusOr<std::unique_ptr<ImageReader>> OpenPng(absl::string_view encoded,
                                                     const std::string& origin);
absl::StatusOr<std::unique_ptr<ImageReader>> OpenWebp(absl::string_view encoded,
                                                      const std::string& origin);

}  // namespace cleave

#endif  // CLEAVE_CODEC_IMAGE_READER_H_
