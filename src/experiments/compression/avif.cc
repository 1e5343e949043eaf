#include "experiments/compression/avif.h"

#include <avif/avif.h>

#include <cmath>
#include <memory>

#include "absl/strings/str_cat.h"

namespace cleave::experiments::compression {
namespace {

constexpr int kSpeed = 6;
constexpr int kDepth = 8;
constexpr std::size_t kChannels = 3;

using Image = std::unique_ptr<avifImage, void (*)(avifImage*)>;

absl::Status Fault(absl::string_view what, avifResult result) {
  return absl::InternalError(absl::StrCat("AVIF: ", what, ": ", avifResultToString(result)));
}

// A view of RGB bytes for libavif, which takes pointers that are not const.
avifRGBImage ViewOf(const avifImage& image, std::uint8_t* pixels) {
  avifRGBImage rgb;
  avifRGBImageSetDefaults(&rgb, &image);
  rgb.format = AVIF_RGB_FORMAT_RGB;
  rgb.depth = kDepth;
  rgb.pixels = pixels;
  rgb.rowBytes = image.width * static_cast<std::uint32_t>(kChannels);
  return rgb;
}

}  // namespace

absl::StatusOr<std::string> EncodeAvif(std::span<const std::uint8_t> pixels, int height, int width,
                                       int quality) {
  const Image image(avifImageCreate(width, height, kDepth, AVIF_PIXEL_FORMAT_YUV420),
                    avifImageDestroy);
  const avifRGBImage rgb = ViewOf(*image, const_cast<std::uint8_t*>(pixels.data()));
  avifResult result = avifImageRGBToYUV(image.get(), &rgb);
  if (result != AVIF_RESULT_OK) return Fault("converting colours", result);
  const std::unique_ptr<avifEncoder, void (*)(avifEncoder*)> encoder(avifEncoderCreate(),
                                                                     avifEncoderDestroy);
  encoder->speed = kSpeed;
  encoder->maxThreads = 1;
  const int quantizer =
      static_cast<int>(std::lround(AVIF_QUANTIZER_WORST_QUALITY * (100 - quality) / 100.0));
  encoder->minQuantizer = encoder->maxQuantizer = quantizer;
  avifRWData out = AVIF_DATA_EMPTY;
  result = avifEncoderWrite(encoder.get(), image.get(), &out);
  std::string file(reinterpret_cast<const char*>(out.data), out.size);
  avifRWDataFree(&out);
  if (result != AVIF_RESULT_OK) return Fault("encoding", result);
  return file;
}

absl::StatusOr<std::vector<std::uint8_t>> DecodeAvif(absl::string_view file) {
  const std::unique_ptr<avifDecoder, void (*)(avifDecoder*)> decoder(avifDecoderCreate(),
                                                                     avifDecoderDestroy);
  const Image image(avifImageCreateEmpty(), avifImageDestroy);
  avifResult result = avifDecoderReadMemory(
      decoder.get(), image.get(), reinterpret_cast<const std::uint8_t*>(file.data()), file.size());
  if (result != AVIF_RESULT_OK) return Fault("decoding", result);
  std::vector<std::uint8_t> pixels(std::size_t{image->width} * image->height * kChannels);
  avifRGBImage rgb = ViewOf(*image, pixels.data());
  result = avifImageYUVToRGB(image.get(), &rgb);
  if (result != AVIF_RESULT_OK) return Fault("converting colours", result);
  return pixels;
}

}  // namespace cleave::experiments::compression
