#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "detect/grid.h"
#include "detect/head_reader.h"

namespace cleave {
namespace {

constexpr std::int64_t kEdges = 4;

// One of the tensors of a head, which covers one or all of its grids.
struct Part {
  OutputTable table;
  std::int64_t first_row = 0;  // Of all points.
};

// Views an output of `points` points, whichever of its dimensions they are.
absl::StatusOr<OutputTable> TableOf(const std::vector<NamedTensor>& outputs,
                                    const std::string& name, std::int64_t points) {
  absl::StatusOr<OutputTable> rows = OutputTable::Of(outputs, name, OutputTable::Order::kRows);
  if (rows.ok() && rows->rows() == points) return rows;
  CLEAVE_ASSIGN_OR_RETURN(OutputTable columns,
                          OutputTable::Of(outputs, name, OutputTable::Order::kColumns));
  if (columns.rows() == points) return columns;
  return FieldError(columns.Field(), columns.ShapeText(),
                    absl::StrCat(points, " points of the grids"));
}

absl::StatusOr<std::vector<Part>> PartsOf(const std::vector<NamedTensor>& outputs,
                                          const std::vector<std::string>& names,
                                          const std::vector<Grid>& grids) {
  std::vector<Part> parts;
  std::int64_t row = 0;
  if (names.size() == 1) {
    for (const Grid& grid : grids) row += grid.points();
    CLEAVE_ASSIGN_OR_RETURN(OutputTable table, TableOf(outputs, names.front(), row));
    parts.push_back({std::move(table), 0});
    return parts;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    CLEAVE_ASSIGN_OR_RETURN(OutputTable table, TableOf(outputs, names[i], grids[i].points()));
    parts.push_back({std::move(table), row});
    row += grids[i].points();
  }
  return parts;
}

absl::Status CheckAlike(const std::vector<Part>& parts, std::int64_t items, std::int64_t columns) {
  for (const Part& part : parts) {
    if (part.table.items() == items && part.table.columns() >= columns) continue;
    return FieldError(part.table.Field(), part.table.ShapeText(),
                      absl::StrCat(items, " items with at least ", columns, " values a point"));
  }
  return absl::OkStatus();
}

class DistributionReader final : public HeadReader {
 public:
  DistributionReader(const DetectionHead& head, std::vector<Grid> grids, std::vector<Part> scores,
                     std::vector<Part> distances, std::int64_t classes, std::int64_t first_distance)
      : head_(head),
        grids_(std::move(grids)),
        distances_(std::move(distances)),
        items_(scores.front().table.items()),
        first_distance_(first_distance) {
    for (Part& part : scores) {
      scores_.push_back({ClassColumns(part.table, head_, 0, classes, ClassColumns::PerRow::kAll),
                         part.first_row});
    }
  }

  std::int64_t items() const override { return items_; }

  std::vector<Candidate> Candidates(std::int64_t item) const override {
    std::vector<Candidate> candidates;
    for (const ScorePart& part : scores_) part.scores.Append(item, part.first_row, candidates);
    return candidates;
  }

  Box BoxOf(std::int64_t item, std::int64_t row) const override {
    std::size_t at = 0;
    std::int64_t point = row;
    while (point >= grids_[at].points()) point -= grids_[at++].points();
    const Grid& grid = grids_[at];
    const std::int64_t line = point / grid.columns;
    const double x = (static_cast<double>(point % grid.columns) + head_.cell_offset) * grid.stride;
    const double y = (static_cast<double>(line) + head_.cell_offset) * grid.stride;
    const Part& part = PartOf(row);
    const auto distance = [&](std::int64_t edge) {
      return grid.stride * ExpectedDistance(part.table, item, row - part.first_row, edge);
    };
    return {x - distance(0), y - distance(1), x + distance(2), y + distance(3)};
  }

 private:
  struct ScorePart {
    ClassColumns scores;
    std::int64_t first_row = 0;
  };

  const Part& PartOf(std::int64_t row) const {
    std::size_t at = distances_.size() - 1;
    while (distances_[at].first_row > row) --at;
    return distances_[at];
  }

  // The mean of 0 to reg_max under the softmax of their scores, in strides.
  double ExpectedDistance(const OutputTable& table, std::int64_t item, std::int64_t row,
                          std::int64_t edge) const {
    const std::int64_t first = first_distance_ + edge * (head_.reg_max + 1);
    double highest = table.At(item, row, first);
    for (std::int64_t i = 1; i <= head_.reg_max; ++i) {
      highest = std::max<double>(highest, table.At(item, row, first + i));
    }
    double sum = 0;
    double weighted = 0;
    for (std::int64_t i = 0; i <= head_.reg_max; ++i) {
      const double weight = std::exp(table.At(item, row, first + i) - highest);
      sum += weight;
      weighted += weight * static_cast<double>(i);
    }
    return weighted / sum;
  }

  const DetectionHead head_;
  const std::vector<Grid> grids_;
  const std::vector<Part> distances_;
  const std::int64_t items_;
  const std::int64_t first_distance_;  // The column of the first distance.
  std::vector<ScorePart> scores_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HeadReader>> OpenDistribution(
    const std::vector<NamedTensor>& outputs, const DetectionHead& head, ImageSize input) {
  std::vector<Grid> grids;
  for (const int stride : head.strides) grids.push_back(Grid::Over(input, stride));
  const std::int64_t columns = kEdges * (head.reg_max + 1);
  const bool together = !head.outputs.predictions.empty();
  const std::vector<std::string> whole = {head.outputs.predictions};
  CLEAVE_ASSIGN_OR_RETURN(std::vector<Part> scores,
                          PartsOf(outputs, together ? whole : head.outputs.scores, grids));
  CLEAVE_ASSIGN_OR_RETURN(std::vector<Part> distances,
                          PartsOf(outputs, together ? whole : head.outputs.distances, grids));
  const OutputTable& first = scores.front().table;
  const std::int64_t classes = first.columns() - (together ? columns : 0);
  CLEAVE_RETURN_IF_ERROR(CheckClasses(head, first, classes));
  CLEAVE_RETURN_IF_ERROR(CheckAlike(scores, first.items(), classes));
  const std::int64_t first_distance = together ? classes : 0;
  CLEAVE_RETURN_IF_ERROR(CheckAlike(distances, first.items(), first_distance + columns));
  return std::make_unique<DistributionReader>(head, std::move(grids), std::move(scores),
                                              std::move(distances), classes, first_distance);
}

}  // namespace cleave
