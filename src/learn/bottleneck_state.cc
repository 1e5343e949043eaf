#include "learn/bottleneck_state.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/tensor_codec.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::size_t kProgressNumbers = 4;
constexpr std::size_t kPointNumbers = 3;
constexpr std::size_t kRecordHeadNumbers = 3;

void AddPoint(const RatePoint& point, std::vector<double>& to) {
  to.insert(to.end(), {point.rate, point.distortion, point.bytes});
}

std::vector<RatePoint> PointsOf(const std::vector<double>& numbers, std::size_t from,
                                std::size_t count) {
  std::vector<RatePoint> points;
  for (std::size_t i = from; i < from + kPointNumbers * count; i += kPointNumbers) {
    points.push_back({numbers[i], numbers[i + 1], numbers[i + 2]});
  }
  return points;
}

}  // namespace

BottleneckState::Numbers BottleneckState::ToNumbers() const {
  Numbers numbers;
  numbers["progress"] = {static_cast<double>(step), seconds, loss_sum,
                         static_cast<double>(loss_count)};
  for (const RatePoint& point : curve.points()) AddPoint(point, numbers["codec"]);
  for (const BottleneckRecord& record : records) {
    std::vector<double>& to = numbers["records"];
    to.insert(to.end(), {static_cast<double>(record.step), record.loss, record.ratio});
    for (const RatePoint& point : record.points) AddPoint(point, to);
  }
  return numbers;
}

absl::StatusOr<BottleneckState> BottleneckState::FromNumbers(Numbers numbers, const Limits& limits,
                                                             const std::string& origin) {
  const std::size_t record_numbers = kRecordHeadNumbers + kPointNumbers * limits.points_of_record;
  const std::vector<double>& progress = numbers["progress"];
  const std::vector<double>& codec = numbers["codec"];
  const std::vector<double>& records = numbers["records"];
  CLEAVE_RETURN_IF_ERROR(CheckCount(origin + ": progress", progress.size(), kProgressNumbers));
  CLEAVE_RETURN_IF_ERROR(CheckCount(origin + ": codec", codec.size(), kPointNumbers * kCodecRates));
  CLEAVE_RETURN_IF_ERROR(
      CheckRange(origin + ": step", progress[0], 0.0, static_cast<double>(limits.steps)));
  if (records.size() % record_numbers != 0) {
    return FieldError(origin + ": records", absl::StrCat(records.size(), " numbers"),
                      absl::StrCat("a multiple of ", record_numbers));
  }
  for (const double value : codec) {
    CLEAVE_RETURN_IF_ERROR(CheckNotNegative(origin + ": codec", value));
  }
  BottleneckState state;
  state.step = static_cast<std::int64_t>(progress[0]);
  state.seconds = progress[1];
  state.loss_sum = progress[2];
  state.loss_count = static_cast<std::int64_t>(progress[3]);
  state.curve = RateCurve(PointsOf(codec, 0, kCodecRates));
  for (std::size_t i = 0; i < records.size(); i += record_numbers) {
    BottleneckRecord& record = state.records.emplace_back();
    record.step = static_cast<std::int64_t>(records[i]);
    record.loss = records[i + 1];
    record.ratio = records[i + 2];
    record.points = PointsOf(records, i + kRecordHeadNumbers, limits.points_of_record);
  }
  return state;
}

}  // namespace cleave
