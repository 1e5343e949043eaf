#ifndef CLEAVE_CODEC_FITTED_FILE_H_
#define CLEAVE_CODEC_FITTED_FILE_H_

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"
#include "codec/safetensors.h"

// The parts that files have in common which lie beside a model and hold what was fitted for it:
// codecs and filters. All are thread-safe; errors are InvalidArgument and name the field, what was
// found and what was expected.

namespace cleave {

// What such a file says of itself.
struct FittedAbout {
  // The SHA-256 of the model file as 64 hex digits; data_digest has the same form.
  std::string model_digest;
  std::string data_digest;  // Of the samples that it was fitted to.
  std::int64_t samples = 0;
};

// Adds this to the metadata of a file of this format, for ReadAbout.
void AddAbout(absl::string_view format, const FittedAbout& about, Safetensors& file);
absl::StatusOr<FittedAbout> ReadAbout(const Safetensors& file, absl::string_view format,
                                      const std::string& origin);
// FailedPrecondition, with both digests and the command that makes the file anew, for the file of
// another model.
absl::Status CheckModel(const FittedAbout& about, absl::string_view model_digest,
                        const std::string& path, absl::string_view command);

// The path of a file beside a model: MODEL.ending for MODEL.onnx.
std::string PathBeside(const std::string& model_path, absl::string_view ending);

// Returns the text of the metadata that has this key.
absl::StatusOr<std::string> MetadataText(const Safetensors& file, const std::string& key,
                                         const std::string& origin);

// Returns the tensor of this name, checked; `field` is what errors call it.
absl::StatusOr<const Tensor*> TensorOf(const Safetensors& file, const std::string& name,
                                       DataType dtype, const Shape& shape,
                                       const std::string& field);

// Returns the elements of that tensor.
template <typename Value>
absl::StatusOr<std::vector<Value>> ValuesOf(const Safetensors& file, const std::string& name,
                                            const Shape& shape, const std::string& field) {
  constexpr DataType kType = std::is_same_v<Value, float>          ? DataType::kFloat32
                             : std::is_same_v<Value, std::int16_t> ? DataType::kInt16
                                                                   : DataType::kInt32;
  const absl::StatusOr<const Tensor*> tensor = TensorOf(file, name, kType, shape, field);
  if (!tensor.ok()) return tensor.status();
  const auto* first = reinterpret_cast<const Value*>((*tensor)->data());
  return std::vector<Value>(first, first + (*tensor)->elements());
}

}  // namespace cleave

#endif  // CLEAVE_CODEC_FITTED_FILE_H_
