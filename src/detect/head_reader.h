#ifndef CLEAVE_DETECT_HEAD_READER_H_
#define CLEAVE_DETECT_HEAD_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/rgb_image.h"
#include "detect/detection.h"
#include "detect/detection_head.h"
#include "detect/output_table.h"

namespace cleave {

// A row of a head's outputs that may be an object.
struct Candidate {
  float score = 0;
  int class_index = 0;
  std::int64_t row = 0;
};

// Internal to src/detect: the outputs of one head, whose shapes were checked. Thread-safe.
class HeadReader {
 public:
  // Errors are those of Decode. REQUIRES: as Decode, and the kind is not kNone.
  static absl::StatusOr<std::unique_ptr<HeadReader>> Open(const std::vector<NamedTensor>& outputs,
                                                          const DetectionHead& head,
                                                          ImageSize input);
  virtual ~HeadReader() = default;

  virtual std::int64_t items() const = 0;
  // The rows of an item whose score is from the threshold to 1, with their classes; in the order of
  // the rows.
  virtual std::vector<Candidate> Candidates(std::int64_t item) const = 0;
  // The box of a row, in pixels of the input; anything, such as NaN, where the output is nonsense.
  virtual Box BoxOf(std::int64_t item, std::int64_t row) const = 0;
};

// Four numbers in a head's format, in pixels of the input.
Box BoxFrom(const DetectionHead& head, ImageSize input, double a, double b, double c, double d);

// The probability that `head` makes of a score of an output. REQUIRES: the activation is not
// softmax.
float Activated(const DetectionHead& head, float score);

// InvalidArgument unless `columns` scores of classes are as many as the head expects.
absl::Status CheckClasses(const DetectionHead& head, const OutputTable& table,
                          std::int64_t columns);

// The scores of the classes in columns of one table, each row a possible object.
class ClassColumns {
 public:
  // Whether a row can be several objects.
  enum class PerRow { kBest, kAll };

  ClassColumns(OutputTable table, const DetectionHead& head, std::int64_t first_column,
               std::int64_t columns, PerRow per_row)
      : table_(std::move(table)),
        head_(head),
        first_column_(first_column),
        columns_(columns),
        per_row_(per_row) {}

  const OutputTable& table() const { return table_; }
  // Multiplies each score by that of this column.
  void set_object_column(std::int64_t column) { object_column_ = column; }

  // Appends the candidates of an item; the first row of the table is the row `first_row`.
  void Append(std::int64_t item, std::int64_t first_row, std::vector<Candidate>& to) const;

 private:
  void AppendRow(std::int64_t item, std::int64_t row, std::int64_t first_row,
                 std::vector<float>& scores, std::vector<Candidate>& to) const;

  OutputTable table_;
  const DetectionHead& head_;
  std::int64_t first_column_;
  std::int64_t columns_;
  PerRow per_row_;
  std::optional<std::int64_t> object_column_;
};

// Internal to src/detect: the readers of one family of kinds each.
absl::StatusOr<std::unique_ptr<HeadReader>> OpenBoxes(const std::vector<NamedTensor>& outputs,
                                                      const DetectionHead& head, ImageSize input);
absl::StatusOr<std::unique_ptr<HeadReader>> OpenYolo(const std::vector<NamedTensor>& outputs,
                                                     const DetectionHead& head, ImageSize input);
absl::StatusOr<std::unique_ptr<HeadReader>> OpenDistribution(
    const std::vector<NamedTensor>& outputs, const DetectionHead& head, ImageSize input);

}  // namespace cleave

#endif  // CLEAVE_DETECT_HEAD_READER_H_
