#ifndef CLEAVE_DETECT_OUTPUT_TABLE_H_
#define CLEAVE_DETECT_OUTPUT_TABLE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"

namespace cleave {

// An output of a detector as one table of floats for each item of the batch, whichever its type is
// and whichever of its dimensions comes first. Thread-safe after it was made.
class OutputTable {
 public:
  // Which dimension of an item comes first.
  enum class Order {
    kRows,     // [N, rows, columns].
    kColumns,  // [N, columns, rows], or [N, columns, height, width] with height x width rows.
  };

  // Finds the output `name` and views it. InvalidArgument names the output that is missing, has
  // another number of dimensions than the order allows, or holds no numbers.
  static absl::StatusOr<OutputTable> Of(const std::vector<NamedTensor>& outputs,
                                        const std::string& name, Order order);
  // The same for an output of one column whose shape is [N, rows], or [rows] if there is one item.
  static absl::StatusOr<OutputTable> OfColumn(const std::vector<NamedTensor>& outputs,
                                              const std::string& name);
  // The same for an output whose shape is [N, rows, columns], or [rows, columns] if there is one
  // item.
  static absl::StatusOr<OutputTable> OfRows(const std::vector<NamedTensor>& outputs,
                                            const std::string& name);

  const std::string& name() const { return name_; }
  std::int64_t items() const { return items_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  // "output 'NAME'" and its shape, for errors.
  std::string Field() const;
  std::string ShapeText() const;

  // REQUIRES: the indices are in range.
  float At(std::int64_t item, std::int64_t row, std::int64_t column) const {
    return values_[item * rows_ * columns_ + row * row_step_ + column * column_step_];
  }

 private:
  absl::Status Read(const std::vector<NamedTensor>& outputs, const std::string& name);
  void Arrange(const Shape& shape, Order order);

  std::string name_;
  Shape shape_;
  std::int64_t items_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  std::int64_t row_step_ = 0;
  std::int64_t column_step_ = 0;
  std::shared_ptr<const void> owner_;
  const float* values_ = nullptr;
};

}  // namespace cleave

#endif  // CLEAVE_DETECT_OUTPUT_TABLE_H_
