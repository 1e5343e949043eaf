#ifndef CLEAVE_CODEC_PREPROCESSING_H_
#define CLEAVE_CODEC_PREPROCESSING_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"

namespace cleave {

// The longest side of a model's input, and the most pixels of a picture.
inline constexpr int kMaxImageSide = 8192;
inline constexpr std::int64_t kMaxImagePixels = std::int64_t{1} << 26;

// Which decoders and which resampler make pixels of a file. Two peers of one revision make the same
// pixels. Revision 1 was stb; revision 2 is libjpeg-turbo, libpng, libwebp and codec/resample.h.
inline constexpr int kPixelRevision = 2;

// Says how an image becomes a model's input: it is fitted to height x width, and each value v of a
// channel, which is 0 to 255, becomes (v / 255 * scale - mean) / deviation. The defaults are
// ImageNet's, which torchvision's models expect.
struct Preprocessing {
  enum class Fit {
    // The shorter side is resized to `resize`, and the centre of height x width is cropped. If
    // `resize` is the smaller of height and width, an image of height x width stays as it is.
    kCrop,
    // The image is resized to height x width, whatever its aspect ratio is.
    kStretch,
    // The image keeps its aspect ratio: it is resized to the largest size that fits, put into the
    // centre, and the rest is filled with `pad`, as the YOLO family does it.
    kLetterbox,
  };
  enum class ChannelOrder { kRgb, kBgr };

  Fit fit = Fit::kCrop;
  // The shorter side before the crop; 0 means 256/224 of the larger of height and width.
  int resize = 0;
  int height = 224;
  int width = 224;
  int pad = 114;  // The value of all three channels where a letterbox has no picture, 0 to 255.
  bool channels_first = true;  // True means NCHW, false NHWC.
  ChannelOrder channel_order = ChannelOrder::kRgb;
  // What a value of 255 becomes before mean and deviation: 1, or 255 to leave values as they are.
  float scale = 1;
  // One for each channel, in the order that the model has them in.
  std::array<float, 3> mean = {0.485F, 0.456F, 0.406F};
  std::array<float, 3> deviation = {0.229F, 0.224F, 0.225F};
  DataType datatype = DataType::kFloat32;  // Of the model's input: FP32, FP16 or UINT8.
  // The revision of whoever means these pixels; a receiver of another one refuses the picture.
  int revision = kPixelRevision;

  // Checks that sides are from 1 to kMaxImageSide; that `resize` is 0 or, for a crop, at least the
  // smaller of them; that `pad` is a byte, `scale` from 1e-6 to 65504, means are finite and
  // deviations above 0; that FP16 can hold all values; and that UINT8 takes them unchanged (scale
  // 255, mean 0, deviation 1). InvalidArgument names the field.
  absl::Status Validate() const;

  // Returns `resize`, or what it stands for when it is 0.
  int shorter_side() const;

  // Returns the shape of a batch of `count` inputs.
  Shape InputShape(std::int64_t count) const;

  // Leaves values as the file has them: scale 255, mean 0, deviation 1.
  void KeepValues();

  // Reads the JSON sidecar `<model>.json` ({"preprocessing": {"fit": "crop", "resize", "height",
  // "width", "pad", "layout": "NCHW", "channel_order": "RGB", "scale", "mean": [..], "std": [..],
  // "datatype": "FP32", "revision"}}). Each field is optional; unknown ones are refused, and so is
  // another revision than kPixelRevision; `<model>` is the path with or without its extension.
  // "UINT8" makes KeepValues the default of the fields that it changes. NotFound if there is no
  // file or it has no "preprocessing".
  static absl::StatusOr<Preprocessing> FromSidecar(const std::string& model_path,
                                                   Preprocessing defaults);
  // Reads the text of such a sidecar; `origin` names it in errors.
  static absl::StatusOr<Preprocessing> FromJson(absl::string_view json, const std::string& origin,
                                                Preprocessing defaults);
  // Returns the JSON that FromJson reads back as the same value.
  std::string ToJson() const;
};

}  // namespace cleave

#endif  // CLEAVE_CODEC_PREPROCESSING_H_
