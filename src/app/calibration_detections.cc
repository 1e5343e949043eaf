#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/calibration_score.h"
#include "app/detector.h"
#include "codec/class_labels.h"
#include "codec/input_geometry.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "detect/average_precision.h"
#include "detect/detection_labels.h"

namespace cleave::app {
namespace {

namespace fs = std::filesystem;

// What is compared has detections below the threshold that users see, as average precision expects:
// an object whose score falls a little below it is not lost.
constexpr double kLowestScore = 0.01;
constexpr int kBootstrapRounds = 200;
constexpr std::uint64_t kBootstrapSeed = 1;

class DetectionScore : public CalibrationScore {
 public:
  DetectionScore(Detector shown, Detector all, ModelClasses classes, Preprocessing how)
      : shown_(std::move(shown)), all_(std::move(all)), classes_(std::move(classes)), how_(how) {}

  AccuracyTable::Metric metric() const override {
    return AccuracyTable::Metric::kMeanAveragePrecision;
  }
  // How many boxes a detector finds often depends on the picture, which a batch cannot express.
  std::size_t largest_batch() const override { return 1; }

  absl::StatusOr<SampleSet> Draw(const SampleOptions& options) override {
    folder_ = options.data;
    if (options.labels.empty()) return DrawPictures(options, std::nullopt);
    if (options.labels == "folders") {
      return FieldError("labels", "folders",
                        "a file in COCO's JSON format or a folder of YOLO's text files");
    }
    CLEAVE_ASSIGN_OR_RETURN(labels_, DetectionLabels::Open(options.labels, classes_));
    CLEAVE_ASSIGN_OR_RETURN(SampleSet set, DrawPictures(options, labels_->pictures()));
    set.labelled = true;
    if (!labels_->pictures()) CLEAVE_RETURN_IF_ERROR(CheckTexts(options.labels, set));
    return set;
  }

  absl::Status Begin(std::span<const Sample> samples, std::span<const SampleContents> contents,
                     const std::vector<NamedTensor>& exact) override {
    pictures_.clear();
    for (std::size_t i = 0; i < samples.size(); ++i) {
      pictures_.push_back({samples[i].path, contents[i].file});
    }
    if (labels_) return ReadLabels();
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Detection> seen, Find(shown_, exact));
    truth_.clear();
    for (const Detection& each : seen) truth_.push_back({each.box, each.class_index, false});
    return absl::OkStatus();
  }

  std::string LabelText(std::size_t /*sample*/) const override {
    if (!labels_) return "-1";
    std::string text;
    for (const TrueBox& each : truth_) {
      absl::StrAppend(&text, each.class_index, each.crowd ? " crowd " : " ", each.box.x0, " ",
                      each.box.y0, " ", each.box.x1, " ", each.box.y1, ";");
    }
    return text;
  }

  absl::Status Add(const ScoredPlan& plan, const std::vector<NamedTensor>& outputs) override {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Detection> found, Find(all_, outputs));
    precisions_[plan].Add(found, truth_);
    return absl::OkStatus();
  }

  absl::Status Rate(const ScoredPlan& plan, AccuracyRow& row) const override {
    const auto found = precisions_.find(plan);
    std::optional<MeanPrecision> mean;
    if (found != precisions_.end()) mean = found->second.Mean();
    if (!mean) {
      return FieldError(folder_, "no object in any of the pictures",
                        labels_ ? "labels of one at least" : "one that the model detects");
    }
    const auto interval = *found->second.Bootstrap(kBootstrapRounds, kBootstrapSeed);
    row.detection =
        DetectionAccuracy{mean->at_50_to_95, mean->at_50, {interval.low, interval.high}};
    return absl::OkStatus();
  }

 private:
  // A folder that has no file for any of the pictures is a wrong one.
  static absl::Status CheckTexts(const std::string& labels, const SampleSet& set) {
    const bool any = std::any_of(set.samples.begin(), set.samples.end(), [&](const Sample& sample) {
      std::error_code unknown;
      const fs::path name = fs::path(sample.path).filename();
      return fs::exists((fs::path(labels) / name).replace_extension(".txt"), unknown);
    });
    if (any) return absl::OkStatus();
    return FieldError(labels, "no label of any of the pictures",
                      "a text file with a picture's name for each that shows an object");
  }

  absl::Status ReadLabels() {
    const PictureFile& picture = pictures_.front();
    CLEAVE_ASSIGN_OR_RETURN(const InputToPicture map,
                            MapInputToPicture(picture.bytes, how_, picture.path));
    const std::string name = fs::path(picture.path).lexically_relative(folder_).string();
    CLEAVE_ASSIGN_OR_RETURN(truth_, labels_->BoxesOf(name, map.upright));
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Detection>> Find(const Detector& detector,
                                              const std::vector<NamedTensor>& outputs) const {
    CLEAVE_ASSIGN_OR_RETURN(std::optional<BatchDetections> found,
                            detector.Find(outputs, pictures_, 1));
    if (!found) return FieldError("outputs", "those of no detector", "detections, as at first");
    return std::move(found->front());
  }

  const Detector shown_;
  const Detector all_;  // Down to kLowestScore.
  const ModelClasses classes_;
  const Preprocessing how_;
  std::string folder_;
  std::optional<DetectionLabels> labels_;
  std::vector<PictureFile> pictures_;  // Of the batch at hand, as truth_.
  std::vector<TrueBox> truth_;
  std::map<ScoredPlan, AveragePrecision> precisions_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CalibrationScore>> NewDetectionScore(
    const std::string& model_path, const std::vector<ExitModel>& exits, const Preprocessing& how) {
  DetectorOptions options;
  options.model_path = model_path;
  CLEAVE_ASSIGN_OR_RETURN(options.labels, ClassLabelsOfModel(model_path));
  const std::vector<TensorSpec>& inputs = exits.back().table.inputs.specs;
  CLEAVE_ASSIGN_OR_RETURN(std::optional<Detector> shown, Detector::Open(inputs, options));
  options.score_threshold = kLowestScore;
  CLEAVE_ASSIGN_OR_RETURN(std::optional<Detector> all, Detector::Open(inputs, options));
  if (!shown || !all) return FieldError(model_path, "no detector", "a detector");
  ModelClasses classes;
  classes.names = options.labels;
  return std::make_unique<DetectionScore>(*std::move(shown), *std::move(all), std::move(classes),
                                          how);
}

}  // namespace cleave::app
