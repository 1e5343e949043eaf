#include "recorder/frigate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/preprocessing.h"
#include "core/check.h"
#include "core/printable.h"
#include "core/status_macros.h"

namespace cleave::recorder {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "answers are little-endian");

constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxNameBytes = 4096;
constexpr int kColumns = 6;
constexpr float kMostShare = 1.5F;
constexpr float kMostValue = 255;

enum class Layout : std::uint8_t { kHwc, kChw };
enum class ElementType : std::uint8_t { kUint8, kFloat32 };

struct TensorHeader {
  ImageSize size;
  Layout layout = Layout::kHwc;
  ElementType type = ElementType::kUint8;

  std::size_t element_bytes() const { return type == ElementType::kUint8 ? 1 : sizeof(float); }
  std::size_t values() const {
    return static_cast<std::size_t>(size.pixels()) * RgbImage::kChannels;
  }
};

absl::StatusOr<json> ParseHeader(absl::string_view text) {
  if (text.size() > kMaxHeaderBytes) {
    return FieldError("header", absl::StrCat(text.size(), " bytes"),
                      absl::StrCat("at most ", kMaxHeaderBytes));
  }
  json header = json::parse(text.begin(), text.end(), nullptr, false);
  if (header.is_object()) return header;
  return FieldError("header", "text that is no JSON object", "a JSON object");
}

bool IsTrue(const json& header, const char* key) {
  const auto found = header.find(key);
  return found != header.end() && found->is_boolean() && found->get<bool>();
}

absl::StatusOr<std::string> ModelName(const json& header) {
  const auto found = header.find("model_name");
  if (found == header.end() || !found->is_string()) {
    return FieldError("model_name", found == header.end() ? "nothing" : found->type_name(),
                      "a text");
  }
  std::string name = found->get<std::string>();
  if (name.size() > kMaxNameBytes) {
    return FieldError("model_name", absl::StrCat(name.size(), " bytes"),
                      absl::StrCat("at most ", kMaxNameBytes));
  }
  return name;
}

absl::StatusOr<std::array<std::int64_t, 3>> PictureDimensions(const json& header) {
  const absl::string_view expected = "[1, HEIGHT, WIDTH, 3] or [1, 3, HEIGHT, WIDTH]";
  const auto found = header.find("shape");
  if (found == header.end() || !found->is_array() || found->size() != 4) {
    return FieldError("shape", "no list of four numbers", expected);
  }
  std::array<std::int64_t, 4> shape{};
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const json& each = (*found)[i];
    if (!each.is_number_unsigned() || each.get<std::uint64_t>() > kMaxImageSide) {
      return FieldError(absl::StrCat("shape[", i, "]"), Printable(each.dump(-1, ' ', true)),
                        absl::StrCat("a whole number up to ", kMaxImageSide));
    }
    shape[i] = static_cast<std::int64_t>(each.get<std::uint64_t>());
  }
  if (shape[0] != 1) {
    return FieldError("shape", absl::StrCat("[", absl::StrJoin(shape, ", "), "]"), expected);
  }
  return std::array<std::int64_t, 3>{shape[1], shape[2], shape[3]};
}

absl::StatusOr<TensorHeader> ParseTensorHeader(const json& header) {
  CLEAVE_ASSIGN_OR_RETURN(const auto shape, PictureDimensions(header));
  TensorHeader parsed;
  if (shape[2] == RgbImage::kChannels) {
    parsed.size = {static_cast<int>(shape[1]), static_cast<int>(shape[0])};
  } else if (shape[0] == RgbImage::kChannels) {
    parsed.size = {static_cast<int>(shape[2]), static_cast<int>(shape[1])};
    parsed.layout = Layout::kChw;
  } else {
    return FieldError("shape", absl::StrCat("[1, ", absl::StrJoin(shape, ", "), "]"),
                      "3 channels, last or before height and width");
  }
  if (parsed.size.width < 1 || parsed.size.height < 1 || parsed.size.pixels() > kMaxImagePixels) {
    return FieldError("shape", absl::StrCat(parsed.size.width, "x", parsed.size.height, " pixels"),
                      absl::StrCat("1 to ", kMaxImagePixels));
  }
  const auto type = header.find("dtype");
  if (type != header.end() && *type == "uint8") return parsed;
  if (type != header.end() && *type == "float32") {
    parsed.type = ElementType::kFloat32;
    return parsed;
  }
  return FieldError("dtype",
                    type == header.end() ? "nothing" : Printable(type->dump(-1, ' ', true)),
                    "\"uint8\" or \"float32\"");
}

