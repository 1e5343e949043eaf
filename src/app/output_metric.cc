#include "app/output_metric.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/detector.h"
#include "core/check.h"
#include "core/named_tensors.h"
#include "core/status_macros.h"

namespace cleave::app {
namespace {

using HeadKind = DetectionHead::Kind;
using Floats = std::span<const float>;

// For distances in strides, as the squared change of a box counts a fiftieth of that of its score;
// the logits of a distribution move less than the distance that they make.
constexpr float kBoxWeight = 0.02F;
constexpr float kLogitWeight = 0.0115F;
constexpr float kStride = 16;  // Pixels of a box's numbers that count as one stride.

// A vector that grows with the outputs' change and, for a gradient, where each of its elements
// comes from: an element of a changed output, and how the vector's moves with that.
class MoveList {
 public:
  explicit MoveList(bool with_slopes) : with_slopes_(with_slopes) {}

  void Add(float change, const float& from, float slope) {
    change_.push_back(change);
    if (with_slopes_) slopes_.push_back({&from, slope});
  }
  std::vector<float>& change() { return change_; }

  // What adding to the elements of `output` would add to the squared length.
  std::vector<float> GradientOf(std::span<const float> output) const {
    std::vector<float> gradient(output.size(), 0);
    const std::less<const float*> before;
    for (std::size_t i = 0; i < slopes_.size(); ++i) {
      const float* from = slopes_[i].from;
      if (before(from, output.data()) || !before(from, output.data() + output.size())) continue;
      gradient[static_cast<std::size_t>(from - output.data())] += 2 * change_[i] * slopes_[i].slope;
    }
    return gradient;
  }

 private:
  struct Slope {
    const float* from = nullptr;
    float slope = 0;
  };

  const bool with_slopes_;
  std::vector<float> change_;
  std::vector<Slope> slopes_;
};

float Sigmoid(float value) { return 1 / (1 + std::exp(-value)); }

// The rows and columns of a table of points in a tensor of one item: [points, columns], or
// [columns, points] where points are last.
struct Table {
  Floats reference;
  Floats changed;
  std::size_t points = 0;
  std::size_t columns = 0;
  bool points_last = false;

