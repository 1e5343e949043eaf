#ifndef CLEAVE_CLI_DEVICE_FLAGS_H_
#define CLEAVE_CLI_DEVICE_FLAGS_H_

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cleave/device.h"

namespace cleave::cli {

// The flags that `run` and `explain` share. A value that CLI11 fills in.
struct DeviceFlags {
  std::string model;
  DeviceOptions options;
  std::string max_device;    // In milliseconds or with a unit; empty: it was not given.
  std::string deadline;      // As max_device.
  std::string min_accuracy;  // "0.8" or "80%"; empty: it was not given.
  std::string accuracy_drop;

  // Adds the flags to the command, which must not outlive this.
  void AddTo(CLI::App& command);
  // The options that the flags say, with a progress bar on stderr where that is a terminal. Errors
  // name the value that cannot be read.
  absl::StatusOr<DeviceOptions> Parse() const;
};

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_DEVICE_FLAGS_H_
