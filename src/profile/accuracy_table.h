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

// The bounds of a 95% confidence interval of a share.
struct ShareInterval {
  double low = 0;
  double high = 1;
};

// How well a detector's boxes agree with the true ones: COCO's mean average precision, 0 to 1.
struct DetectionAccuracy {
  double at_50_to_95 = 0;  // The mean over intersections over union of 0.5, 0.55 ... 0.95.
  double at_50 = 0;
  ShareInterval interval;  // Of at_50_to_95.
};

// What calibration found for one plan.
struct AccuracyRow {
  Plan plan;
  std::int64_t right = 0;  // It counts samples; 0 for a detector.
  // The mean size over the samples of the plan's tensors as frames, or of the picture as a file. 0
  // for the plan that stays on the device.
  double bytes = 0;
  // The mean size with the entropy stage; 0 where there is none (pictures, no tensor).
  double entropy_bytes = 0;
  std::optional<DetectionAccuracy> detection = std::nullopt;  // A detector's, and only that.
};

// Computes Wilson's score interval. REQUIRES: 0 <= right <= samples, samples >= 1.
ShareInterval WilsonInterval(std::int64_t right, std::int64_t samples);

// Says how accurate each plan of one model is on one set of samples. Immutable; thread-safe.
class AccuracyTable {
 public:
  // What a row's accuracy is.
  enum class Metric {
    kTop1,                  // The share of samples whose class is right.
    kMeanAveragePrecision,  // DetectionAccuracy::at_50_to_95.
  };

  // The name as sidecars and reports have it: "top1", "mean_average_precision".
  static absl::string_view MetricName(Metric metric);

  struct About {
    // The SHA-256 of the model file as 64 hex digits; data_digest has the same form.
    std::string model_digest;
    std::string data_digest;  // The digest of the samples and their labels.
    std::int64_t samples = 0;
    std::uint64_t seed = 0;  // The seed with which they were drawn.
    // True if accuracy is agreement with labels, false if with the last exit in full precision.
    bool labels = true;
    Metric metric = Metric::kTop1;
  };

  // Creates a table. InvalidArgument names the field: a malformed digest, no samples, a row whose
  // plan or figures are impossible, a plan given twice, no exact row of the last exit (the
  // largest).
  static absl::StatusOr<AccuracyTable> Create(About about, std::vector<AccuracyRow> rows);

  const About& about() const { return about_; }
  const std::vector<AccuracyRow>& rows() const { return rows_; }  // Sorted by exit, cut, encoding.

  // Returns null if the plan was not measured.
  const AccuracyRow* Find(const Plan& plan) const;
  double AccuracyOf(const AccuracyRow& row) const;  // Returns a share from 0 to 1.
  // Returns the 95% confidence interval of AccuracyOf: Wilson's of a share, or the row's own.
  ShareInterval IntervalOf(const AccuracyRow& row) const;
  // Returns the accuracy of the last exit in full precision.
  double best_accuracy() const { return best_accuracy_; }

  // Returns the value of "calibration" in a sidecar (docs/calibration.md), one row to a line.
  std::string ToJson() const;
  // Checks every field; `origin` names the text in errors.
  static absl::StatusOr<AccuracyTable> FromJson(absl::string_view json, const std::string& origin);

  // Reads the table from the model's sidecar. NotFound if there is none or it has no calibration;
  // FailedPrecondition, with both digests, for the table of another model; otherwise FromJson's
  // errors.
  static absl::StatusOr<AccuracyTable> Load(const std::string& model_path,
                                            absl::string_view model_digest);
  // Writes the table to the model's sidecar atomically and keeps its other fields; creates the
  // sidecar if there is none. Returns its path. InvalidArgument, and nothing is written, if the
  // file there is not a JSON object.
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
