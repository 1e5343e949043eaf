#ifndef CLEAVE_CODEC_CLASS_LABELS_H_
#define CLEAVE_CODEC_CLASS_LABELS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// Names of a model's classes, by index.
using ClassLabels = std::vector<std::string>;

// The names that stand in a sidecar's JSON as {"labels": ["cat", ...]}; empty where it has none.
// InvalidArgument names `origin`, the field, what was found and what was expected: a list of at
// most 2^20 texts of at most 256 bytes each.
absl::StatusOr<ClassLabels> ClassLabelsFromJson(absl::string_view json, const std::string& origin);

// The same of the sidecar beside a model (codec/sidecar.h); empty where there is no sidecar.
absl::StatusOr<ClassLabels> ClassLabelsOfModel(const std::string& model_path);

// A text file with one name a line, in the order of the classes. Errors name the file; the limits
// are those of ClassLabelsFromJson.
absl::StatusOr<ClassLabels> ReadClassLabels(const std::string& path);

}  // namespace cleave

#endif  // CLEAVE_CODEC_CLASS_LABELS_H_
