#include "emulate/machine_name.h"

#include "core/cpu_model.h"

namespace cleave::emulate {

std::string MachineName() { return CpuModel().value_or("unknown processor"); }

}  // namespace cleave::emulate
