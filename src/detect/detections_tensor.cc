#include "detect/detections_tensor.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "detect/detection_head.h"

namespace cleave {
namespace {

constexpr std::array<const char*, kDetectionColumns> kColumns = {"item", "class", "score", "x0",
                                                                 "y0",   "x1",    "y1"};
enum Column : std::uint8_t { kItem, kClass, kScore, kX0, kY0, kX1, kY1 };
// FP32 has every whole number up to here.
constexpr float kMostIndex = 1 << 24;

using Row = std::span<const float, kColumns.size()>;

bool HasArea(Row row) { return row[kX1] > row[kX0] && row[kY1] > row[kY0]; }

// Whether rounding has left a box.
bool IsBox(Row row) {
  return HasArea(row) && std::isfinite(row[kX0]) && std::isfinite(row[kY0]) &&
         std::isfinite(row[kX1]) && std::isfinite(row[kY1]);
}

std::array<float, kColumns.size()> RowOf(std::size_t item, const Detection& detection) {
  const Box& box = detection.box;
  return {static_cast<float>(item),
          static_cast<float>(detection.class_index),
          static_cast<float>(detection.score),
          static_cast<float>(box.x0),
          static_cast<float>(box.y0),
          static_cast<float>(box.x1),
          static_cast<float>(box.y1)};
}

absl::Status RowError(std::int64_t row, Column column, float found, absl::string_view expected) {
  return FieldError(absl::StrCat(kDetectionsOutput, "[", row, "].", kColumns[column]), found,
                    expected);
}

bool IsIndex(float value) {
  return value >= 0 && value <= kMostIndex && std::trunc(value) == value;
}

// `last_item` is that of the row before.
absl::Status CheckRow(std::int64_t index, Row row, float last_item, std::int64_t items) {
  if (!IsIndex(row[kItem]) || row[kItem] < last_item || row[kItem] >= static_cast<float>(items)) {
    return RowError(index, kItem, row[kItem],
                    absl::StrCat("a whole number of ", last_item, " to ", items - 1));
  }
  if (!IsIndex(row[kClass])) {
    return RowError(index, kClass, row[kClass], "a whole number of at least 0");
  }
  if (!(row[kScore] >= 0 && row[kScore] <= 1)) {
    return RowError(index, kScore, row[kScore], "0 to 1");
  }
  for (const Column edge : {kX0, kY0, kX1, kY1}) {
    if (!std::isfinite(row[edge])) return RowError(index, edge, row[edge], "a finite number");
  }
  if (!HasArea(row)) return RowError(index, kX1, row[kX1], "a box with an area");
  return absl::OkStatus();
}

absl::Status CheckForm(const Tensor& tensor, std::int64_t items) {
  if (tensor.dtype() != DataType::kFloat32) {
    return FieldError(kDetectionsOutput, DataTypeName(tensor.dtype()),
                      DataTypeName(DataType::kFloat32));
  }
  const Shape& shape = tensor.shape();
  if (shape.size() != 2 || shape[1] != kDetectionColumns) {
    return FieldError(kDetectionsOutput, absl::StrCat("shape ", ShapeString(shape)),
                      absl::StrCat("rows of ", kColumns.size()));
  }
  if (shape[0] / kMostDetections > items || shape[0] > items * kMostDetections) {
    return FieldError(kDetectionsOutput, absl::StrCat(shape[0], " rows"),
                      absl::StrCat("at most ", kMostDetections, " for each of ", items, " items"));
  }
  return absl::OkStatus();
}

}  // namespace

Tensor DetectionsTensor(const BatchDetections& found) {
  std::vector<float> values;
  for (std::size_t item = 0; item < found.size(); ++item) {
    for (const Detection& detection : found[item]) {
      const auto row = RowOf(item, detection);
      if (IsBox(row)) values.insert(values.end(), row.begin(), row.end());
    }
  }
  const auto rows = static_cast<std::int64_t>(values.size() / kColumns.size());
  return Tensor::FromFloats({rows, kDetectionColumns}, std::move(values)).value();
}

absl::StatusOr<BatchDetections> DetectionsOf(const Tensor& tensor, std::int64_t items) {
  CLEAVE_RETURN_IF_ERROR(CheckForm(tensor, items));
  BatchDetections found(static_cast<std::size_t>(items));
  float last_item = 0;
  for (std::int64_t index = 0; index < tensor.shape()[0]; ++index) {
    const Row row(tensor.floats().data() + index * kDetectionColumns, kColumns.size());
    CLEAVE_RETURN_IF_ERROR(CheckRow(index, row, last_item, items));
    last_item = row[kItem];
    std::vector<Detection>& of_item = found[static_cast<std::size_t>(row[kItem])];
    of_item.push_back(
        {{row[kX0], row[kY0], row[kX1], row[kY1]}, static_cast<int>(row[kClass]), row[kScore]});
  }
  return found;
}

}  // namespace cleave
