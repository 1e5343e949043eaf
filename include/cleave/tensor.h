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

// Element types that a tensor on the wire may have. ONNX's strings, complex and sub-byte types may
// occur inside a segment but never at a cut.
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
};

// Bytes of one element.
std::size_t ElementSize(DataType dtype);

// The Open Inference Protocol's name of a type ("FP32", "INT64", ...), which the project uses
// everywhere.
absl::string_view DataTypeName(DataType dtype);
std::optional<DataType> ParseDataType(absl::string_view oip_name);

using Shape = std::vector<std::int64_t>;

// Product of the dimensions; 1 for a scalar. InvalidArgument if one is negative or the product
// overflows 2^62.
absl::StatusOr<std::int64_t> ElementCount(const Shape& shape);

// "1x3x224x224"; "scalar" for an empty shape; "?" for a negative dimension.
std::string ShapeString(const Shape& shape);

// An immutable dense row-major tensor. Copies share the bytes, which stay alive with the last copy.
// Thread-safe: const access from any number of threads.
class Tensor {
 public:
  Tensor() = default;

  // Takes over `bytes`. InvalidArgument unless bytes.size() is what dtype and shape need.
  static absl::StatusOr<Tensor> FromBytes(DataType dtype, Shape shape, std::string bytes);

  // Views `data` (of `size_bytes`), which `owner` keeps alive. InvalidArgument on a size that does
  // not fit.
  static absl::StatusOr<Tensor> Wrap(DataType dtype, Shape shape, const void* data,
                                     std::size_t size_bytes, std::shared_ptr<const void> owner);

  // A tensor of zeros.
  static absl::StatusOr<Tensor> Zeros(DataType dtype, Shape shape);

  static absl::StatusOr<Tensor> FromFloats(Shape shape, std::vector<float> values);

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

 private:
  Tensor(DataType dtype, Shape shape, std::shared_ptr<const void> data, std::size_t size_bytes);

  DataType dtype_ = DataType::kFloat32;
  Shape shape_ = {0};
  std::shared_ptr<const void> data_;
  std::size_t size_bytes_ = 0;
};

// A tensor under its name in the ONNX graph.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// Type and shape without data; a dimension of -1 is not known before the run.
struct TensorSpec {
  std::string name;
  DataType dtype = DataType::kFloat32;
  Shape shape;
};

}  // namespace cleave

#endif  // CLEAVE_TENSOR_H_
