#ifndef CLEAVE_CLI_DEVICE_FLAGS_H_
#define CLEAVE_CLI_DEVICE_FLAGS_H_

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cleave/device.h"

namespace cleave::cli {

// The flags that `run` and `explain` share.
struct DeviceFlags {
  std::string model;
  DeviceOptions options;
  std::string max_device;    // Milliseconds or with a unit; empty: not given.
  std::string deadline;      // The same.
  std::string min_accuracy;  // "0.8" or "80%"; empty: not given.
  std::string accuracy_drop;

  void AddTo(CLI::App& command);
  // The options, with a progress bar on stderr where that is a terminal.
  absl::StatusOr<DeviceOptions> Parse() const;
};

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_DEVICE_FLAGS_H_
