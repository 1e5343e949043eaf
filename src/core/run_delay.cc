#include "core/run_delay.h"

#include <fstream>

namespace cleave {

std::int64_t ThreadRunDelayUs() {
  std::ifstream file("/proc/thread-self/schedstat");
  std::int64_t ran_ns = 0;
  std::int64_t waited_ns = 0;
  return file >> ran_ns >> waited_ns ? waited_ns / 1000 : 0;
}

}  // namespace cleave