  std::size_t At(std::size_t point, std::size_t column) const {
    return points_last ? column * points + point : point * columns + column;
  }
};

absl::StatusOr<Table> TableOf(const std::string& name, const std::vector<NamedTensor>& reference,
                              const std::vector<NamedTensor>& changed, bool points_last) {
  const Tensor* before = FindTensor(reference, name);
  const Tensor* after = FindTensor(changed, name);
  if (before == nullptr || after == nullptr) {
    return FieldError(absl::StrCat("output '", name, "'"), "none", "one of the model's");
  }
  const Shape& shape = before->shape();
  if (before->dtype() != DataType::kFloat32 || shape != after->shape() || shape.size() < 3 ||
      after->dtype() != DataType::kFloat32) {
    return FieldError(absl::StrCat("output '", name, "'"),
                      absl::StrCat(ShapeString(shape), " and ", ShapeString(after->shape())),
                      "FP32 of one shape, items by points");
  }
  Table table = {before->floats(), after->floats(), 0, 0, points_last};
  if (shape.size() == 4) table.points_last = true;
  table.columns = static_cast<std::size_t>(table.points_last ? shape[1] : shape[2]);
  table.points = table.columns == 0 ? 0 : table.reference.size() / table.columns;
  return table;
}

struct Columns {
  std::size_t first = 0;
  std::size_t count = 0;
};

// Adds the change of the scores, and says the highest of each point before the change.
void AddScores(const Table& table, Columns columns, DetectionHead::Activation activation,
               MoveList& moves, std::vector<float>& highest) {
  const bool sigmoid = activation == DetectionHead::Activation::kSigmoid;
  for (std::size_t point = 0; point < table.points; ++point) {
    float most = 0;
    for (std::size_t i = columns.first; i < columns.first + columns.count; ++i) {
      const std::size_t at = table.At(point, i);
      const float before = sigmoid ? Sigmoid(table.reference[at]) : table.reference[at];
      const float after = sigmoid ? Sigmoid(table.changed[at]) : table.changed[at];
      moves.Add(after - before, table.changed[at], sigmoid ? after * (1 - after) : 1);
      most = std::max(most, before);
    }
    highest.push_back(std::clamp(most, 0.0F, 1.0F));
  }
}

void AddBoxes(const Table& table, Columns columns, float weight, std::span<const float> highest,
              MoveList& moves) {
  for (std::size_t point = 0; point < std::min(table.points, highest.size()); ++point) {
    const float root = std::sqrt(weight * highest[point]);
    for (std::size_t i = columns.first; i < columns.first + columns.count; ++i) {
      const std::size_t at = table.At(point, i);
      moves.Add(root * (table.changed[at] - table.reference[at]), table.changed[at], root);
    }
  }
}

absl::Status AddOfDistributions(const DetectionHead& head,
                                const std::vector<NamedTensor>& reference,
                                const std::vector<NamedTensor>& changed, MoveList& moves) {
  if (!head.outputs.predictions.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const Table table,
                            TableOf(head.outputs.predictions, reference, changed, false));
    const auto edges = 4 * static_cast<std::size_t>(head.reg_max + 1);
    if (table.columns <= edges) return FieldError("predictions", table.columns, "more columns");
    const std::size_t classes = table.columns - edges;
    std::vector<float> highest;
    AddScores(table, {0, classes}, head.activation, moves, highest);
    AddBoxes(table, {classes, edges}, kLogitWeight, highest, moves);
    return absl::OkStatus();
  }
  for (std::size_t i = 0; i < head.outputs.scores.size(); ++i) {
    CLEAVE_ASSIGN_OR_RETURN(const Table scores,
                            TableOf(head.outputs.scores[i], reference, changed, false));
    CLEAVE_ASSIGN_OR_RETURN(const Table edges,
                            TableOf(head.outputs.distances[i], reference, changed, false));
    std::vector<float> highest;
    AddScores(scores, {0, scores.columns}, head.activation, moves, highest);
    AddBoxes(edges, {0, edges.columns}, kLogitWeight, highest, moves);
  }
  return absl::OkStatus();
}

absl::Status AddOfYolo(const DetectionHead& head, const std::vector<NamedTensor>& reference,
                       const std::vector<NamedTensor>& changed, MoveList& moves) {
  const bool points_last = head.kind == HeadKind::kYoloV8;
  CLEAVE_ASSIGN_OR_RETURN(const Table table,
                          TableOf(head.outputs.predictions, reference, changed, points_last));
  if (table.columns < 5) return FieldError("predictions", table.columns, "at least 5 columns");
  std::vector<float> highest;
  AddScores(table, {4, table.columns - 4}, head.activation, moves, highest);
  const float weight = head.normalized ? kBoxWeight * 1600 : kBoxWeight / (kStride * kStride);
  AddBoxes(table, {0, 4}, weight, highest, moves);
  return absl::OkStatus();
}

absl::Status AddOfBoxesAndScores(const DetectionHead& head,
                                 const std::vector<NamedTensor>& reference,
                                 const std::vector<NamedTensor>& changed, MoveList& moves) {
  CLEAVE_ASSIGN_OR_RETURN(const Table scores,
                          TableOf(head.outputs.scores.front(), reference, changed, false));
  CLEAVE_ASSIGN_OR_RETURN(const Table boxes,
                          TableOf(head.outputs.boxes, reference, changed, false));
  std::vector<float> highest;
  const auto first = std::min(static_cast<std::size_t>(head.first_class), scores.columns);
  AddScores(scores, {first, scores.columns - first}, head.activation, moves, highest);
  const float weight = head.normalized ? kBoxWeight * 1600 : kBoxWeight / (kStride * kStride);
  AddBoxes(boxes, {0, boxes.columns}, weight, highest, moves);
  return absl::OkStatus();
}

bool AreProbabilities(Floats values) {
  double sum = 0;
  for (const float value : values) {
    if (!(value >= 0 && value <= 1)) return false;
    sum += value;
  }
  return std::abs(sum - 1) < 1e-3;
}

void AddClasses(Floats reference, Floats changed, MoveList& moves) {
  if (AreProbabilities(reference)) {
    constexpr float kLeast = 1e-12F;
    for (std::size_t i = 0; i < reference.size(); ++i) {
      const float root = std::sqrt(std::max(0.0F, changed[i]));
      moves.Add(2 * (root - std::sqrt(reference[i])), changed[i], 1 / std::max(root, kLeast));
    }
    return;
  }
  const float most = *std::max_element(reference.begin(), reference.end());
  std::vector<double> chances;
  double total = 0;
  for (const float value : reference) total += chances.emplace_back(std::exp(value - most));
  double mean = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    chances[i] /= total;
    mean += chances[i] * (changed[i] - reference[i]);
  }
  // The mean moves, too, but what that adds to all elements together is 0.
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double root = std::sqrt(chances[i]);
    moves.Add(static_cast<float>(root * (changed[i] - reference[i] - mean)), changed[i],
              static_cast<float>(root));
  }
}

