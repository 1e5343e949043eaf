#ifndef CLEAVE_CLI_DETECTION_FLAGS_H_
#define CLEAVE_CLI_DETECTION_FLAGS_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "app/detector.h"
#include "cleave/device.h"

namespace cleave::cli {

// The names of a model's classes, and where they come from, for messages.
struct NamedClasses {
  std::vector<std::string> labels;
  std::string origin;
};

// The flags that `run` and `detector` share.
struct DetectionFlags {
  std::string labels;  // A file, or empty for those of the model's sidecar.
  std::optional<double> score_threshold;
  std::optional<double> iou_threshold;

  // Adds them to `command`, which has to outlive this.
  void AddTo(CLI::App& command);
  // Errors are those of the file, or of the sidecar.
  absl::StatusOr<NamedClasses> ReadLabels(const std::string& model) const;
  // How detections are found in what the device answers with.
  app::DetectorOptions Detector(const std::string& model,
                                const std::vector<std::string>& names) const;
  // The same, for the device that makes them itself.
  DeviceOptions::Answers Answers(const std::vector<std::string>& names) const;
};

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_DETECTION_FLAGS_H_
