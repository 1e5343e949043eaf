#include "app/detector.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "codec/input_geometry.h"
#include "codec/input_preprocessing.h"
#include "core/check.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "detect/decode.h"
#include "detect/detections_tensor.h"
#include "detect/guess_head.h"
#include "detect/model_head.h"

namespace cleave::app {
namespace {

using Kind = DetectionHead::Kind;

bool IsPicture(const std::vector<TensorSpec>& inputs) {
  return inputs.size() == 1 && TakesPictures(inputs.front());
}

ImageSize SizeOf(const Preprocessing& how) { return {how.width, how.height}; }

std::vector<TensorSpec> SpecsOf(const std::vector<NamedTensor>& tensors) {
  std::vector<TensorSpec> specs;
  specs.reserve(tensors.size());
  for (const NamedTensor& each : tensors) {
    specs.push_back({each.name, each.tensor.dtype(), each.tensor.shape()});
  }
  return specs;
}

// Of a model without a head.
std::string OtherKind(const std::vector<TensorSpec>& outputs) {
  if (outputs.size() != 1 || outputs.front().shape.size() != 2) return "";
  const std::int64_t classes = outputs.front().shape[1];
  return classes > 1 ? absl::StrCat("scores of ", classes, " classes") : "";
}

}  // namespace

absl::StatusOr<std::optional<Detector>> Detector::Open(const std::vector<TensorSpec>& inputs,
                                                       const DetectorOptions& options) {
  Detector detector;
  detector.options_ = options;
  CLEAVE_ASSIGN_OR_RETURN(detector.said_, DetectionHead::OfModel(options.model_path));
  if (detector.said_ && detector.said_->kind == Kind::kNone) return std::nullopt;
  if (!IsPicture(inputs)) {
    if (!detector.said_) return std::nullopt;
    return FieldError("detections", "a model whose input is no picture", "one of a picture");
  }
  CLEAVE_ASSIGN_OR_RETURN(detector.how_,
                          PreprocessingFor(inputs.front(), options.model_path, options.flags));
  if (options.score_threshold) {
    CLEAVE_RETURN_IF_ERROR(CheckShare("--score-threshold", options.score_threshold));
  }
  if (options.iou_threshold) {
    CLEAVE_RETURN_IF_ERROR(CheckShare("--iou-threshold", options.iou_threshold));
  }
  return detector;
}

std::optional<DetectionHead> Detector::HeadOf(const std::vector<NamedTensor>& outputs) const {
  std::optional<DetectionHead> head = said_;
  if (!head) head = UnmistakableHead(SpecsOf(outputs), SizeOf(how_));
  if (!head) return std::nullopt;
  head->score_threshold = options_.score_threshold.value_or(head->score_threshold);
  head->iou_threshold = options_.iou_threshold.value_or(head->iou_threshold);
  if (!options_.labels.empty()) head->classes = static_cast<int>(options_.labels.size());
  return head;
}

absl::StatusOr<std::optional<BatchDetections>> Detector::FindInInput(
    const std::vector<NamedTensor>& outputs, std::int64_t items, AnswerForm form) const {
  if (form == AnswerForm::kDetections) return DetectionsOf(outputs.front().tensor, items);
  const std::optional<DetectionHead> head = HeadOf(outputs);
  if (!head) return std::nullopt;
  return DecodeInInput(outputs, *head, SizeOf(how_));
}

absl::StatusOr<std::optional<BatchDetections>> Detector::Find(
    const std::vector<NamedTensor>& outputs, const std::vector<PictureFile>& pictures,
    std::int64_t items, AnswerForm form) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<BatchDetections> found,
                          FindInInput(outputs, items, form));
  if (!found) return std::nullopt;
  std::vector<InputToPicture> maps;
  InputToPicture itself;
  itself.upright = SizeOf(how_);
  if (pictures.empty()) maps.assign(static_cast<std::size_t>(items), itself);
  for (const PictureFile& picture : pictures) {
    CLEAVE_ASSIGN_OR_RETURN(const InputToPicture map,
                            MapInputToPicture(picture.bytes, how_, picture.path));
    maps.push_back(map);
  }
  CLEAVE_ASSIGN_OR_RETURN(BatchDetections inside, InPictures(*found, maps));
  return inside;
}

absl::StatusOr<std::optional<DetectionHead>> HeadOfModel(const std::string& model_path,
                                                         const std::vector<TensorSpec>& inputs,
                                                         const std::vector<TensorSpec>& outputs) {
  std::optional<ImageSize> size;
  if (IsPicture(inputs)) {
    CLEAVE_ASSIGN_OR_RETURN(const Preprocessing how,
                            PreprocessingFor(inputs.front(), model_path, PreprocessingFlags()));
    size = SizeOf(how);
  }
  return FindHead(model_path, outputs, size);
}

absl::StatusOr<ModelKind> KindOfModel(const std::string& model_path,
                                      const std::vector<TensorSpec>& inputs,
                                      const std::vector<TensorSpec>& outputs) {
  ModelKind kind;
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<DetectionHead> said,
                          DetectionHead::OfModel(model_path));
  if (said) {
    kind.source = ModelKind::Source::kSidecar;
    kind.text = HeadText({*said, GuessedHead::Certainty::kUnmistakable, 0});
    kind.detects = said->kind != Kind::kNone;
    if (kind.detects) kind.sidecar = said->ToJson();
    return kind;
  }
  kind.text = OtherKind(outputs);
  if (!IsPicture(inputs)) return kind;
  CLEAVE_ASSIGN_OR_RETURN(const Preprocessing how,
                          PreprocessingFor(inputs.front(), model_path, PreprocessingFlags()));
  const std::optional<GuessedHead> guess = GuessHead(outputs, SizeOf(how));
  if (!guess) return kind;
  kind.text = HeadText(*guess);
  kind.detects = guess->certainty == GuessedHead::Certainty::kUnmistakable;
  kind.sidecar = guess->head.ToJson();
  return kind;
}

std::string KindLines(const ModelKind& kind) {
  if (kind.text.empty()) return "";
  const bool said = kind.source == ModelKind::Source::kSidecar;
  std::string lines =
      absl::StrCat("outputs: ", kind.text,
                   said ? ", as the sidecar says\n" : ", as their names and shapes look\n");
  if (!said && !kind.sidecar.empty() && !kind.detects) {
    absl::StrAppend(&lines, "  no shape tells all of it; to see detections, check this and put it ",
                    "into the sidecar: ", Printable(absl::StripSuffix(kind.sidecar, "\n")), "\n");
  }
  return lines;
}

}  // namespace cleave::app
