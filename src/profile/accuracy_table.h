#ifndef CLEAVE_PROFILE_ACCURACY_TABLE_H_
#define CLEAVE_PROFILE_ACCURACY_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/plan.h"

namespace cleave {

// What calibration found for one plan.
struct AccuracyRow {
  Plan plan;
  std::int64_t right = 0;  // Samples.
  // Mean over the samples of what the plan's tensors are as frames, or the picture as a file. 0 for
  // the plan that stays on the device.
  double bytes = 0;
  double entropy_bytes = 0;  // With the entropy stage; 0 where there is none (pictures, no tensor).
};

// Bounds of a 95% confidence interval of a share.
struct ShareInterval {
  double low = 0;
  double high = 1;
};

// Wilson's score interval. REQUIRES: 0 <= right <= samples, samples >= 1.
ShareInterval WilsonInterval(std::int64_t right, std::int64_t samples);

// How accurate each plan of one model is on one set of samples. Immutable; thread-safe.
class AccuracyTable {
 public:
  struct About {
    std::string model_digest;  // SHA-256 of the file: 64 hex digits, as the next.
    std::string data_digest;   // Of the samples and their labels.
    std::int64_t samples = 0;
    std::uint64_t seed = 0;  // With which they were drawn.
    // Whether `right` is by labels; else by agreement with the last exit in full precision.
    bool labels = true;
  };

  // InvalidArgument names the field: a digest that is none, no samples, a row whose plan or figures
  // cannot be, a plan given twice, no row of the last exit (the largest) that is exact.
  static absl::StatusOr<AccuracyTable> Create(About about, std::vector<AccuracyRow> rows);

  const About& about() const { return about_; }
  const std::vector<AccuracyRow>& rows() const { return rows_; }  // By exit, cut, encoding.

  // Null where the plan was not measured.
  const AccuracyRow* Find(const Plan& plan) const;
  double AccuracyOf(const AccuracyRow& row) const;  // A share from 0 to 1.
  ShareInterval IntervalOf(const AccuracyRow& row) const;
  // Of the last exit in full precision.
  double best_accuracy() const { return best_accuracy_; }

  // The value of "calibration" in a sidecar (docs/calibration.md), one row to a line.
  std::string ToJson() const;
  // Checks every field; `origin` names the text in errors.
  static absl::StatusOr<AccuracyTable> FromJson(absl::string_view json, const std::string& origin);

  // Out of the model's sidecar. NotFound where there is none or it says nothing of calibration;
  // FailedPrecondition, with both digests, for the table of another model; else FromJson's errors.
  static absl::StatusOr<AccuracyTable> Load(const std::string& model_path,
                                            absl::string_view model_digest);
  // Into the model's sidecar, whose other fields stay, atomically; makes it where there is none.
  // The path. InvalidArgument, and nothing is written, if the file there is no JSON object.
  absl::StatusOr<std::string> Save(const std::string& model_path) const;

 private:
  AccuracyTable(About about, std::vector<AccuracyRow> rows)
      : about_(std::move(about)), rows_(std::move(rows)) {}

  About about_;
  std::vector<AccuracyRow> rows_;
  double best_accuracy_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_PROFILE_ACCURACY_TABLE_H_
