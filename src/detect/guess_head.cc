#include "detect/guess_head.h"

#include <algorithm>
#include <initializer_list>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "detect/grid.h"

namespace cleave {
namespace {

using Kind = DetectionHead::Kind;
using BoxFormat = DetectionHead::BoxFormat;
using Certainty = GuessedHead::Certainty;
using Specs = std::vector<TensorSpec>;

constexpr std::int64_t kBoxColumns = 4;
constexpr std::int64_t kAnchorsOfYoloV5 = 3;
// YOLOv10 gives 300 rows of box, score and label.
constexpr std::int64_t kRowsOfYoloV10 = 300;
constexpr std::int64_t kPredictionColumns = 6;
// The largest distance of NanoDet (10, and 7 in NanoDet-Plus) and of PicoDet (7).
constexpr std::initializer_list<int> kRegMaxes = {7, 10};
// The strides that heads are built with.
std::vector<std::vector<int>> UsualStrides() { return {{8, 16, 32}, {8, 16, 32, 64}}; }

bool IsFloat(const TensorSpec& spec) {
  return spec.dtype == DataType::kFloat32 || spec.dtype == DataType::kFloat16;
}

std::int64_t PointsOf(ImageSize input, const std::vector<int>& strides) {
  std::int64_t points = 0;
  for (const int stride : strides) points += Grid::Over(input, stride).points();
  return points;
}

// The only float output of three dimensions; null where there is none or another.
const TensorSpec* OnlyTable(const Specs& outputs) {
  const TensorSpec* only = nullptr;
  for (const TensorSpec& spec : outputs) {
    if (!IsFloat(spec) || spec.shape.size() != 3) continue;
    if (only != nullptr) return nullptr;
    only = &spec;
  }
  return only;
}

GuessedHead Predictions(Kind kind, const TensorSpec& table, Certainty certainty,
                        std::int64_t classes) {
  GuessedHead guess{DetectionHead::Of(kind), certainty, static_cast<int>(classes)};
  guess.head.outputs.predictions = table.name;
  return guess;
}

// YOLO and NanoDet-Plus: one table with as many rows as the grids have points.
std::optional<GuessedHead> GuessTable(const Specs& outputs, ImageSize input) {
  const TensorSpec* const table = OnlyTable(outputs);
  if (table == nullptr) return std::nullopt;
  const std::int64_t first = table->shape[1];
  const std::int64_t last = table->shape[2];
  if (first == kRowsOfYoloV10 && last == kPredictionColumns) {
    return Predictions(Kind::kBoxesScoresLabels, *table, Certainty::kUnmistakable, 0);
  }
  if (input.width < 1 || input.height < 1) return std::nullopt;
  for (const std::vector<int>& strides : UsualStrides()) {
    const std::int64_t points = PointsOf(input, strides);
    if (last == points && first > kBoxColumns && first <= kMostClasses) {
      return Predictions(Kind::kYoloV8, *table, Certainty::kUnmistakable, first - kBoxColumns);
    }
    if (first == kAnchorsOfYoloV5 * points && last > kBoxColumns + 1 && last <= kMostClasses) {
      return Predictions(Kind::kYoloV5, *table, Certainty::kUnmistakable, last - kBoxColumns - 1);
    }
    const int columns = 4 * (*kRegMaxes.begin() + 1);
    if (first == points && last > columns && last <= kMostClasses) {
      GuessedHead guess =
          Predictions(Kind::kDistribution, *table, Certainty::kLikely, last - columns);
      guess.head.strides = strides;
      guess.head.reg_max = *kRegMaxes.begin();
      return guess;
    }
  }
  return std::nullopt;
}

// The outputs of these points and columns; of any number of columns if that is 0.
const TensorSpec* Find(const Specs& outputs, std::int64_t points, std::int64_t columns,
                       const TensorSpec* but) {
  const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const TensorSpec& spec) {
    return &spec != but && IsFloat(spec) && spec.shape.size() == 3 && spec.shape[1] == points &&
           spec.shape[2] > 0 && (columns == 0 || spec.shape[2] == columns);
  });
  return found == outputs.end() ? nullptr : &*found;
}

// Two tables for each stride.
std::optional<GuessedHead> DistributionOf(const Specs& outputs, ImageSize input,
                                          const std::vector<int>& strides, int reg_max) {
  if (outputs.size() != 2 * strides.size()) return std::nullopt;
  GuessedHead guess{DetectionHead::Of(Kind::kDistribution), Certainty::kLikely};
  guess.head.strides = strides;
  guess.head.reg_max = reg_max;
  const std::int64_t columns = std::int64_t{4} * (reg_max + 1);
  for (const int stride : strides) {
    const std::int64_t points = Grid::Over(input, stride).points();
    const TensorSpec* const distances = Find(outputs, points, columns, nullptr);
    const TensorSpec* const scores = Find(outputs, points, guess.classes, distances);
    if (distances == nullptr || scores == nullptr || scores->shape[2] > kMostClasses) {
      return std::nullopt;
    }
    guess.classes = static_cast<int>(scores->shape[2]);
    guess.head.outputs.scores.push_back(scores->name);
    guess.head.outputs.distances.push_back(distances->name);
  }
  return guess;
}

