#include "detect/decode.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "detect/head_reader.h"
#include "detect/suppress.h"

namespace cleave {
namespace {

constexpr std::size_t kMostCandidates = 4096;

// Keeps the candidates of the highest scores, which then come first.
void KeepHighest(std::vector<Candidate>& candidates) {
  const auto before = [](const Candidate& a, const Candidate& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.row != b.row ? a.row < b.row : a.class_index < b.class_index;
  };
  const std::size_t count = std::min(candidates.size(), kMostCandidates);
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(count),
                    candidates.end(), before);
  candidates.resize(count);
}

// Whether the box has a size; what is no number has none.
bool IsBox(const Box& box) {
  return std::isfinite(box.x0) && std::isfinite(box.y0) && std::isfinite(box.x1) &&
         std::isfinite(box.y1) && box.x1 > box.x0 && box.y1 > box.y0;
}

// The part of a box of the input that shows the picture, in the picture's pixels.
std::optional<Box> InPicture(const Box& box, const InputToPicture& map) {
  const ImagePoint first = map.ToUpright({box.x0, box.y0});
  const ImagePoint last = map.ToUpright({box.x1, box.y1});
  const auto clamped = [](double value, int most) { return std::clamp<double>(value, 0, most); };
  const Box inside = {clamped(first.x, map.upright.width), clamped(first.y, map.upright.height),
                      clamped(last.x, map.upright.width), clamped(last.y, map.upright.height)};
  if (!IsBox(inside)) return std::nullopt;
  return inside;
}

std::vector<Detection> DecodeItem(const HeadReader& reader, std::int64_t item,
                                  const DetectionHead& head) {
  std::vector<Candidate> candidates = reader.Candidates(item);
  KeepHighest(candidates);
  std::vector<Detection> found;
  for (const Candidate& candidate : candidates) {
    const Box box = reader.BoxOf(item, candidate.row);
    if (IsBox(box)) found.push_back({box, candidate.class_index, candidate.score});
  }
  return Suppress(found, head.suppression, head.iou_threshold, static_cast<std::size_t>(head.most));
}

}  // namespace

absl::StatusOr<BatchDetections> DecodeInInput(const std::vector<NamedTensor>& outputs,
                                              const DetectionHead& head, ImageSize input) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<HeadReader> reader,
                          HeadReader::Open(outputs, head, input));
  BatchDetections found;
  for (std::int64_t item = 0; item < reader->items(); ++item) {
    found.push_back(DecodeItem(*reader, item, head));
  }
  return found;
}

absl::StatusOr<BatchDetections> InPictures(const BatchDetections& in_input,
                                           const std::vector<InputToPicture>& pictures) {
  if (in_input.size() != pictures.size()) {
    return FieldError("detections", absl::StrCat("outputs of ", in_input.size(), " items"),
                      absl::StrCat(pictures.size(), ", as many as there were inputs"));
  }
  BatchDetections found(in_input.size());
  for (std::size_t item = 0; item < in_input.size(); ++item) {
    for (const Detection& detection : in_input[item]) {
      const std::optional<Box> box = InPicture(detection.box, pictures[item]);
      if (box) found[item].push_back({*box, detection.class_index, detection.score});
    }
  }
  return found;
}

absl::StatusOr<BatchDetections> Decode(const std::vector<NamedTensor>& outputs,
                                       const DetectionHead& head, const DetectionInput& input) {
  CLEAVE_ASSIGN_OR_RETURN(const BatchDetections found, DecodeInInput(outputs, head, input.size));
  return InPictures(found, input.pictures);
}

}  // namespace cleave
