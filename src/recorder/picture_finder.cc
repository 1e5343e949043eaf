#include "recorder/picture_finder.h"

#include <utility>

#include "app/filter_counts.h"
#include "core/status_macros.h"

namespace cleave::recorder {

absl::StatusOr<FinderEvent> DeviceFinder::Infer(const std::string& file) const {
  CLEAVE_ASSIGN_OR_RETURN(InferenceRecord record, device_.InferPictures({file}));
  FinderEvent event{.record = absl::UnknownError(""), .detections = {}};
  if (!app::IsFiltered(record)) {
    CLEAVE_ASSIGN_OR_RETURN(
        std::optional<BatchDetections> found,
        detector_.Find(record.outputs, {{.path = "picture", .bytes = file}}, 1, record.form));
    if (!found) return absl::FailedPreconditionError("the model's outputs are no detections");
    event.detections = std::move(found->front());
  }
  record.outputs.clear();
  event.record = std::move(record);
  return event;
}

absl::StatusOr<std::vector<Detection>> DeviceFinder::Find(const std::string& file) {
  absl::StatusOr<FinderEvent> event = Infer(file);
  if (!event.ok()) {
    on_event_({.record = event.status(), .detections = {}});
    return event.status();
  }
  on_event_(*event);
  return std::move(event->detections);
}

}  // namespace cleave::recorder
