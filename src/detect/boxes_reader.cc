#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "detect/head_reader.h"

namespace cleave {
namespace {

using Kind = DetectionHead::Kind;

constexpr std::int64_t kBoxColumns = 4;
constexpr std::int64_t kScoreColumn = 4;
constexpr std::int64_t kLabelColumn = 5;
constexpr std::int64_t kPredictionColumns = 6;

absl::Status CheckColumns(const OutputTable& table, std::int64_t columns) {
  if (table.columns() == columns) return absl::OkStatus();
  return FieldError(table.Field(), table.ShapeText(),
                    absl::StrCat(columns, " as its last dimension"));
}

absl::Status CheckRows(const OutputTable& table, const OutputTable& boxes) {
  if (table.items() == boxes.items() && table.rows() == boxes.rows()) return absl::OkStatus();
  return FieldError(
      table.Field(), table.ShapeText(),
      absl::StrCat(boxes.items(), " x ", boxes.rows(), ", as ", boxes.Field(), " has boxes"));
}

// A label of the model as the index of a class.
std::optional<int> ClassOf(const DetectionHead& head, float label) {
  const float index = label - static_cast<float>(head.first_class);
  const float most = static_cast<float>(head.classes.value_or(kMostClasses));
  if (!(index >= 0 && index < most) || index != std::floor(index)) return std::nullopt;
  return static_cast<int>(index);
}

// Boxes with one score and one label each.
class LabelledBoxes final : public HeadReader {
 public:
  // A table and the first of its columns that is meant.
  struct Columns {
    OutputTable table;
    std::int64_t first = 0;
  };

  LabelledBoxes(const DetectionHead& head, ImageSize input, Columns boxes, Columns scores,
                Columns labels, std::optional<OutputTable> count)
      : head_(head),
        input_(input),
        boxes_(std::move(boxes)),
        scores_(std::move(scores)),
        labels_(std::move(labels)),
        count_(std::move(count)) {}

  std::int64_t items() const override { return boxes_.table.items(); }

  std::vector<Candidate> Candidates(std::int64_t item) const override {
    std::vector<Candidate> candidates;
    const std::int64_t rows = RowsOf(item);
    for (std::int64_t row = 0; row < rows; ++row) {
      const float score = Activated(head_, scores_.table.At(item, row, scores_.first));
      if (!(score >= static_cast<float>(head_.score_threshold) && score <= 1)) continue;
      const std::optional<int> index = ClassOf(head_, labels_.table.At(item, row, labels_.first));
      if (index) candidates.push_back({score, *index, row});
    }
    return candidates;
  }

  Box BoxOf(std::int64_t item, std::int64_t row) const override {
    const auto at = [&](std::int64_t i) { return boxes_.table.At(item, row, boxes_.first + i); };
    return BoxFrom(head_, input_, at(0), at(1), at(2), at(3));
  }

 private:
  std::int64_t RowsOf(std::int64_t item) const {
    const std::int64_t rows = boxes_.table.rows();
    if (!count_) return rows;
    const float count = count_->items() == 1 ? count_->At(0, item, 0) : count_->At(item, 0, 0);
    if (!(count >= 0)) return 0;
    return count >= static_cast<float>(rows) ? rows : static_cast<std::int64_t>(count);
  }

  const DetectionHead head_;
  const ImageSize input_;
  const Columns boxes_;
  const Columns scores_;
  const Columns labels_;
  const std::optional<OutputTable> count_;
};

// Boxes with a score for each class.
class ScoredBoxes final : public HeadReader {
 public:
  ScoredBoxes(const DetectionHead& head, ImageSize input, OutputTable boxes,
              const OutputTable& scores)
      : head_(head),
        input_(input),
        boxes_(std::move(boxes)),
        scores_(scores, head_, 0, scores.columns(), ClassColumns::PerRow::kAll) {}

  std::int64_t items() const override { return boxes_.items(); }

  std::vector<Candidate> Candidates(std::int64_t item) const override {
    std::vector<Candidate> candidates;
    scores_.Append(item, 0, candidates);
    return candidates;
  }

  Box BoxOf(std::int64_t item, std::int64_t row) const override {
    return BoxFrom(head_, input_, boxes_.At(item, row, 0), boxes_.At(item, row, 1),
                   boxes_.At(item, row, 2), boxes_.At(item, row, 3));
  }

 private:
  const DetectionHead head_;
  const ImageSize input_;
  const OutputTable boxes_;
  const ClassColumns scores_;
};

absl::StatusOr<std::unique_ptr<HeadReader>> OpenPredictions(const std::vector<NamedTensor>& outputs,
                                                            const DetectionHead& head,
                                                            ImageSize input) {
  CLEAVE_ASSIGN_OR_RETURN(const OutputTable table,
                          OutputTable::OfRows(outputs, head.outputs.predictions));
  CLEAVE_RETURN_IF_ERROR(CheckColumns(table, kPredictionColumns));
  return std::make_unique<LabelledBoxes>(head, input, LabelledBoxes::Columns{table, 0},
                                         LabelledBoxes::Columns{table, kScoreColumn},
                                         LabelledBoxes::Columns{table, kLabelColumn}, std::nullopt);
}

absl::StatusOr<std::unique_ptr<HeadReader>> OpenLabelled(const std::vector<NamedTensor>& outputs,
                                                         const DetectionHead& head, ImageSize input,
                                                         const OutputTable& boxes) {
  const DetectionHead::Outputs& names = head.outputs;
  CLEAVE_ASSIGN_OR_RETURN(const OutputTable scores,
                          OutputTable::OfColumn(outputs, names.scores.front()));
  CLEAVE_RETURN_IF_ERROR(CheckRows(scores, boxes));
  CLEAVE_ASSIGN_OR_RETURN(const OutputTable labels, OutputTable::OfColumn(outputs, names.labels));
  CLEAVE_RETURN_IF_ERROR(CheckRows(labels, boxes));
  std::optional<OutputTable> count;
  if (!names.count.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(count, OutputTable::OfColumn(outputs, names.count));
    if (count->items() * count->rows() != boxes.items()) {
      return FieldError(count->Field(), count->ShapeText(),
                        absl::StrCat(boxes.items(), " numbers, one for each item"));
    }
  }
  return std::make_unique<LabelledBoxes>(head, input, LabelledBoxes::Columns{boxes, 0},
                                         LabelledBoxes::Columns{scores, 0},
                                         LabelledBoxes::Columns{labels, 0}, std::move(count));
}

}  // namespace

absl::StatusOr<std::unique_ptr<HeadReader>> OpenBoxes(const std::vector<NamedTensor>& outputs,
                                                      const DetectionHead& head, ImageSize input) {
  if (!head.outputs.predictions.empty()) return OpenPredictions(outputs, head, input);
  CLEAVE_ASSIGN_OR_RETURN(OutputTable boxes, OutputTable::OfRows(outputs, head.outputs.boxes));
  CLEAVE_RETURN_IF_ERROR(CheckColumns(boxes, kBoxColumns));
  if (head.kind == Kind::kBoxesScoresLabels) return OpenLabelled(outputs, head, input, boxes);
  CLEAVE_ASSIGN_OR_RETURN(OutputTable scores,
                          OutputTable::OfRows(outputs, head.outputs.scores.front()));
  CLEAVE_RETURN_IF_ERROR(CheckRows(scores, boxes));
  CLEAVE_RETURN_IF_ERROR(CheckClasses(head, scores, scores.columns()));
  return std::make_unique<ScoredBoxes>(head, input, std::move(boxes), std::move(scores));
}

}  // namespace cleave
