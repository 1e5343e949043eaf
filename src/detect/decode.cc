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
                                  const DetectionHead& head, const InputToPicture& map) {
  std::vector<Candidate> candidates = reader.Candidates(item);
  KeepHighest(candidates);
  std::vector<Detection> found;
  for (const Candidate& candidate : candidates) {
    const Box box = reader.BoxOf(item, candidate.row);
    if (IsBox(box)) found.push_back({box, candidate.class_index, candidate.score});
  }
  found =
      Suppress(found, head.suppression, head.iou_threshold, static_cast<std::size_t>(head.most));
  std::vector<Detection> inside;
  for (const Detection& detection : found) {
    const std::optional<Box> box = InPicture(detection.box, map);
    if (box) inside.push_back({*box, detection.class_index, detection.score});
  }
  return inside;
}

}  // namespace

absl::StatusOr<std::vector<std::vector<Detection>>> Decode(const std::vector<NamedTensor>& outputs,
                                                           const DetectionHead& head,
                                                           const DetectionInput& input) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<HeadReader> reader,
                          HeadReader::Open(outputs, head, input.size));
  const auto items = static_cast<std::int64_t>(input.pictures.size());
  if (reader->items() != items) {
    return FieldError("detections", absl::StrCat("outputs of ", reader->items(), " items"),
                      absl::StrCat(items, ", as many as there were inputs"));
  }
  std::vector<std::vector<Detection>> found;
  for (std::int64_t item = 0; item < items; ++item) {
    found.push_back(DecodeItem(*reader, item, head, input.pictures[item]));
  }
  return found;
}

}  // namespace cleave
