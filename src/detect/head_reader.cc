#include "detect/head_reader.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "core/check.h"

namespace cleave {
namespace {

using Kind = DetectionHead::Kind;
using BoxFormat = DetectionHead::BoxFormat;
using Activation = DetectionHead::Activation;

// Not a number becomes 0, so that it is never the highest.
void Softmax(std::vector<float>& scores) {
  float highest = -std::numeric_limits<float>::infinity();
  for (const float score : scores) highest = std::max(highest, score);
  double sum = 0;
  for (float& score : scores) {
    score = std::exp(score - highest);
    if (std::isnan(score)) score = 0;
    sum += score;
  }
  for (float& score : scores) score = static_cast<float>(score / sum);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HeadReader>> HeadReader::Open(
    const std::vector<NamedTensor>& outputs, const DetectionHead& head, ImageSize input) {
  switch (head.kind) {
    case Kind::kYoloV5:
    case Kind::kYoloV8:
      return OpenYolo(outputs, head, input);
    case Kind::kDistribution:
      return OpenDistribution(outputs, head, input);
    case Kind::kBoxesScoresLabels:
    case Kind::kBoxesScoresPerClass:
      return OpenBoxes(outputs, head, input);
    case Kind::kNone:
      break;
  }
  return FieldError("detections.kind", KindName(head.kind), "one that gives detections");
}

Box BoxFrom(const DetectionHead& head, ImageSize input, double a, double b, double c, double d) {
  Box box{a, b, c, d};
  switch (head.box_format) {
    case BoxFormat::kXyxy:
      break;
    case BoxFormat::kYxyx:
      box = {b, a, d, c};
      break;
    case BoxFormat::kXywh:
      box = {a, b, a + c, b + d};
      break;
    case BoxFormat::kCxcywh:
      box = {a - c / 2, b - d / 2, a + c / 2, b + d / 2};
      break;
  }
  if (!head.normalized) return box;
  return {box.x0 * input.width, box.y0 * input.height, box.x1 * input.width, box.y1 * input.height};
}

float Activated(const DetectionHead& head, float score) {
  return head.activation == Activation::kSigmoid ? 1 / (1 + std::exp(-score)) : score;
}

absl::Status CheckClasses(const DetectionHead& head, const OutputTable& table,
                          std::int64_t columns) {
  const std::int64_t named = columns - head.first_class;
  if (columns < 1 || columns > kMostClasses || named < 1) {
    return FieldError(table.Field(),
                      absl::StrCat(table.ShapeText(), ", which are ", columns, " classes"),
                      absl::StrCat(head.first_class + 1, " to ", kMostClasses));
  }
  if (!head.classes || named == *head.classes) return absl::OkStatus();
  return FieldError(table.Field(), absl::StrCat("scores of ", named, " classes"),
                    absl::StrCat(*head.classes, ", as there are names"));
}

void ClassColumns::Append(std::int64_t item, std::int64_t first_row,
                          std::vector<Candidate>& to) const {
  std::vector<float> scores(static_cast<std::size_t>(columns_));
  for (std::int64_t row = 0; row < table_.rows(); ++row) {
    AppendRow(item, row, first_row, scores, to);
  }
}

void ClassColumns::AppendRow(std::int64_t item, std::int64_t row, std::int64_t first_row,
                             std::vector<float>& scores, std::vector<Candidate>& to) const {
  const auto threshold = static_cast<float>(head_.score_threshold);
  float object = 1;
  if (object_column_) {
    object = Activated(head_, table_.At(item, row, *object_column_));
    // No class of this row can pass.
    if (!(object >= threshold && object <= 1)) return;
  }
  for (std::int64_t i = 0; i < columns_; ++i) {
    scores[i] = table_.At(item, row, first_column_ + i);
  }
  if (head_.activation == Activation::kSoftmax) {
    Softmax(scores);
  } else {
    for (float& score : scores) score = Activated(head_, score);
  }
  std::optional<Candidate> best;
  for (std::int64_t i = head_.first_class; i < columns_; ++i) {
    const float score = object * scores[i];
    if (!(score >= threshold && scores[i] >= 0 && scores[i] <= 1)) continue;
    const Candidate next{score, static_cast<int>(i - head_.first_class), first_row + row};
    if (per_row_ == PerRow::kAll) {
      to.push_back(next);
    } else if (!best || score > best->score) {
      best = next;
    }
  }
  if (best) to.push_back(*best);
}

}  // namespace cleave
