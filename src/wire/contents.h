#ifndef CLEAVE_WIRE_CONTENTS_H_
#define CLEAVE_WIRE_CONTENTS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"
#include "open_inference_grpc.pb.h"

namespace cleave {

// These functions convert between the protocol's typed tensor contents and row-major bytes.

// Makes a tensor of `dtype` and `shape` from the field of `contents` that belongs to the type.
// InvalidArgument, starting with `what`, when the number of elements does not fit the shape,
// another field is filled too, a value does not fit the type, or the type travels in raw form only.
absl::StatusOr<Tensor> TensorFromContents(absl::string_view what, DataType dtype, Shape shape,
                                          const inference::InferTensorContents& contents);

// Whether a type can travel as typed contents; FP16 and BF16 cannot.
bool HasTypedContents(DataType dtype);

// Puts the tensor's elements into the field of its type. REQUIRES:
// HasTypedContents(tensor.dtype()).
void FillContents(const Tensor& tensor, inference::InferTensorContents& contents);

// The number of elements in all fields together.
std::int64_t CountContents(const inference::InferTensorContents& contents);

}  // namespace cleave

#endif  // CLEAVE_WIRE_CONTENTS_H_
