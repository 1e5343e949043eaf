#ifndef CLEAVE_APP_PROFILE_REPORT_H_
#define CLEAVE_APP_PROFILE_REPORT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "profile/profile.h"

namespace cleave::app {

// What `cleave profile` measures.
struct ProfileTask {
  std::string model;                  // ONNX file.
  std::string cuts = "frontier";      // frontier, all or a number.
  std::vector<std::int64_t> batches;  // Empty: 1 to 32, or the model's fixed one.
  ShapeRequest inputs;      // The shapes of inputs with free dimensions; its batch is not used.
  std::optional<int> exit;  // One of a model's exits; nothing: the last.
  RuntimeOptions runtime;
  std::string edge;    // HOST:PORT; empty: this machine only.
  std::string output;  // Empty: where `run` looks for it.
  std::function<void(const std::string&, double)> on_progress;
};

struct ProfileOutcome {
  ResolvedInputs inputs;  // Those of the first batch size.
  Profile device;
  std::string device_file;
  std::optional<Profile> edge;
  std::string edge_file;
};

// Measures this machine's profile, asks the edge for its own, stores both. Into a file that holds
// the same key, shapes are merged.
absl::StatusOr<ProfileOutcome> RunProfileTask(const ProfileTask& task);

// Returns a table for people: one row for each segment, the median and its spread for the inputs of
// each shape.
std::string ProfileText(const Profile& profile);

// Returns {"device":{..},"device_file","edge":{..}|null,"edge_file"}; the profiles are as
// docs/profile-format.md says.
std::string ProfileJson(const ProfileOutcome& outcome);

}  // namespace cleave::app

#endif  // CLEAVE_APP_PROFILE_REPORT_H_
