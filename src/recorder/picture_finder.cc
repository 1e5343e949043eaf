#include "recorder/picture_finder.h"

#include <utility>

#include "app/filter_counts.h"
#include "core/status_macros.h"

namespace cleave::recorder {

DeviceFinder::Event DeviceFinder::Infer(const std::string& file) const {
  FoundPicture found;
  CLEAVE_ASSIGN_OR_RETURN(found.record, device_.InferPictures({file}));
  if (!app::IsFiltered(found.record)) {
    CLEAVE_ASSIGN_OR_RETURN(
        std::optional<BatchDetections> detections,
        detector_.Find(found.record.outputs, {{.path = "picture", .bytes = file}}, 1,
                       found.record.form));
    if (!detections) return absl::FailedPreconditionError("the model's outputs are no detections");
    found.detections = std::move(detections->front());
  }
  found.record.outputs.clear();
  return found;
}

absl::StatusOr<std::vector<Detection>> DeviceFinder::Find(const std::string& file) {
  Event event = Infer(file);
  on_event_(event);
  if (!event.ok()) return event.status();
  return std::move(event->detections);
}

}  // namespace cleave::recorder