std::optional<GuessedHead> GuessDistribution(const Specs& outputs, ImageSize input) {
  if (input.width < 1 || input.height < 1) return std::nullopt;
  for (const std::vector<int>& strides : UsualStrides()) {
    for (const int reg_max : kRegMaxes) {
      std::optional<GuessedHead> guess = DistributionOf(outputs, input, strides, reg_max);
      if (guess) return guess;
    }
  }
  return std::nullopt;
}

const TensorSpec* Named(const Specs& outputs, std::initializer_list<absl::string_view> names) {
  for (const absl::string_view name : names) {
    const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const TensorSpec& spec) {
      return spec.name == name || absl::StartsWith(spec.name, absl::StrCat(name, ":"));
    });
    if (found != outputs.end()) return &*found;
  }
  return nullptr;
}

// The names that TensorFlow's detectors, which give TensorFlow's boxes, and torchvision's have.
std::optional<GuessedHead> GuessNames(const Specs& outputs) {
  const TensorSpec* const boxes = Named(outputs, {"detection_boxes", "boxes"});
  const TensorSpec* const scores = Named(outputs, {"detection_scores", "scores"});
  const TensorSpec* const labels = Named(outputs, {"detection_classes", "labels"});
  if (boxes == nullptr || scores == nullptr || labels == nullptr) return std::nullopt;
  if (boxes->shape.empty() || boxes->shape.back() != kBoxColumns) return std::nullopt;
  GuessedHead guess{DetectionHead::Of(Kind::kBoxesScoresLabels), Certainty::kLikely};
  guess.head.outputs.boxes = boxes->name;
  guess.head.outputs.scores = {scores->name};
  guess.head.outputs.labels = labels->name;
  if (absl::StartsWith(boxes->name, "detection_")) {
    guess.certainty = Certainty::kUnmistakable;
    guess.head.box_format = BoxFormat::kYxyx;
    guess.head.normalized = true;
    guess.head.first_class = 1;
    const TensorSpec* const count = Named(outputs, {"num_detections"});
    if (count != nullptr) guess.head.outputs.count = count->name;
  } else if (boxes->shape.size() == 2 && labels->dtype == DataType::kInt64) {
    guess.certainty = Certainty::kUnmistakable;
  }
  return guess;
}

// Boxes and scores of as many rows, and nothing else.
std::optional<GuessedHead> GuessBoxes(const Specs& outputs) {
  if (outputs.size() != 2) return std::nullopt;
  for (std::size_t at = 0; at < 2; ++at) {
    const TensorSpec& boxes = outputs[at];
    const TensorSpec& scores = outputs[1 - at];
    const bool fit = IsFloat(boxes) && IsFloat(scores) && boxes.shape.size() == 3 &&
                     scores.shape.size() == 3 && boxes.shape[2] == kBoxColumns &&
                     boxes.shape[1] == scores.shape[1] && scores.shape[2] > 0 &&
                     scores.shape[2] <= kMostClasses &&
                     (scores.shape[2] != kBoxColumns || absl::StrContains(boxes.name, "box"));
    if (!fit) continue;
    GuessedHead guess{DetectionHead::Of(Kind::kBoxesScoresPerClass), Certainty::kLikely,
                      static_cast<int>(scores.shape[2])};
    guess.head.outputs.boxes = boxes.name;
    guess.head.outputs.scores = {scores.name};
    return guess;
  }
  return std::nullopt;
}

std::string KindText(const DetectionHead& head) {
  switch (head.kind) {
    case Kind::kBoxesScoresLabels:
      return "boxes, scores and labels";
    case Kind::kBoxesScoresPerClass:
      return "boxes and the scores of each class";
    case Kind::kYoloV5:
      return "a YOLOv5 head";
    case Kind::kYoloV8:
      return "a YOLOv8 or YOLO11 head";
    case Kind::kDistribution:
      return "an anchor-free head with distributions (NanoDet, PicoDet)";
    case Kind::kNone:
      break;
  }
  return "no detections";
}

}  // namespace

std::optional<GuessedHead> GuessHead(const std::vector<TensorSpec>& outputs, ImageSize input) {
  std::optional<GuessedHead> guess = GuessNames(outputs);
  if (!guess) guess = GuessTable(outputs, input);
  if (!guess) guess = GuessDistribution(outputs, input);
  if (!guess) guess = GuessBoxes(outputs);
  return guess;
}

std::string HeadText(const GuessedHead& guess) {
  if (guess.classes == 0) return KindText(guess.head);
  return absl::StrCat(KindText(guess.head), " of ", guess.classes, " classes");
}

}  // namespace cleave
