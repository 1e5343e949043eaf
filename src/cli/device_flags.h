#ifndef CLEAVE_CLI_DEVICE_FLAGS_H_
#define CLEAVE_CLI_DEVICE_FLAGS_H_

#include <CLI/CLI.hpp>
#include <atomic>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cleave/device.h"
#include "cli/shape_flag.h"
#include "metrics/device_monitor.h"

namespace cleave::cli {

// The flags that `run`, `explain` and `detector` share.
struct DeviceFlags {
  std::string model;
  DeviceOptions options;
  ShapeFlag shape;
  std::string max_device;    // In milliseconds or with a unit; empty if not given.
  std::string deadline;      // It has the same form.
  std::string min_accuracy;  // "0.8" or "80%"; empty if not given.
  std::string accuracy_drop;
  std::string filter;        // A file, or empty for the one beside the model; used if it is given.
  std::string filter_check;  // "0.02" or "2%"; empty if not given.
  std::string timeout;       // A duration; empty for the library's default.
  std::string objective = "latency";
  std::string max_latency;  // In milliseconds or with a unit; empty if not given.
  std::string data_budget;  // "2GB/month" or a rate; empty if not given.
  std::string metrics;      // HOST:PORT; empty: nobody is told.

  // Adds them to `command`, which has to outlive this.
  void AddTo(CLI::App& command);
  // Adds those of the commands that ask an edge: `run` and `detector`.
  void AddAskingTo(CLI::App& command);
  // Returns the options, with a progress bar on stderr if that is a terminal. Errors name the
  // flag's text.
  absl::StatusOr<DeviceOptions> Parse() const;
  // Loads the model in a child process first, if it is new (app/trial_load.h).
  absl::Status TryModel() const;

 private:
  const CLI::Option* filter_option_ = nullptr;
};

// Starts to tell over HTTP how the device does, and says where, if --metrics asks for it; else
// null. The device must outlive it.
absl::StatusOr<std::unique_ptr<metrics::DeviceMonitor>> StartMonitor(const DeviceFlags& flags,
                                                                     const Device& device);

// Says on stderr which files beside the model cannot be used,
void SayWarnings(const Device& device);
// and why the edge that these options name cannot be asked now.
void SayEdgeProblem(const Device& device, const DeviceOptions& options);

// Says on stderr that the edge does not accept the device any more, or the device the edge: once,
// until the edge has helped again. Thread-safe.
class CredentialsNotice {
 public:
  // What SayEdgeProblem has said already is not said again.
  explicit CredentialsNotice(const Device& device) : said_(!device.edge_usable()) {}
  void Add(const InferenceRecord& record);

 private:
  std::atomic<bool> said_;
};

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_DEVICE_FLAGS_H_
