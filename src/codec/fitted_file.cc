#include "codec/fitted_file.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::size_t kShown = 60;

}  // namespace

void AddAbout(absl::string_view format, const FittedAbout& about, Safetensors& file) {
  file.metadata["format"] = std::string(format);
  file.metadata["model_digest"] = about.model_digest;
  file.metadata["data_digest"] = about.data_digest;
  file.metadata["samples"] = absl::StrCat(about.samples);
}

absl::StatusOr<FittedAbout> ReadAbout(const Safetensors& file, absl::string_view format,
                                      const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string found, MetadataText(file, "format", origin));
  if (found != format) {
    return FieldError(absl::StrCat(origin, ": format"),
                      absl::StrCat("'", found.substr(0, kShown), "'"), format);
  }
  FittedAbout about;
  CLEAVE_ASSIGN_OR_RETURN(about.model_digest, MetadataText(file, "model_digest", origin));
  CLEAVE_ASSIGN_OR_RETURN(about.data_digest, MetadataText(file, "data_digest", origin));
  CLEAVE_RETURN_IF_ERROR(CheckDigest(absl::StrCat(origin, ": model_digest"), about.model_digest));
  CLEAVE_RETURN_IF_ERROR(CheckDigest(absl::StrCat(origin, ": data_digest"), about.data_digest));
  CLEAVE_ASSIGN_OR_RETURN(const std::string samples, MetadataText(file, "samples", origin));
  if (!absl::SimpleAtoi(samples, &about.samples) || about.samples < 1) {
    return FieldError(absl::StrCat(origin, ": samples"), samples.substr(0, kShown), "at least 1");
  }
  return about;
}

absl::Status CheckModel(const FittedAbout& about, absl::string_view model_digest,
                        const std::string& path, absl::string_view command) {
  if (about.model_digest == model_digest) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": is that of another model: found the digest ", about.model_digest,
                   ", expected ", model_digest, " (", command, " makes it anew)"));
}

std::string PathBeside(const std::string& model_path, absl::string_view ending) {
  return absl::StrCat(absl::StripSuffix(model_path, ".onnx"), ".", ending);
}

absl::StatusOr<std::string> MetadataText(const Safetensors& file, const std::string& key,
                                         const std::string& origin) {
  const auto found = file.metadata.find(key);
  if (found != file.metadata.end()) return found->second;
  return FieldError(absl::StrCat(origin, ": metadata"), absl::StrCat("no '", key, "'"), "one");
}

absl::StatusOr<const Tensor*> TensorOf(const Safetensors& file, const std::string& name,
                                       DataType dtype, const Shape& shape,
                                       const std::string& field) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) return FieldError(field, "none", "a tensor");
  const Tensor& tensor = found->second;
  if (tensor.dtype() == dtype && tensor.shape() == shape) return &tensor;
  return FieldError(field,
                    absl::StrCat(DataTypeName(tensor.dtype()), " ", ShapeString(tensor.shape())),
                    absl::StrCat(DataTypeName(dtype), " ", ShapeString(shape)));
}

}  // namespace cleave
