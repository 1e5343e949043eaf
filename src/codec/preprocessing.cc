#include "codec/preprocessing.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr int kChannels = 3;
constexpr float kLargestHalf = 65504;
constexpr float kLeast = 1e-6F;

absl::Status CheckChannel(const Preprocessing& how, int channel) {
  const float mean = how.mean[channel];
  const float deviation = how.deviation[channel];
  if (!std::isfinite(mean)) return FieldError("preprocessing mean", mean, "a finite number");
  if (!std::isfinite(deviation) || !(deviation >= kLeast)) {
    return FieldError("preprocessing std", deviation, "a number from 1e-06");
  }
  if (how.datatype == DataType::kFloat16) {
    const float largest = std::max(std::abs(mean), std::abs(how.scale - mean)) / deviation;
    if (!(largest <= kLargestHalf)) {
      return FieldError("preprocessing mean and std", absl::StrCat("values up to ", largest),
                        absl::StrCat("at most ", kLargestHalf, " for FP16"));
    }
  }
  if (how.datatype == DataType::kUint8) {
    if (mean != 0) return FieldError("preprocessing mean", mean, "0 for UINT8");
    if (deviation != 1) return FieldError("preprocessing std", deviation, "1 for UINT8");
  }
  return absl::OkStatus();
}

}  // namespace

int Preprocessing::shorter_side() const {
  if (resize > 0) return resize;
  return static_cast<int>(std::lround(std::max(height, width) * 256.0 / 224.0));
}

Shape Preprocessing::InputShape(std::int64_t count) const {
  if (channels_first) return {count, kChannels, height, width};
  return {count, height, width, kChannels};
}

void Preprocessing::KeepValues() {
  scale = 255;
  mean = {0, 0, 0};
  deviation = {1, 1, 1};
}

absl::Status Preprocessing::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckRange("preprocessing height", height, 1, kMaxImageSide));
  CLEAVE_RETURN_IF_ERROR(CheckRange("preprocessing width", width, 1, kMaxImageSide));
  if (resize != 0) {
    if (fit != Fit::kCrop) {
      return FieldError("preprocessing resize", resize, "0, as only the fit crop resizes a side");
    }
    CLEAVE_RETURN_IF_ERROR(
        CheckRange("preprocessing resize", resize, std::min(height, width), 2 * kMaxImageSide));
  }
  CLEAVE_RETURN_IF_ERROR(CheckRange("preprocessing pad", pad, 0, 255));
  CLEAVE_RETURN_IF_ERROR(CheckRange("preprocessing scale", scale, kLeast, kLargestHalf));
  if (datatype != DataType::kFloat32 && datatype != DataType::kFloat16 &&
      datatype != DataType::kUint8) {
    return FieldError("preprocessing datatype", DataTypeName(datatype), "FP32, FP16 or UINT8");
  }
  if (datatype == DataType::kUint8 && scale != 255) {
    return FieldError("preprocessing scale", scale, "255 for UINT8");
  }
  for (int channel = 0; channel < kChannels; ++channel) {
    CLEAVE_RETURN_IF_ERROR(CheckChannel(*this, channel));
  }
  return absl::OkStatus();
}

}  // namespace cleave
