#include "app/filter_threshold.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "codec/filter_file.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "model/graph.h"

namespace cleave::app {

absl::Status CheckFilterThreshold(const std::string& filter, const DetectorOptions& detector) {
  CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(detector.model_path));
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const FilterFile> file,
                          FilterFile::Load(filter, detector.model_path, graph->digest()));
  std::optional<double> counts = detector.score_threshold;
  if (!counts) {
    CLEAVE_ASSIGN_OR_RETURN(const std::optional<DetectionHead> head,
                            DetectionHead::OfModel(detector.model_path));
    counts = head.value_or(DetectionHead()).score_threshold;
  }
  const double fitted = file->about().score_threshold;
  if (*counts >= fitted) return absl::OkStatus();
  return FieldError("score threshold", *counts,
                    absl::StrCat("at least the ", fitted, " that the filter was fitted to"));
}

}  // namespace cleave::app
