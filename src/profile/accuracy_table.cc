#include "profile/accuracy_table.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr int kMaxExit = 1 << 10;
constexpr int kMaxCut = 1 << 24;
constexpr std::int64_t kMaxSamples = 1'000'000'000;
constexpr double kMaxBytes = 1e12;

auto Order(const Plan& plan) { return std::tuple(plan.exit, plan.cut, plan.encoding); }

bool Before(const AccuracyRow& a, const AccuracyRow& b) { return Order(a.plan) < Order(b.plan); }

absl::Status CheckDetection(const AccuracyRow& row, AccuracyTable::Metric metric,
                            const std::string& at) {
  const bool expected = metric == AccuracyTable::Metric::kMeanAveragePrecision;
  if (row.detection.has_value() != expected) {
    return FieldError(at + "precision", row.detection ? "one" : "none",
                      expected ? "one, as the metric is a detector's" : "none");
  }
  if (!row.detection) return absl::OkStatus();
  const auto& [at_50_to_95, at_50, interval] = *row.detection;
  for (const auto& [field, share] : {std::pair{"precision", at_50_to_95},
                                     {"precision_at_50", at_50},
                                     {"low", interval.low},
                                     {"high", interval.high}}) {
    if (!(share >= 0 && share <= 1)) return FieldError(at + field, absl::StrCat(share), "0 to 1");
  }
  if (interval.low > at_50_to_95 || interval.high < at_50_to_95) {
    return FieldError(at + "precision", absl::StrCat(at_50_to_95),
                      absl::StrCat(interval.low, " to ", interval.high, ", its interval"));
  }
  return absl::OkStatus();
}

absl::Status CheckRow(const AccuracyRow& row, const AccuracyTable::About& about) {
  const std::int64_t samples = about.samples;
  const Plan& plan = row.plan;
  const std::string at = absl::StrCat("row of exit ", plan.exit, ", cut ", plan.cut, ", ",
                                      EncodingName(plan.encoding), ": ");
  if (plan.exit < 0 || plan.exit > kMaxExit) {
    return FieldError(at + "exit", absl::StrCat(plan.exit), absl::StrCat("0 to ", kMaxExit));
  }
  if (plan.cut < 0 || plan.cut > kMaxCut) {
    return FieldError(at + "cut", absl::StrCat(plan.cut), absl::StrCat("0 to ", kMaxCut));
  }
  if (IsPicture(plan.encoding) && plan.cut != 0) {
    return FieldError(at + "encoding", "that of a picture", "one of a tensor, as the cut is not 0");
  }
  if (row.right < 0 || row.right > samples) {
    return FieldError(at + "right", absl::StrCat(row.right),
                      absl::StrCat("0 to ", samples, ", the number of samples"));
  }
  CLEAVE_RETURN_IF_ERROR(CheckDetection(row, about.metric, at));
  for (const auto& [field, bytes] :
       {std::pair{"bytes", row.bytes}, std::pair{"entropy_bytes", row.entropy_bytes}}) {
    if (!(bytes >= 0 && bytes <= kMaxBytes)) {
      return FieldError(at + field, absl::StrCat(bytes), absl::StrCat("0 to ", kMaxBytes));
    }
  }
  return absl::OkStatus();
}

}  // namespace

ShareInterval WilsonInterval(std::int64_t right, std::int64_t samples) {
  // Of the normal distribution, 97.5% lies below this.
  constexpr double kZ = 1.959963984540054;
  const auto n = static_cast<double>(samples);
  const double share = static_cast<double>(right) / n;
  const double z2 = kZ * kZ / n;
  const double centre = share + z2 / 2;
  const double half = kZ * std::sqrt(share * (1 - share) / n + z2 / (4 * n));
  return {std::max(0.0, (centre - half) / (1 + z2)), std::min(1.0, (centre + half) / (1 + z2))};
}

absl::StatusOr<AccuracyTable> AccuracyTable::Create(About about, std::vector<AccuracyRow> rows) {
  CLEAVE_RETURN_IF_ERROR(CheckDigest("model_digest", about.model_digest));
  CLEAVE_RETURN_IF_ERROR(CheckDigest("data_digest", about.data_digest));
  if (about.samples < 1 || about.samples > kMaxSamples) {
    return FieldError("samples", absl::StrCat(about.samples), absl::StrCat("1 to ", kMaxSamples));
  }
  for (const AccuracyRow& row : rows) CLEAVE_RETURN_IF_ERROR(CheckRow(row, about));
  std::sort(rows.begin(), rows.end(), Before);
  const auto twice = std::adjacent_find(
      rows.begin(), rows.end(),
      [](const AccuracyRow& a, const AccuracyRow& b) { return a.plan == b.plan; });
  if (twice != rows.end()) {
    return FieldError("rows",
                      absl::StrCat("exit ", twice->plan.exit, ", cut ", twice->plan.cut, ", ",
                                   EncodingName(twice->plan.encoding), " twice"),
                      "each plan once");
  }
  AccuracyTable table(std::move(about), std::move(rows));
  const auto best =
      std::find_if(table.rows_.rbegin(), table.rows_.rend(), [&table](const AccuracyRow& row) {
        return row.plan.exit == table.rows_.back().plan.exit && IsExact(row.plan.encoding);
      });
  if (best == table.rows_.rend()) {
    return FieldError("rows", absl::StrCat(table.rows_.size()),
                      "one of the last exit in full precision among them");
  }
  table.best_accuracy_ = table.AccuracyOf(*best);
  return table;
}

const AccuracyRow* AccuracyTable::Find(const Plan& plan) const {
  const auto found =
      std::lower_bound(rows_.begin(), rows_.end(), AccuracyRow{.plan = plan}, Before);
  return found != rows_.end() && found->plan == plan ? &*found : nullptr;
}

double AccuracyTable::AccuracyOf(const AccuracyRow& row) const {
  if (row.detection) return row.detection->at_50_to_95;
  return static_cast<double>(row.right) / static_cast<double>(about_.samples);
}

ShareInterval AccuracyTable::IntervalOf(const AccuracyRow& row) const {
  if (row.detection) return row.detection->interval;
  return WilsonInterval(row.right, about_.samples);
}

}  // namespace cleave
