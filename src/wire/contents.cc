#include "wire/contents.h"

#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Contents = inference::InferTensorContents;

// Calls visit(element type, repeated field) with the field of `contents` that carries `dtype`.
// Returns false for a type that has no field.
template <typename AnyContents, typename Visitor>
bool VisitField(DataType dtype, AnyContents& contents, Visitor visit) {
  constexpr bool kConst = std::is_const_v<AnyContents>;
  const auto pick = [](auto* mutable_field) -> auto& { return *mutable_field; };
#define CLEAVE_FIELD(field)                    \
  [&]() -> auto& {                             \
    if constexpr (kConst) {                    \
      return contents.field();                 \
    } else {                                   \
      return pick(contents.mutable_##field()); \
    }                                          \
  }                                            \
  ()
  switch (dtype) {
    case DataType::kBool:
      visit(bool{}, CLEAVE_FIELD(bool_contents));
      return true;
    case DataType::kInt8:
      visit(std::int8_t{}, CLEAVE_FIELD(int_contents));
      return true;
    case DataType::kInt16:
      visit(std::int16_t{}, CLEAVE_FIELD(int_contents));
      return true;
    case DataType::kInt32:
      visit(std::int32_t{}, CLEAVE_FIELD(int_contents));
      return true;
    case DataType::kInt64:
      visit(std::int64_t{}, CLEAVE_FIELD(int64_contents));
      return true;
    case DataType::kUint8:
      visit(std::uint8_t{}, CLEAVE_FIELD(uint_contents));
      return true;
    case DataType::kUint16:
      visit(std::uint16_t{}, CLEAVE_FIELD(uint_contents));
      return true;
    case DataType::kUint32:
      visit(std::uint32_t{}, CLEAVE_FIELD(uint_contents));
      return true;
    case DataType::kUint64:
      visit(std::uint64_t{}, CLEAVE_FIELD(uint64_contents));
      return true;
    case DataType::kFloat32:
      visit(float{}, CLEAVE_FIELD(fp32_contents));
      return true;
    case DataType::kFloat64:
      visit(double{}, CLEAVE_FIELD(fp64_contents));
      return true;
    case DataType::kFloat16:
    case DataType::kBFloat16:
    case DataType::kString:  // Its elements differ in size.
      return false;
  }
#undef CLEAVE_FIELD
  return false;
}

// The index of the first value outside T's range, if there is one.
template <typename T, typename Field>
std::optional<int> FirstOutOfRange(const Field& field) {
  if constexpr (!std::is_same_v<T, bool> && sizeof(T) < sizeof(std::int32_t)) {
    for (int i = 0; i < field.size(); ++i) {
      if (!std::in_range<T>(field.Get(i))) return i;
    }
  }
  return std::nullopt;
}

template <typename T, typename Field>
std::string BytesOf(const Field& field) {
  std::string bytes(static_cast<std::size_t>(field.size()) * sizeof(T), '\0');
  if constexpr (std::is_same_v<T, std::remove_cvref_t<decltype(field.Get(0))>>) {
    if (!bytes.empty()) std::memcpy(bytes.data(), field.data(), bytes.size());
  } else {
    char* out = bytes.data();
    for (const auto value : field) {
      const T element = static_cast<T>(value);
      std::memcpy(out, &element, sizeof(T));
      out += sizeof(T);
    }
  }
  return bytes;
}

}  // namespace

absl::StatusOr<Tensor> TensorFromContents(absl::string_view what, DataType dtype, Shape shape,
                                          const Contents& contents) {
  const absl::StatusOr<std::int64_t> elements = ElementCount(shape);
  if (!elements.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", elements.status().message()));
  }
  std::string bytes;
  std::int64_t found = 0;
  std::optional<int> misfit;
  const bool strings = dtype == DataType::kString;
  if (strings) found = contents.bytes_contents_size();
  const bool typed = strings || VisitField(dtype, contents, [&](auto zero, const auto& field) {
                       using T = decltype(zero);
                       found = field.size();
                       if (found != *elements) return;
                       misfit = FirstOutOfRange<T>(field);
                       if (!misfit) bytes = BytesOf<T>(field);
                     });
  if (!typed) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": ", DataTypeName(dtype), " has no typed contents, expected raw contents"));
  }
  if (found != *elements || CountContents(contents) != found) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": found ", found, " elements of ", DataTypeName(dtype), " and ",
                     CountContents(contents) - found, " of other types, expected ", *elements,
                     " for shape ", ShapeString(shape)));
  }
  if (misfit) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": element ", *misfit, " is out of the range of ", DataTypeName(dtype)));
  }
  if (strings) {
    const std::vector<absl::string_view> texts(contents.bytes_contents().begin(),
                                               contents.bytes_contents().end());
    return Tensor::FromStrings(std::move(shape), texts);
  }
  return Tensor::FromBytes(dtype, std::move(shape), std::move(bytes));
}

bool HasTypedContents(DataType dtype) {
  return dtype != DataType::kFloat16 && dtype != DataType::kBFloat16;
}

void FillContents(const Tensor& tensor, Contents& contents) {
  if (tensor.dtype() == DataType::kString) {
    for (const absl::string_view text : tensor.strings()) {
      contents.add_bytes_contents(text.data(), text.size());
    }
    return;
  }
  VisitField(tensor.dtype(), contents, [&](auto zero, auto& field) {
    using T = decltype(zero);
    const std::int64_t count = tensor.elements();
    field.Reserve(static_cast<int>(count));
    for (std::int64_t i = 0; i < count; ++i) {
      T value;
      std::memcpy(&value, tensor.data() + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
      field.Add(value);
    }
  });
}

std::int64_t CountContents(const Contents& contents) {
  return std::int64_t{contents.bool_contents_size()} + contents.int_contents_size() +
         contents.int64_contents_size() + contents.uint_contents_size() +
         contents.uint64_contents_size() + contents.fp32_contents_size() +
         contents.fp64_contents_size() + contents.bytes_contents_size();
}

}  // namespace cleave
