#include "detect/output_table.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "codec/kernels.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

template <typename T>
std::vector<float> Converted(const Tensor& tensor) {
  const auto* const values = reinterpret_cast<const T*>(tensor.data());
  std::vector<float> floats(static_cast<std::size_t>(tensor.elements()));
  std::transform(values, values + floats.size(), floats.begin(),
                 [](T value) { return static_cast<float>(value); });
  return floats;
}

std::vector<float> FromDoubles(const Tensor& tensor) {
  constexpr double kMost = std::numeric_limits<float>::max();
  const auto* const values = reinterpret_cast<const double*>(tensor.data());
  std::vector<float> floats(static_cast<std::size_t>(tensor.elements()));
  // A double that no float can hold would be undefined; an infinite float is dropped later.
  std::transform(values, values + floats.size(), floats.begin(), [](double value) {
    return value > kMost || value < -kMost ? std::numeric_limits<float>::infinity()
                                           : static_cast<float>(value);
  });
  return floats;
}

std::vector<float> FromHalves(const Tensor& tensor) {
  constexpr std::uint16_t kExponent = 0x7C00;
  const auto* const halves = reinterpret_cast<const std::uint16_t*>(tensor.data());
  std::vector<float> floats(static_cast<std::size_t>(tensor.elements()));
  if (HalvesToFloats(halves, floats.size(), floats.data())) return floats;
  for (std::size_t i = 0; i < floats.size(); ++i) {
    if ((halves[i] & kExponent) == kExponent) floats[i] = std::numeric_limits<float>::quiet_NaN();
  }
  return floats;
}

// The tensor's elements as floats; none where they are no numbers.
std::vector<float> Floats(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DataType::kFloat16:
      return FromHalves(tensor);
    case DataType::kFloat64:
      return FromDoubles(tensor);
    case DataType::kInt8:
      return Converted<std::int8_t>(tensor);
    case DataType::kInt16:
      return Converted<std::int16_t>(tensor);
    case DataType::kInt32:
      return Converted<std::int32_t>(tensor);
    case DataType::kInt64:
      return Converted<std::int64_t>(tensor);
    case DataType::kUint8:
      return Converted<std::uint8_t>(tensor);
    case DataType::kUint16:
      return Converted<std::uint16_t>(tensor);
    case DataType::kUint32:
      return Converted<std::uint32_t>(tensor);
    case DataType::kUint64:
      return Converted<std::uint64_t>(tensor);
    case DataType::kFloat32:
    case DataType::kBFloat16:
    case DataType::kBool:
    case DataType::kString:
      break;
  }
  return {};
}

}  // namespace

std::string OutputTable::Field() const { return absl::StrCat("output '", name_, "'"); }

std::string OutputTable::ShapeText() const { return absl::StrCat("shape ", ShapeString(shape_)); }

absl::Status OutputTable::Read(const std::vector<NamedTensor>& outputs, const std::string& name) {
  name_ = name;
  const auto found = std::find_if(outputs.begin(), outputs.end(),
                                  [&](const NamedTensor& output) { return output.name == name; });
  if (found == outputs.end()) return FieldError(Field(), "no such output", "one of the model's");
  const Tensor& tensor = found->tensor;
  shape_ = tensor.shape();
  if (tensor.dtype() == DataType::kFloat32) {
    const auto kept = std::make_shared<const Tensor>(tensor);
    values_ = kept->floats().data();
    owner_ = kept;
    return absl::OkStatus();
  }
  const auto kept = std::make_shared<const std::vector<float>>(Floats(tensor));
  if (static_cast<std::int64_t>(kept->size()) != tensor.elements()) {
    return FieldError(Field(), DataTypeName(tensor.dtype()), "numbers");
  }
  values_ = kept->data();
  owner_ = kept;
  return absl::OkStatus();
}

void OutputTable::Arrange(const Shape& shape, Order order) {
  items_ = shape[0];
  if (order == Order::kRows) {
    rows_ = shape[1];
    columns_ = shape[2];
    row_step_ = columns_;
    column_step_ = 1;
    return;
  }
  columns_ = shape[1];
  rows_ = shape.size() == 4 ? shape[2] * shape[3] : shape[2];
  row_step_ = 1;
  column_step_ = rows_;
}

absl::StatusOr<OutputTable> OutputTable::Of(const std::vector<NamedTensor>& outputs,
                                            const std::string& name, Order order) {
  OutputTable table;
  CLEAVE_RETURN_IF_ERROR(table.Read(outputs, name));
  const std::size_t rank = table.shape_.size();
  if (rank != 3 && !(order == Order::kColumns && rank == 4)) {
    return FieldError(table.Field(), table.ShapeText(),
                      order == Order::kRows ? "3 dimensions" : "3 or 4 dimensions");
  }
  table.Arrange(table.shape_, order);
  return table;
}

absl::StatusOr<OutputTable> OutputTable::OfRows(const std::vector<NamedTensor>& outputs,
                                                const std::string& name) {
  OutputTable table;
  CLEAVE_RETURN_IF_ERROR(table.Read(outputs, name));
  Shape shape = table.shape_;
  if (shape.size() == 2) shape.insert(shape.begin(), 1);
  if (shape.size() != 3) {
    return FieldError(table.Field(), table.ShapeText(), "3 dimensions, or 2 for one item");
  }
  table.Arrange(shape, Order::kRows);
  return table;
}

absl::StatusOr<OutputTable> OutputTable::OfColumn(const std::vector<NamedTensor>& outputs,
                                                  const std::string& name) {
  OutputTable table;
  CLEAVE_RETURN_IF_ERROR(table.Read(outputs, name));
  Shape shape = table.shape_;
  if (shape.size() == 1) shape.insert(shape.begin(), 1);
  if (shape.size() != 2) {
    return FieldError(table.Field(), table.ShapeText(), "2 dimensions, or 1 for one item");
  }
  shape.push_back(1);
  table.Arrange(shape, Order::kRows);
  return table;
}

}  // namespace cleave
