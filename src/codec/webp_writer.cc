#include "codec/webp_writer.h"

#include <webp/encode.h>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

constexpr int kMethod = 4;

absl::Status Fault(ImageSize size, absl::string_view what) {
  return absl::InternalError(
      absl::StrCat("WebP of ", size.width, "x", size.height, ": cannot be written (", what, ")"));
}

// What libwebp allocates for one file, freed at the end.
struct Writer {
  Writer() { WebPMemoryWriterInit(&memory); }
  ~Writer() {
    WebPPictureFree(&picture);
    WebPMemoryWriterClear(&memory);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  WebPPicture picture = {};
  WebPMemoryWriter memory = {};
};

}  // namespace

absl::StatusOr<std::string> WriteWebp(const std::uint8_t* rgb, ImageSize size, int quality) {
  Writer writer;
  WebPConfig config;
  const bool ready =
      WebPConfigPreset(&config, WEBP_PRESET_DEFAULT, static_cast<float>(quality)) != 0 &&
      WebPPictureInit(&writer.picture) != 0;
  if (!ready) return Fault(size, "another version of libwebp than its header's");
  config.method = kMethod;
  writer.picture.width = size.width;
  writer.picture.height = size.height;
  writer.picture.writer = WebPMemoryWrite;
  writer.picture.custom_ptr = &writer.memory;
  const bool written =
      WebPPictureImportRGB(&writer.picture, rgb, size.width * RgbImage::kChannels) != 0 &&
      WebPEncode(&config, &writer.picture) != 0;
  if (!written) {
    return Fault(size, absl::StrCat("error ", static_cast<int>(writer.picture.error_code)));
  }
  return std::string(reinterpret_cast<const char*>(writer.memory.mem), writer.memory.size);
}

}  // namespace cleave
