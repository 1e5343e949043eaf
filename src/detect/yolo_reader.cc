#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "detect/head_reader.h"

namespace cleave {
namespace {

using Kind = DetectionHead::Kind;

constexpr std::int64_t kBoxColumns = 4;

// Rows of a box, perhaps the score of an object, and the scores of the classes.
class YoloReader final : public HeadReader {
 public:
  YoloReader(const DetectionHead& head, ImageSize input, const OutputTable& table,
             std::int64_t first_class_column)
      : head_(head),
        input_(input),
        scores_(table, head_, first_class_column, table.columns() - first_class_column,
                ClassColumns::PerRow::kBest) {
    if (first_class_column > kBoxColumns) scores_.set_object_column(kBoxColumns);
  }

  std::int64_t items() const override { return scores_.table().items(); }

  std::vector<Candidate> Candidates(std::int64_t item) const override {
    std::vector<Candidate> candidates;
    scores_.Append(item, 0, candidates);
    return candidates;
  }

  Box BoxOf(std::int64_t item, std::int64_t row) const override {
    const OutputTable& table = scores_.table();
    return BoxFrom(head_, input_, table.At(item, row, 0), table.At(item, row, 1),
                   table.At(item, row, 2), table.At(item, row, 3));
  }

 private:
  const DetectionHead head_;
  const ImageSize input_;
  ClassColumns scores_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HeadReader>> OpenYolo(const std::vector<NamedTensor>& outputs,
                                                     const DetectionHead& head, ImageSize input) {
  const bool with_object = head.kind == Kind::kYoloV5;
  const OutputTable::Order order =
      with_object ? OutputTable::Order::kRows : OutputTable::Order::kColumns;
  CLEAVE_ASSIGN_OR_RETURN(const OutputTable table,
                          OutputTable::Of(outputs, head.outputs.predictions, order));
  const std::int64_t first_class_column = with_object ? kBoxColumns + 1 : kBoxColumns;
  CLEAVE_RETURN_IF_ERROR(CheckClasses(head, table, table.columns() - first_class_column));
  return std::make_unique<YoloReader>(head, input, table, first_class_column);
}

}  // namespace cleave
