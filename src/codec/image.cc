#include "codec/image.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/image_reader.h"
#include "codec/input_geometry.h"
#include "codec/kernels.h"
#include "codec/resample.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr int kChannels = RgbImage::kChannels;
constexpr int kLevels = 256;

// What each value of a pixel becomes, for each channel of the model.
template <typename Element>
using Levels = std::array<std::array<Element, kLevels>, kChannels>;

Levels<float> FloatLevels(const Preprocessing& how) {
  Levels<float> levels;
  for (int channel = 0; channel < kChannels; ++channel) {
    const float scale = how.scale / (255 * how.deviation[channel]);
    const float shift = how.mean[channel] / how.deviation[channel];
    for (int value = 0; value < kLevels; ++value) {
      levels[channel][value] = static_cast<float>(value) * scale - shift;
    }
  }
  return levels;
}

Levels<std::uint16_t> HalfLevels(const Preprocessing& how) {
  const Levels<float> floats = FloatLevels(how);
  Levels<std::uint16_t> halves;
  for (int channel = 0; channel < kChannels; ++channel) {
    FloatsToHalves(floats[channel].data(), kLevels, halves[channel].data());
  }
  return halves;
}

Levels<std::uint8_t> ByteLevels() {
  Levels<std::uint8_t> levels;
  for (auto& channel : levels) {
    for (int value = 0; value < kLevels; ++value) channel[value] = static_cast<std::uint8_t>(value);
  }
  return levels;
}

template <typename Element>
void Convert(std::span<const std::uint8_t> pixels, const Preprocessing& how,
             const Levels<Element>& levels, Element* out) {
  const std::size_t plane = pixels.size() / kChannels;
  const std::size_t stride = how.channels_first ? 1 : kChannels;
  for (int channel = 0; channel < kChannels; ++channel) {
    const bool turned = how.channel_order == Preprocessing::ChannelOrder::kBgr;
    const std::uint8_t* from = pixels.data() + (turned ? kChannels - 1 - channel : channel);
    const Element* const level = levels[channel].data();
    Element* to = out + (how.channels_first ? plane * channel : channel);
    for (std::size_t i = 0; i < plane; ++i) to[i * stride] = level[from[i * kChannels]];
  }
}

template <typename Element>
absl::StatusOr<Tensor> Converted(std::span<const std::uint8_t> pixels, const Preprocessing& how,
                                 const Levels<Element>& levels) {
  std::vector<Element> elements(pixels.size());
  Convert(pixels, how, levels, elements.data());
  return Tensor::FromBytes(
      how.datatype, how.InputShape(1),
      {reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(Element)});
}

std::vector<std::uint8_t> Place(RgbImage shown, const Placement& place, const Preprocessing& how) {
  const ImageSize input = {how.width, how.height};
  if (shown.size == input) return std::move(shown.rgb);
  RgbImage padded(input);
  std::fill(padded.rgb.begin(), padded.rgb.end(), static_cast<std::uint8_t>(how.pad));
  for (int y = 0; y < shown.size.height; ++y) {
    std::memcpy(padded.row(place.top + y) + static_cast<std::size_t>(place.left) * kChannels,
                shown.row(y), shown.row_bytes());
  }
  return std::move(padded.rgb);
}

}  // namespace

absl::StatusOr<std::vector<std::uint8_t>> ImageToPixels(absl::string_view encoded,
                                                        const Preprocessing& how,
                                                        const std::string& origin) {
  CLEAVE_RETURN_IF_ERROR(how.Validate());
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<ImageReader> reader,
                          ImageReader::Open(encoded, origin));
  // A picture that does not fit is not decoded.
  CLEAVE_RETURN_IF_ERROR(PlacePicture(reader->header().upright(), how, origin).status());
  CLEAVE_ASSIGN_OR_RETURN(const RgbImage upright, reader->ReadUpright());
  return FitPixels(upright, how, origin);
}

absl::StatusOr<std::vector<std::uint8_t>> FitPixels(const RgbImage& upright,
                                                    const Preprocessing& how,
                                                    const std::string& origin) {
  CLEAVE_RETURN_IF_ERROR(how.Validate());
  CLEAVE_ASSIGN_OR_RETURN(const Placement place, PlacePicture(upright.size, how, origin));
  return Place(Resample(upright, place.resized, place.taken), place, how);
}

void NormalizePixels(std::span<const std::uint8_t> pixels, const Preprocessing& how,
                     std::span<float> out) {
  Convert(pixels, how, FloatLevels(how), out.data());
}

absl::StatusOr<Tensor> PixelsToTensor(std::span<const std::uint8_t> pixels,
                                      const Preprocessing& how) {
  const std::size_t expected = std::size_t{kChannels} * how.height * how.width;
  if (pixels.size() != expected) {
    return FieldError(absl::StrCat("pixels of ", how.width, "x", how.height),
                      absl::StrCat(pixels.size(), " bytes of RGB"), expected);
  }
  if (how.datatype == DataType::kUint8) return Converted(pixels, how, ByteLevels());
  if (how.datatype == DataType::kFloat16) return Converted(pixels, how, HalfLevels(how));
  std::vector<float> values(pixels.size());
  NormalizePixels(pixels, how, values);
  return Tensor::FromFloats(how.InputShape(1), std::move(values));
}

absl::StatusOr<Tensor> ImageToTensor(absl::string_view encoded, const Preprocessing& how,
                                     const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> pixels,
                          ImageToPixels(encoded, how, origin));
  return PixelsToTensor(pixels, how);
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
