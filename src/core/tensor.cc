#include "cleave/tensor.h"

#include <array>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/check.h"
#include "core/length_prefixed.h"
#include "core/status_macros.h"

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
    {DataType::kString, "BYTES", kLengthPrefixBytes},
});

const TypeInfo& InfoOf(DataType dtype) { return kTypes[static_cast<std::size_t>(dtype)]; }

constexpr std::int64_t kUsualTextBytes = 12;

absl::Status CheckBytes(DataType dtype, const Shape& shape, absl::string_view bytes) {
  CLEAVE_ASSIGN_OR_RETURN(const std::int64_t elements, ElementCount(shape));
  const auto what = [&] {
    return absl::StrCat("tensor ", DataTypeName(dtype), " ", ShapeString(shape));
  };
  if (dtype == DataType::kString) {
    CLEAVE_ASSIGN_OR_RETURN(const std::int64_t found, CountLengthPrefixed(what(), bytes));
    if (found == elements) return absl::OkStatus();
    return FieldError(what(), absl::StrCat(found, " strings"), elements);
  }
  const std::size_t expected = static_cast<std::size_t>(elements) * ElementSize(dtype);
  if (bytes.size() == expected) return absl::OkStatus();
  return FieldError(what(), absl::StrCat(bytes.size(), " bytes"), expected);
}

}  // namespace

std::size_t ElementSize(DataType dtype) { return InfoOf(dtype).size; }

std::int64_t EstimatedBytes(DataType dtype, const Shape& shape) {
  const std::int64_t text = dtype == DataType::kString ? kUsualTextBytes : 0;
  return ElementCount(shape).value_or(0) * (static_cast<std::int64_t>(ElementSize(dtype)) + text);
}

absl::string_view DataTypeName(DataType dtype) { return InfoOf(dtype).name; }

std::optional<DataType> ParseDataType(absl::string_view oip_name) {
  for (const TypeInfo& info : kTypes) {
    if (info.name == oip_name) return info.dtype;
  }
  return std::nullopt;
}

absl::StatusOr<std::int64_t> ElementCount(const Shape& shape) {
  constexpr std::int64_t kLimit = std::int64_t{1}
                                  << 58;  // Times 16 bytes, it stays within 63 bits.
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
  CLEAVE_RETURN_IF_ERROR(CheckBytes(dtype, shape, bytes));
  const auto owner = std::make_shared<const std::string>(std::move(bytes));
  return Tensor(dtype, std::move(shape), std::shared_ptr<const void>(owner, owner->data()),
                owner->size());
}

absl::StatusOr<Tensor> Tensor::Wrap(DataType dtype, Shape shape, const void* data,
                                    std::size_t size_bytes, std::shared_ptr<const void> owner) {
  CLEAVE_RETURN_IF_ERROR(CheckBytes(dtype, shape, {static_cast<const char*>(data), size_bytes}));
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

absl::StatusOr<Tensor> Tensor::FromStrings(Shape shape,
                                           std::span<const absl::string_view> strings) {
  std::size_t size_bytes = 0;
  for (std::size_t i = 0; i < strings.size(); ++i) {
    if (strings[i].size() > std::numeric_limits<std::uint32_t>::max()) {
      return FieldError(absl::StrCat("string ", i), absl::StrCat(strings[i].size(), " bytes"),
                        "below 4 GiB");
    }
    size_bytes += kLengthPrefixBytes + strings[i].size();
  }
  std::string bytes;
  bytes.reserve(size_bytes);
  for (const absl::string_view text : strings) {
    absl::StrAppend(&bytes, LengthPrefix(text.size()), text);
  }
  return FromBytes(DataType::kString, std::move(shape), std::move(bytes));
}

std::int64_t Tensor::elements() const { return ElementCount(shape_).value_or(0); }

std::span<const float> Tensor::floats() const {
  return {static_cast<const float*>(data_.get()), size_bytes_ / sizeof(float)};
}

std::vector<absl::string_view> Tensor::strings() const {
  return SplitLengthPrefixed("tensor", bytes()).value_or(std::vector<absl::string_view>());
}

absl::StatusOr<std::vector<Tensor>> Tensor::Split(std::int64_t parts) const {
  if (parts == 1) return std::vector<Tensor>{*this};
  if (parts < 1 || shape_.empty() || shape_[0] % parts != 0) {
    return FieldError("tensor", absl::StrCat("shape ", ShapeString(shape_)),
                      absl::StrCat("a first dimension that is a multiple of ", parts));
  }
  Shape shape = shape_;
  shape[0] /= parts;
  const auto each = static_cast<std::size_t>(elements() / parts);
  std::vector<absl::string_view> texts;
  if (dtype_ == DataType::kString) texts = strings();
  std::vector<Tensor> split;
  const std::byte* at = data();
  for (std::size_t part = 0; part < static_cast<std::size_t>(parts); ++part) {
    std::size_t size = each * ElementSize(dtype_);
    for (std::size_t i = 0; i < each && !texts.empty(); ++i) size += texts[part * each + i].size();
    split.push_back({dtype_, shape, std::shared_ptr<const void>(data_, at), size});
    at += size;
  }
  return split;
}

}  // namespace cleave
