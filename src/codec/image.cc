#include "codec/image.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codec/jpeg_check.h"
#include "core/check.h"
#include "core/status_macros.h"

#define STBI_NO_STDIO
#include <stb/stb_image.h>
#include <stb/stb_image_resize.h>

namespace cleave {
namespace {

constexpr int kChannels = 3;
constexpr absl::string_view kJpegMagic("\xFF\xD8", 2);
constexpr absl::string_view kPngMagic("\x89PNG", 4);

struct FreePixels {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

// The pixels are 8-bit RGB in rows without gaps.
struct Image {
  int width = 0;
  int height = 0;
  std::shared_ptr<const stbi_uc> pixels;
};

// Returns the largest plausible number of pixels; an image with more is a decompression bomb. A
// JPEG block of 64 pixels takes at least one bit, and deflate makes at most 1032 bytes of one byte,
// each of 8 pixels.
std::int64_t MostPixels(absl::string_view encoded) {
  const std::int64_t per_byte = absl::StartsWith(encoded, kJpegMagic) ? 64 * 8 : 1032 * 8;
  return std::min(kMaxImagePixels, per_byte * static_cast<std::int64_t>(encoded.size()));
}

absl::StatusOr<Image> Decode(absl::string_view encoded, const std::string& origin) {
  const auto refuse = [&origin](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": ", why));
  };
  if (!absl::StartsWith(encoded, kJpegMagic) && !absl::StartsWith(encoded, kPngMagic)) {
    return refuse("found neither a JPEG nor a PNG image");
  }
  if (encoded.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return refuse(absl::StrCat("found ", encoded.size(), " bytes, expected an image below 2 GiB"));
  }
  if (absl::StartsWith(encoded, kJpegMagic)) {
    if (const std::optional<std::string> problem = FindJpegProblem(encoded)) {
      return refuse(*problem);
    }
  }
  const auto* data = reinterpret_cast<const stbi_uc*>(encoded.data());
  const int size = static_cast<int>(encoded.size());
  Image image;
  int channels = 0;
  if (stbi_info_from_memory(data, size, &image.width, &image.height, &channels) == 0) {
    return refuse(absl::StrCat("the image's header is broken (", stbi_failure_reason(), ")"));
  }
  const std::int64_t pixels = std::int64_t{image.width} * image.height;
  if (image.width <= 0 || image.height <= 0 || pixels > MostPixels(encoded)) {
    return refuse(absl::StrCat("found an image of ", image.width, "x", image.height, " in ",
                               encoded.size(), " bytes, expected at most ", MostPixels(encoded),
                               " pixels"));
  }
  std::unique_ptr<stbi_uc, FreePixels> decoded(
      stbi_load_from_memory(data, size, &image.width, &image.height, &channels, kChannels));
  if (!decoded) {
    return refuse(absl::StrCat("the image cannot be decoded (", stbi_failure_reason(), ")"));
  }
  image.pixels = std::shared_ptr<const stbi_uc>(std::move(decoded));
  return image;
}

absl::StatusOr<Image> Resize(const Image& image, int shorter_side, const std::string& origin) {
  const int shorter = std::min(image.width, image.height);
  if (shorter == shorter_side) return image;
  const auto scaled = [&](int side) {
    return side == shorter ? std::int64_t{shorter_side}
                           : std::int64_t{shorter_side} * side / shorter;
  };
  const std::int64_t width = scaled(image.width);
  const std::int64_t height = scaled(image.height);
  if (width * height > kMaxImagePixels) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": ", image.width, "x", image.height, " resized to ", width, "x",
                     height, ", expected at most ", kMaxImagePixels, " pixels"));
  }
  const auto pixels = std::make_shared<std::vector<stbi_uc>>(width * height * kChannels);
  // The filter is a triangle as wide as the reduction, which Pillow and torchvision call bilinear
  // with antialias.
  const int done = stbir_resize_uint8_generic(
      image.pixels.get(), image.width, image.height, 0, pixels->data(), static_cast<int>(width),
      static_cast<int>(height), 0, kChannels, STBIR_ALPHA_CHANNEL_NONE, 0, STBIR_EDGE_CLAMP,
      STBIR_FILTER_TRIANGLE, STBIR_COLORSPACE_LINEAR, nullptr);
  if (done == 0) return absl::ResourceExhaustedError(absl::StrCat(origin, ": cannot be resized"));
  return Image{static_cast<int>(width), static_cast<int>(height),
               std::shared_ptr<const stbi_uc>(pixels, pixels->data())};
}

Shape InputShape(const Preprocessing& how) {
  if (how.channels_first) return {1, kChannels, how.height, how.width};
  return {1, how.height, how.width, kChannels};
}

