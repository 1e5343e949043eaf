#include "codec/input_preprocessing.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {

std::string PreprocessingFlags::ToJson() const {
  nlohmann::json fields = nlohmann::json::object();
  if (resize) fields["resize"] = *resize;
  if (height) fields["height"] = *height;
  if (width) fields["width"] = *width;
  if (mean) fields["mean"] = *mean;
  if (deviation) fields["std"] = *deviation;
  return nlohmann::json({{"preprocessing", fields}}).dump();
}

bool TakesPictures(const TensorSpec& input) {
  const bool known = input.dtype == DataType::kFloat32 || input.dtype == DataType::kFloat16 ||
                     input.dtype == DataType::kUint8;
  return known && input.shape.size() == 4;
}

absl::StatusOr<Preprocessing> PreprocessingFor(const TensorSpec& input,
                                               const std::string& model_path,
                                               const PreprocessingFlags& flags) {
  Preprocessing how;
  const Shape& shape = input.shape;
  if (shape.size() == 4) {
    how.channels_first = shape[3] != 3 || shape[1] == 3;
    const std::int64_t height = shape[how.channels_first ? 2 : 1];
    const std::int64_t width = shape[how.channels_first ? 3 : 2];
    if (height > 0) how.height = static_cast<int>(height);
    if (width > 0) how.width = static_cast<int>(width);
  }
  if (TakesPictures(input)) how.datatype = input.dtype;
  if (how.datatype == DataType::kUint8) how.KeepValues();
  absl::StatusOr<Preprocessing> sidecar = Preprocessing::FromSidecar(model_path, how);
  if (sidecar.ok()) {
    how = *sidecar;
  } else if (!absl::IsNotFound(sidecar.status())) {
    return sidecar.status();
  }
  how.resize = flags.resize.value_or(how.resize);
  how.height = flags.height.value_or(how.height);
  how.width = flags.width.value_or(how.width);
  how.mean = flags.mean.value_or(how.mean);
  how.deviation = flags.deviation.value_or(how.deviation);
  CLEAVE_RETURN_IF_ERROR(how.Validate());
  if (TakesPictures(input) && how.datatype != input.dtype) {
    return FieldError("preprocessing datatype", DataTypeName(how.datatype),
                      absl::StrCat(DataTypeName(input.dtype), ", the type of the model's input"));
  }
  return how;
}

absl::Status CheckTakesPictures(const TensorSpec& input, absl::string_view what) {
  if (TakesPictures(input)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      what, ": found images for an input of type ", DataTypeName(input.dtype), " and shape ",
      ShapeString(input.shape), ", expected an FP32, FP16 or UINT8 input of four dimensions"));
}

}  // namespace cleave
