#ifndef CLEAVE_CODEC_SAFETENSORS_H_
#define CLEAVE_CODEC_SAFETENSORS_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"

namespace cleave {

// A file of named tensors and texts in the format safetensors, which Python's package of that name
// reads and writes: 8 bytes with the length of the header, the header in JSON, the tensors' bytes.
struct Safetensors {
  std::map<std::string, std::string> metadata;
  std::map<std::string, Tensor> tensors;  // FP32, INT16, INT32 or UINT8.
};

// Reads the bytes of a file; the tensors have copies of their own. InvalidArgument names `origin`,
// the field, what was found and what was expected, before anything is allocated for a tensor: a
// header that is longer than the file or no JSON, an unknown type, a shape that is not that of the
// bytes, tensors that overlap or leave gaps, and NaN or infinity in a float.
absl::StatusOr<Safetensors> ReadSafetensors(absl::string_view bytes, const std::string& origin);

// Returns the bytes of the file. The same contents give the same bytes. REQUIRES: the types are
// those above.
std::string WriteSafetensors(const Safetensors& contents);

}  // namespace cleave

#endif  // CLEAVE_CODEC_SAFETENSORS_H_