void AddFloats(Floats reference, Floats changed, MoveList& moves) {
  double sum = 0;
  double squares = 0;
  for (const float value : reference) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const auto count = static_cast<double>(reference.size());
  const double variance = std::max(1e-12, squares / count - sum / count * (sum / count));
  const double factor = 1 / std::sqrt(variance * count);
  for (std::size_t i = 0; i < reference.size(); ++i) {
    moves.Add(static_cast<float>(factor * (changed[i] - reference[i])), changed[i],
              static_cast<float>(factor));
  }
}

}  // namespace

absl::StatusOr<OutputMetric> OutputMetric::Of(const std::string& model_path,
                                              const std::vector<TensorSpec>& inputs,
                                              const std::vector<TensorSpec>& outputs) {
  OutputMetric metric;
  CLEAVE_ASSIGN_OR_RETURN(metric.head_, HeadOfModel(model_path, inputs, outputs));
  if (metric.head_) {
    metric.kind_ = Kind::kDetections;
    if (metric.head_->kind == HeadKind::kBoxesScoresLabels) {
      return FieldError(model_path, "a detector that suppresses boxes itself",
                        "one whose outputs change smoothly with its tensors");
    }
    return metric;
  }
  const auto is_float = [](const TensorSpec& spec) { return spec.dtype == DataType::kFloat32; };
  if (std::none_of(outputs.begin(), outputs.end(), is_float)) {
    return FieldError(model_path, "no FP32 output", "one");
  }
  if (outputs.size() == 1 && outputs.front().shape.size() == 2 && outputs.front().shape[1] > 1) {
    metric.kind_ = Kind::kClasses;
  }
  return metric;
}

double OutputMetric::finest_distortion() const {
  switch (kind_) {
    case Kind::kDetections:
      return 0.8;
    case Kind::kClasses:
      return 0.005;
    case Kind::kOutputs:
      return 1e-4;
  }
  return 0;
}

struct OutputMetric::Moves : MoveList {
  using MoveList::MoveList;
};

absl::StatusOr<std::vector<float>> OutputMetric::Change(
    const std::vector<NamedTensor>& reference, const std::vector<NamedTensor>& changed) const {
  Moves moves(/*with_slopes=*/false);
  CLEAVE_RETURN_IF_ERROR(AddMoves(reference, changed, moves));
  return std::move(moves.change());
}

absl::StatusOr<Distortion> OutputMetric::DistortionOf(
    const std::vector<NamedTensor>& reference, const std::vector<NamedTensor>& changed) const {
  Moves moves(/*with_slopes=*/true);
  CLEAVE_RETURN_IF_ERROR(AddMoves(reference, changed, moves));
  Distortion distortion;
  for (const float move : moves.change()) distortion.squared += static_cast<double>(move) * move;
  for (const NamedTensor& output : changed) {
    if (output.tensor.dtype() != DataType::kFloat32) continue;
    CLEAVE_ASSIGN_OR_RETURN(
        Tensor gradient,
        Tensor::FromFloats(output.tensor.shape(), moves.GradientOf(output.tensor.floats())));
    distortion.gradient.push_back({output.name, std::move(gradient)});
  }
  return distortion;
}

absl::Status OutputMetric::AddMoves(const std::vector<NamedTensor>& reference,
                                    const std::vector<NamedTensor>& changed, Moves& moves) const {
  if (head_) {
    switch (head_->kind) {
      case HeadKind::kDistribution:
        return AddOfDistributions(*head_, reference, changed, moves);
      case HeadKind::kYoloV5:
      case HeadKind::kYoloV8:
        return AddOfYolo(*head_, reference, changed, moves);
      default:
        return AddOfBoxesAndScores(*head_, reference, changed, moves);
    }
  }
  for (const NamedTensor& before : reference) {
    if (before.tensor.dtype() != DataType::kFloat32) continue;
    const Tensor* after = FindTensor(changed, before.name);
    if (after == nullptr || after->dtype() != DataType::kFloat32 ||
        after->shape() != before.tensor.shape()) {
      return FieldError(absl::StrCat("output '", before.name, "'"),
                        after == nullptr ? "none" : ShapeString(after->shape()),
                        ShapeString(before.tensor.shape()));
    }
    if (before.tensor.elements() == 0) continue;
    if (kind_ == Kind::kClasses) {
      AddClasses(before.tensor.floats(), after->floats(), moves);
    } else {
      AddFloats(before.tensor.floats(), after->floats(), moves);
    }
  }
  return absl::OkStatus();
}

}  // namespace cleave::app
