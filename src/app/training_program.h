#ifndef CLEAVE_APP_TRAINING_PROGRAM_H_
#define CLEAVE_APP_TRAINING_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace cleave::app {

// Becomes the program cleave-train that stands beside this one (execv): it alone links LibTorch, so
// that this one starts fast and stays small. `command` is "train" or another subcommand that
// cleave-train has; `args` are what follows it. Returns only where it fails: Unimplemented where
// there is no such program.
absl::Status BecomeTrainingProgram(const std::string& command,
                                   const std::vector<std::string>& args);

}  // namespace cleave::app

#endif  // CLEAVE_APP_TRAINING_PROGRAM_H_