// What a value has to be multiplied by to lie from 0 to 255; nothing where one of them never does.
std::optional<float> ScaleOf(const std::vector<float>& values) {
  float most = 0;
  for (const float value : values) {
    if (!(value >= 0 && value <= kMostValue)) return std::nullopt;
    most = std::max(most, value);
  }
  return most > kMostShare ? 1.0F : kMostValue;
}

absl::StatusOr<std::vector<std::uint8_t>> ReadValues(const TensorHeader& header,
                                                     absl::string_view bytes) {
  std::vector<std::uint8_t> values(header.values());
  if (header.type == ElementType::kUint8) {
    std::memcpy(values.data(), bytes.data(), values.size());
    return values;
  }
  std::vector<float> floats(header.values());
  std::memcpy(floats.data(), bytes.data(), bytes.size());
  const std::optional<float> scale = ScaleOf(floats);
  if (!scale) {
    return FieldError("tensor", "a value below 0, above 255 or that is no number",
                      "shares of 1, or values of 0 to 255");
  }
  std::transform(floats.begin(), floats.end(), values.begin(), [scale](float value) {
    return static_cast<std::uint8_t>(std::lround(std::min(value * *scale, kMostValue)));
  });
  return values;
}

RgbImage PictureOf(const TensorHeader& header, std::vector<std::uint8_t> values, PixelOrder order) {
  RgbImage picture(header.size);
  const auto pixels = static_cast<std::size_t>(header.size.pixels());
  const bool channels_last = header.layout == Layout::kHwc;
  for (std::size_t channel = 0; channel < RgbImage::kChannels; ++channel) {
    const std::size_t to = order == PixelOrder::kRgb ? channel : RgbImage::kChannels - 1 - channel;
    for (std::size_t i = 0; i < pixels; ++i) {
      picture.rgb[i * RgbImage::kChannels + to] =
          values[channels_last ? i * RgbImage::kChannels + channel : channel * pixels + i];
    }
  }
  return picture;
}

absl::StatusOr<FrigateRequest> ParseFrame(const json& header, absl::string_view body,
                                          PixelOrder order) {
  CLEAVE_ASSIGN_OR_RETURN(const TensorHeader tensor, ParseTensorHeader(header));
  const std::size_t expected = tensor.values() * tensor.element_bytes();
  if (body.size() != expected) {
    return FieldError("tensor", absl::StrCat(body.size(), " bytes"), expected);
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::uint8_t> values, ReadValues(tensor, body));
  return FrameRequest{PictureOf(tensor, std::move(values), order)};
}

}  // namespace

absl::StatusOr<FrigateRequest> ParseFrigateRequest(std::span<const absl::string_view> frames,
                                                   PixelOrder order) {
  if (frames.empty() || frames.size() > 2) {
    return FieldError("message", absl::StrCat(frames.size(), " frames"),
                      "a header, or a header and a tensor");
  }
  CLEAVE_ASSIGN_OR_RETURN(const json header, ParseHeader(frames[0]));
  if (IsTrue(header, "model_request")) {
    CLEAVE_ASSIGN_OR_RETURN(std::string name, ModelName(header));
    return ModelQuestion{std::move(name)};
  }
  if (frames.size() == 1) return FieldError("message", "a header alone", "a tensor behind it");
  if (IsTrue(header, "model_data")) {
    CLEAVE_ASSIGN_OR_RETURN(std::string name, ModelName(header));
    return ModelOffer{std::move(name), frames[1].size()};
  }
  return ParseFrame(header, frames[1], order);
}

std::string FrigateAnswer(const std::vector<Detection>& detections, ImageSize picture) {
  std::array<float, std::size_t{kFrigateRows} * kColumns> rows{};
  const std::size_t count = std::min(detections.size(), std::size_t{kFrigateRows});
  for (std::size_t i = 0; i < count; ++i) {
    const Detection& found = detections[i];
    const std::array<double, kColumns> row = {
        static_cast<double>(found.class_index), found.score,
        found.box.y0 / picture.height,          found.box.x0 / picture.width,
        found.box.y1 / picture.height,          found.box.x1 / picture.width};
    std::transform(row.begin(), row.end(), rows.begin() + static_cast<std::ptrdiff_t>(i * kColumns),
                   [](double value) { return static_cast<float>(value); });
  }
  return {reinterpret_cast<const char*>(rows.data()), sizeof(rows)};
}

std::string ModelAnswer(bool ready) {
  return json{{"model_available", ready}, {"model_loaded", ready}}.dump();
}

std::string OfferAnswer(bool taken) {
  return json{{"model_saved", taken}, {"model_loaded", taken}}.dump();
}

std::string FrigateError(const absl::Status& why) {
  return json{{"error", Printable(why.message())}}.dump();
}

}  // namespace cleave::recorder