std::vector<std::uint8_t> Crop(const Image& image, const Preprocessing& how) {
  const int left = (image.width - how.width + 1) / 2;
  const int top = (image.height - how.height + 1) / 2;
  const std::size_t row_bytes = static_cast<std::size_t>(how.width) * kChannels;
  std::vector<std::uint8_t> pixels(row_bytes * how.height);
  for (int y = 0; y < how.height; ++y) {
    const std::size_t first = static_cast<std::size_t>(top + y) * image.width + left;
    std::memcpy(pixels.data() + row_bytes * y, image.pixels.get() + first * kChannels, row_bytes);
  }
  return pixels;
}

}  // namespace

int Preprocessing::shorter_side() const {
  if (resize > 0) return resize;
  return static_cast<int>(std::lround(std::max(height, width) * 256.0 / 224.0));
}

absl::Status Preprocessing::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckRange("preprocessing height", height, 1, kMaxImageSide));
  CLEAVE_RETURN_IF_ERROR(CheckRange("preprocessing width", width, 1, kMaxImageSide));
  if (resize != 0) {
    CLEAVE_RETURN_IF_ERROR(
        CheckRange("preprocessing resize", resize, std::min(height, width), 2 * kMaxImageSide));
  }
  for (int channel = 0; channel < kChannels; ++channel) {
    if (!std::isfinite(mean[channel])) {
      return FieldError("preprocessing mean", mean[channel], "a finite number");
    }
    if (!std::isfinite(deviation[channel]) || !(deviation[channel] >= 1e-6F)) {
      return FieldError("preprocessing std", deviation[channel], "a number from 1e-06");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::uint8_t>> ImageToPixels(absl::string_view encoded,
                                                        const Preprocessing& how,
                                                        const std::string& origin) {
  CLEAVE_RETURN_IF_ERROR(how.Validate());
  CLEAVE_ASSIGN_OR_RETURN(const Image decoded, Decode(encoded, origin));
  CLEAVE_ASSIGN_OR_RETURN(const Image resized, Resize(decoded, how.shorter_side(), origin));
  if (resized.width < how.width || resized.height < how.height) {
    return FieldError(
        origin,
        absl::StrCat("an image of ", decoded.width, "x", decoded.height, ", ", resized.width, "x",
                     resized.height, " with its shorter side at ", how.shorter_side()),
        absl::StrCat("at least ", how.width, "x", how.height, " for the crop"));
  }
  return Crop(resized, how);
}

void NormalizePixels(std::span<const std::uint8_t> pixels, const Preprocessing& how,
                     std::span<float> out) {
  const std::size_t plane = pixels.size() / kChannels;
  for (int channel = 0; channel < kChannels; ++channel) {
    const float scale = 1 / (255 * how.deviation[channel]);
    const float shift = how.mean[channel] / how.deviation[channel];
    const std::size_t stride = how.channels_first ? 1 : kChannels;
    const std::uint8_t* from = pixels.data() + channel;
    float* to = out.data() + (how.channels_first ? plane * channel : channel);
    for (std::size_t i = 0; i < plane; ++i) {
      to[i * stride] = static_cast<float>(from[i * kChannels]) * scale - shift;
    }
  }
}

absl::StatusOr<Tensor> ImageToTensor(absl::string_view encoded, const Preprocessing& how,
                                     const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> pixels,
                          ImageToPixels(encoded, how, origin));
  std::vector<float> values(pixels.size());
  NormalizePixels(pixels, how, values);
  return Tensor::FromFloats(InputShape(how), std::move(values));
}

absl::StatusOr<Tensor> StackBatch(const std::vector<Tensor>& items) {
  if (items.empty()) {
    return FieldError("batch", "no tensors", "at least 1");
  }
  if (items.size() == 1 && !items[0].shape().empty()) return items[0];
  const auto same_but_batch = [&first = items[0]](const Tensor& item) {
    return item.dtype() == first.dtype() && !item.shape().empty() &&
           item.shape().size() == first.shape().size() &&
           std::equal(item.shape().begin() + 1, item.shape().end(), first.shape().begin() + 1);
  };
  std::size_t size_bytes = 0;
  std::int64_t batch = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!same_but_batch(items[i])) {
      return FieldError(
          absl::StrCat("batch item ", i),
          absl::StrCat(DataTypeName(items[i].dtype()), " ", ShapeString(items[i].shape())),
          absl::StrCat(DataTypeName(items[0].dtype()), " ", ShapeString(items[0].shape()),
                       " but for the first dimension"));
    }
    size_bytes += items[i].size_bytes();
    batch += items[i].shape()[0];
  }
  std::string bytes;
  bytes.reserve(size_bytes);
  for (const Tensor& item : items) bytes.append(item.bytes().data(), item.size_bytes());
  Shape shape = items[0].shape();
  shape[0] = batch;
  return Tensor::FromBytes(items[0].dtype(), std::move(shape), std::move(bytes));
}

}  // namespace cleave
