#ifndef CLEAVE_WORLD_ENVIRONMENT_FILE_H_
#define CLEAVE_WORLD_ENVIRONMENT_FILE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "world/simulated_environment.h"

namespace cleave::world {

// Which of an environment's traces are drawn from. Where it has none, both are the same.
enum class TracePart : std::uint8_t { kTraining, kHeldOut };

// What an environment file says (docs/environment.md), traces not loaded yet.
struct EnvironmentFile {
  // Where the plan table comes from. Paths are relative to the file's folder.
  std::string model;
  std::string device_profile;              // Empty: cached, or measured now.
  std::vector<std::string> edge_profiles;  // By exit; empty: the device's stand in.
  std::string cuts = "frontier";
  std::string encodings = "all";
  std::int64_t batch = 1;
  int threads = 1;
  double picture_bytes = 0;  // Size of one input's file; 0: inputs come as tensors.
  double picture_us = 0;     // Decoding it on the device; 0: measured now.

  struct Traces {
    std::vector<std::string> up;    // Files, or patterns with * in the file's name.
    std::vector<std::string> down;  // As many, in the same order; or none.
  };
  Traces training;
  Traces held_out;

  EnvironmentOptions options;  // Without traces.

  // Checks every field; an unknown key, a wrong type and a figure out of range are InvalidArgument:
  // `origin`, key, what was found and what was expected.
  static absl::StatusOr<EnvironmentFile> Parse(absl::string_view toml, const std::string& origin);
};

// Where the traces of an environment come from.
struct TraceSource {
  TracePart part = TracePart::kTraining;
  std::string folder;  // Where the file's patterns are looked up; empty: the folder of the file.
  std::vector<TracePair> given = {};  // Not empty: these, and the file's are not looked for.
};

// Reads the file, loads the model and the traces, finds or measures the profiles, and makes the
// plan table that a device would have. Errors name the file at fault.
absl::StatusOr<std::unique_ptr<SimulatedEnvironment>> OpenEnvironment(
    const std::string& path, const TraceSource& traces,
    const std::function<void(const std::string&, double)>& on_progress = {});

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_ENVIRONMENT_FILE_H_
