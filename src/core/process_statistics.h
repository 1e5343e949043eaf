#ifndef CLEAVE_CORE_PROCESS_STATISTICS_H_
#define CLEAVE_CORE_PROCESS_STATISTICS_H_

#include <cstdint>

namespace cleave {

// What the system says of this process. What it does not say is 0.
struct ProcessStatistics {
  std::int64_t resident_bytes = 0;
  std::int64_t virtual_bytes = 0;
  std::int64_t threads = 0;
  std::int64_t open_files = 0;
  std::int64_t max_files = 0;  // As many as it may have open.
  double cpu_seconds = 0;      // Of user and system together, since the start.
};

// Thread-safe.
ProcessStatistics ReadProcessStatistics();

// How many TCP connections there are to this local port, whoever made them and whether or not
// anything was ever sent, as the kernel counts them (IPv4 and IPv6). Thread-safe.
std::int64_t CountConnections(int local_port);

}  // namespace cleave

#endif  // CLEAVE_CORE_PROCESS_STATISTICS_H_
