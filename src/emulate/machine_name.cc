#include "emulate/machine_name.h"

#include <fstream>

namespace cleave::emulate {

std::string MachineName() {
  std::ifstream cpu("/proc/cpuinfo");
  for (std::string line; std::getline(cpu, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(": ") + 2);
  }
  return "unknown processor";
}

}  // namespace cleave::emulate
