#ifndef CLEAVE_TENSOR_H_
#define CLEAVE_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// The dimensions, the outermost first.
using Shape = std::vector<std::int64_t>;

// Element types that a tensor on the wire may have. ONNX's complex and sub-byte types may occur
// inside a segment but never at a cut.
enum class DataType : std::uint8_t {
  kFloat32,
  kFloat16,
  kBFloat16,
  kFloat64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kBool,
  kString,
};

// The bytes that one element takes: of a string, those of its length alone, which is the least.
std::size_t ElementSize(DataType dtype);

// The bytes that a tensor of this type and shape takes; of strings, an estimate with 12 bytes of
// text in each. 0 for a shape that ElementCount refuses.
std::int64_t EstimatedBytes(DataType dtype, const Shape& shape);

// The Open Inference Protocol's name of a type ("FP32", "INT64", "BYTES" for strings), which the
// whole project uses.
absl::string_view DataTypeName(DataType dtype);
// The type of this name; nothing where the protocol has no such name.
std::optional<DataType> ParseDataType(absl::string_view oip_name);

// The product of the dimensions, which is 1 for a scalar. InvalidArgument if a dimension is
// negative or the product is above 2^62.
absl::StatusOr<std::int64_t> ElementCount(const Shape& shape);

// A shape for people to read: "1x3x224x224"; an empty shape is "scalar" and a negative dimension
// "?".
std::string ShapeString(const Shape& shape);

// An immutable dense tensor in row-major order. Strings lie one behind the other, each as four
// bytes of length (little-endian) and its bytes, which need not be UTF-8: the protocol's raw
// contents of BYTES. Copies share the bytes, which live as long as the last copy. Thread-safe.
class Tensor {
 public:
  Tensor() = default;

  // A tensor that takes over `bytes`. InvalidArgument unless there are as many of them as dtype and
  // shape need; strings are counted, and the length of each is checked.
  static absl::StatusOr<Tensor> FromBytes(DataType dtype, Shape shape, std::string bytes);

  // A tensor that views `data`, which has `size_bytes` and which `owner` keeps alive.
  // InvalidArgument as for FromBytes.
  static absl::StatusOr<Tensor> Wrap(DataType dtype, Shape shape, const void* data,
                                     std::size_t size_bytes, std::shared_ptr<const void> owner);

  // A tensor of zeros, or of empty strings. InvalidArgument for a shape that ElementCount refuses.
  static absl::StatusOr<Tensor> Zeros(DataType dtype, Shape shape);

  // A tensor of type kFloat32. InvalidArgument unless there are as many values as the shape needs.
  static absl::StatusOr<Tensor> FromFloats(Shape shape, std::vector<float> values);

  // A tensor of type kString. InvalidArgument unless there are as many strings as the shape needs,
  // each below 4 GiB.
  static absl::StatusOr<Tensor> FromStrings(Shape shape,
                                            std::span<const absl::string_view> strings);

  DataType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::int64_t elements() const;
  std::size_t size_bytes() const { return size_bytes_; }
  const std::byte* data() const { return static_cast<const std::byte*>(data_.get()); }
  absl::string_view bytes() const {
    return {reinterpret_cast<const char*>(data_.get()), size_bytes_};
  }

  // The elements as floats. REQUIRES: dtype() == kFloat32.
  std::span<const float> floats() const;

  // The elements, which view the tensor's bytes. REQUIRES: dtype() == kString.
  std::vector<absl::string_view> strings() const;

  // The tensor as `parts` tensors of as many rows of the first dimension each, which share its
  // bytes. InvalidArgument unless `parts` is 1, or a divisor of the first dimension.
  absl::StatusOr<std::vector<Tensor>> Split(std::int64_t parts) const;

 private:
  Tensor(DataType dtype, Shape shape, std::shared_ptr<const void> data, std::size_t size_bytes);

  DataType dtype_ = DataType::kFloat32;
  Shape shape_ = {0};
  std::shared_ptr<const void> data_;
  std::size_t size_bytes_ = 0;
};

// A tensor and its name in the ONNX graph.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// The name, type and shape of a tensor without its data. A dimension of -1, as in the Open
// Inference Protocol, is not known before the run; in a model's inputs it is free.
struct TensorSpec {
  std::string name;
  DataType dtype = DataType::kFloat32;
  Shape shape;
};

}  // namespace cleave

#endif  // CLEAVE_TENSOR_H_
