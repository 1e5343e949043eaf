#ifndef CLEAVE_CORE_CPU_MODEL_H_
#define CLEAVE_CORE_CPU_MODEL_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace cleave {

// Returns the name of this machine's processor, as Linux tells it; nothing where it does not tell.
// Thread-safe, as is the function below.
std::optional<std::string> CpuModel();

// Does the same for the text of /proc/cpuinfo. On x86 it is the "model name"; boards with Arm cores
// have a "Model" or at least a "CPU part".
std::optional<std::string> CpuModelOf(absl::string_view cpuinfo);

}  // namespace cleave

#endif  // CLEAVE_CORE_CPU_MODEL_H_
