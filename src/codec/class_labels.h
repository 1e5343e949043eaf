#ifndef CLEAVE_CODEC_CLASS_LABELS_H_
#define CLEAVE_CODEC_CLASS_LABELS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// Names of a model's classes, by index.
using ClassLabels = std::vector<std::string>;

// Reads the names in a sidecar's JSON, {"labels": ["cat", ...]}; empty where it has none.
// InvalidArgument names `origin`, the field, what was found and what was expected: a list of at
// most 2^20 texts of at most 256 bytes each.
absl::StatusOr<ClassLabels> ClassLabelsFromJson(absl::string_view json, const std::string& origin);

// Reads those of the sidecar beside a model (codec/sidecar.h); empty where there is no sidecar.
absl::StatusOr<ClassLabels> ClassLabelsOfModel(const std::string& model_path);

// Returns the text of a sidecar with these names as its first field. REQUIRES: `sidecar` is a JSON
// object with a field, and none of them is "labels".
std::string WithClassLabels(absl::string_view sidecar, const ClassLabels& labels);

// Reads a text file with one name a line, in the order of the classes. Errors name the file; the
// limits are those of ClassLabelsFromJson.
absl::StatusOr<ClassLabels> ReadClassLabels(const std::string& path);

}  // namespace cleave

#endif  // CLEAVE_CODEC_CLASS_LABELS_H_
