#ifndef CLEAVE_EXPERIMENTS_RIG_GRID_H_
#define CLEAVE_EXPERIMENTS_RIG_GRID_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/text_table.h"
#include "core/units.h"
#include "experiments/rig/model_experiment.h"
#include "profile/accuracy_table.h"

namespace cleave::experiments::rig {

// What the experiments have in common that compare contenders at each of several rates and shares
// of a core, where every plan has to reach a bar of accuracy.

struct GridOptions : ModelOptions {
  std::vector<double> rates_bps;
  std::vector<double> device_shares;  // In place of device_share.
  double min_accuracy = 0.9;          // The bar: accuracy or agreement, as calibrated.
  std::int64_t settle_us = 2'000'000;

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// A way of sending the picture itself.
struct PictureWay {
  std::string name;    // "JPEG (jpeg75)"
  std::string policy;  // "fixed:0/jpeg75"
};

// JPEG and WebP, each in the coarsest quality that reaches the bar with this exit; a way of which
// none does is left out.
std::vector<PictureWay> CoarsestPictures(const AccuracyTable& calibration, int exit,
                                         double min_accuracy);

// The table of one share: a column for each rate, a row for each figure. `Point` has a share
// `device_share` and a rate `rate_bps`, and stands for one of each. The points must outlive it.
template <typename Point>
class RateTable {
 public:
  // `head` is that of the first column.
  RateTable(const std::vector<Point>& points, double share, const std::string& head)
      : points_(OfShare(points, share)), table_(Columns(points_, head)) {}

  const std::vector<const Point*>& points() const { return points_; }

  void Add(const std::string& name, const std::function<std::string(const Point&)>& text) {
    std::vector<std::string> row = {name};
    for (const Point* point : points_) row.push_back(text(*point));
    table_.Add(std::move(row));
  }

  std::string Markdown() const { return table_.Markdown(); }

 private:
  static std::vector<const Point*> OfShare(const std::vector<Point>& points, double share) {
    std::vector<const Point*> chosen;
    for (const Point& point : points) {
      if (point.device_share == share) chosen.push_back(&point);
    }
    return chosen;
  }

  static std::vector<TextTable::Column> Columns(const std::vector<const Point*>& points,
                                                const std::string& head) {
    std::vector<TextTable::Column> columns = {{head, TextTable::Align::kLeft}};
    for (const Point* point : points) {
      columns.push_back({FormatRate(std::invoke(&Point::rate_bps, *point))});
    }
    return columns;
  }

  const std::vector<const Point*> points_;
  TextTable table_;
};

// The tables of all shares, in the order of the points.
template <typename Point>
std::string TablesOfShares(const std::vector<Point>& points,
                           const std::function<std::string(double share)>& table_of) {
  std::string text;
  double last = -1;
  for (const Point& point : points) {
    if (point.device_share == last) continue;
    last = point.device_share;
    text += table_of(last) + "\n";
  }
  return text;
}

}  // namespace cleave::experiments::rig

#endif  // CLEAVE_EXPERIMENTS_RIG_GRID_H_
