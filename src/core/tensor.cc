#include "cleave/tensor.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/check.h"

namespace cleave {
namespace {

struct TypeInfo {
  DataType dtype;
  absl::string_view name;
  std::size_t size;
};

constexpr std::array kTypes = std::to_array<TypeInfo>({
    {DataType::kFloat32, "FP32", 4},
    {DataType::kFloat16, "FP16", 2},
    {DataType::kBFloat16, "BF16", 2},
    {DataType::kFloat64, "FP64", 8},
    {DataType::kInt8, "INT8", 1},
    {DataType::kInt16, "INT16", 2},
    {DataType::kInt32, "INT32", 4},
    {DataType::kInt64, "INT64", 8},
    {DataType::kUint8, "UINT8", 1},
    {DataType::kUint16, "UINT16", 2},
    {DataType::kUint32, "UINT32", 4},
    {DataType::kUint64, "UINT64", 8},
    {DataType::kBool, "BOOL", 1},
});

const TypeInfo& InfoOf(DataType dtype) { return kTypes[static_cast<std::size_t>(dtype)]; }

absl::Status CheckSize(DataType dtype, const Shape& shape, std::size_t size_bytes) {
  const absl::StatusOr<std::int64_t> elements = ElementCount(shape);
  if (!elements.ok()) return elements.status();
  const std::size_t expected = static_cast<std::size_t>(*elements) * ElementSize(dtype);
  if (size_bytes != expected) {
    return FieldError(absl::StrCat("tensor ", DataTypeName(dtype), " ", ShapeString(shape)),
                      absl::StrCat(size_bytes, " bytes"), expected);
  }
  return absl::OkStatus();
}

}  // namespace

std::size_t ElementSize(DataType dtype) { return InfoOf(dtype).size; }

absl::string_view DataTypeName(DataType dtype) { return InfoOf(dtype).name; }

std::optional<DataType> ParseDataType(absl::string_view oip_name) {
  for (const TypeInfo& info : kTypes) {
    if (info.name == oip_name) return info.dtype;
  }
  return std::nullopt;
}

absl::StatusOr<std::int64_t> ElementCount(const Shape& shape) {
  constexpr std::int64_t kLimit = std::int64_t{1} << 58;  // Times 8 bytes, it stays within 63 bits.
  std::int64_t product = 1;
  bool empty = false;
  for (const std::int64_t dim : shape) {
    if (dim < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", ShapeString(shape), ": found a dimension of ", dim));
    }
    if (dim == 0) {
      empty = true;
      continue;
    }
    if (product > kLimit / dim) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", ShapeString(shape), ": more than 2^58 elements"));
    }
    product *= dim;
  }
  return empty ? 0 : product;
}

std::string ShapeString(const Shape& shape) {
  if (shape.empty()) return "scalar";
  return absl::StrJoin(shape, "x", [](std::string* out, std::int64_t dim) {
    dim < 0 ? absl::StrAppend(out, "?") : absl::StrAppend(out, dim);
  });
}

Tensor::Tensor(DataType dtype, Shape shape, std::shared_ptr<const void> data,
               std::size_t size_bytes)
    : dtype_(dtype), shape_(std::move(shape)), data_(std::move(data)), size_bytes_(size_bytes) {}

absl::StatusOr<Tensor> Tensor::FromBytes(DataType dtype, Shape shape, std::string bytes) {
  if (absl::Status fits = CheckSize(dtype, shape, bytes.size()); !fits.ok()) return fits;
  const auto owner = std::make_shared<const std::string>(std::move(bytes));
  return Tensor(dtype, std::move(shape), std::shared_ptr<const void>(owner, owner->data()),
                owner->size());
}

absl::StatusOr<Tensor> Tensor::Wrap(DataType dtype, Shape shape, const void* data,
                                    std::size_t size_bytes, std::shared_ptr<const void> owner) {
  if (absl::Status fits = CheckSize(dtype, shape, size_bytes); !fits.ok()) return fits;
  return Tensor(dtype, std::move(shape), std::shared_ptr<const void>(std::move(owner), data),
                size_bytes);
}

absl::StatusOr<Tensor> Tensor::Zeros(DataType dtype, Shape shape) {
  const absl::StatusOr<std::int64_t> elements = ElementCount(shape);
  if (!elements.ok()) return elements.status();
  const std::size_t size_bytes = static_cast<std::size_t>(*elements) * ElementSize(dtype);
  constexpr std::size_t kMostBytes = std::size_t{1} << 40;
  if (size_bytes > kMostBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("tensor ", DataTypeName(dtype), " ",
                                                     ShapeString(shape), ": found ", size_bytes,
                                                     " bytes, expected at most ", kMostBytes));
  }
  return FromBytes(dtype, std::move(shape), std::string(size_bytes, '\0'));
}

absl::StatusOr<Tensor> Tensor::FromFloats(Shape shape, std::vector<float> values) {
  const auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  return Wrap(DataType::kFloat32, std::move(shape), owner->data(), owner->size() * sizeof(float),
              owner);
}

std::int64_t Tensor::elements() const {
  return static_cast<std::int64_t>(size_bytes_ / ElementSize(dtype_));
}

std::span<const float> Tensor::floats() const {
  return {static_cast<const float*>(data_.get()), size_bytes_ / sizeof(float)};
}

}  // namespace cleave
