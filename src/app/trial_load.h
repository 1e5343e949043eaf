#ifndef CLEAVE_APP_TRIAL_LOAD_H_
#define CLEAVE_APP_TRIAL_LOAD_H_

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/exit_models.h"

namespace cleave::app {

// How a model is to be loaded, as flags say it.
struct TrialLoad {
  std::string model;  // ONNX file.
  std::string cuts = "frontier";
  int threads = 1;
  std::string provider = "CPU";
  std::vector<std::string> shapes;  // As --shape takes them.
  // What the child may use. Nothing: as much as it wants.
  struct Limits {
    std::int64_t time_us = 60'000'000;
    std::int64_t memory_bytes = std::int64_t{2} << 30;
  };
  std::optional<Limits> limits;
};

// Loads a model that was never loaded in this way by this user in a child process first, and runs
// it once, since ONNX Runtime's optimizers die of some models (src/runtime/ort_session.h). Internal
// says which segment ends the child; other errors of loading are left to the caller, who meets them
// again. Does nothing where a note in the cache folder says that it went well before. With limits,
// as for models of strangers, every error of the child is returned: Internal, or
// ResourceExhausted where it took too long.
absl::Status TryLoading(const TrialLoad& trial);

// What the child does: says on `out` which segment it is at, a line for each, and last what is
// wrong with the model. With limits, it may write no file above 16 MiB and dump no core.
absl::Status RunTrialLoad(const TrialLoad& trial, std::ostream& out);

}  // namespace cleave::app

#endif  // CLEAVE_APP_TRIAL_LOAD_H_
