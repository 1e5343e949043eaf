#include "core/process_statistics.h"

#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace cleave {
namespace {

constexpr char kEstablished[] = "01";

double SecondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::int64_t CountOpenFiles() {
  std::error_code failed;
  const std::filesystem::directory_iterator files("/proc/self/fd", failed);
  if (failed) return 0;
  // The folder that is being read is one of them.
  return std::distance(begin(files), end(files)) - 1;
}

// A line is "  0: 0100007F:1F41 00000000:0000 0A ...": a number, local and remote address, state.
bool IsConnectionTo(const std::string& line, int local_port) {
  std::istringstream words(line);
  std::string number, local, remote, state;
  words >> number >> local >> remote >> state;
  const std::size_t colon = local.rfind(':');
  std::uint32_t port = 0;
  return colon != std::string::npos && state == kEstablished &&
         absl::SimpleHexAtoi(absl::string_view(local).substr(colon + 1), &port) &&
         port == static_cast<std::uint32_t>(local_port);
}

}  // namespace

ProcessStatistics ReadProcessStatistics() {
  ProcessStatistics found;
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key; status.ignore(std::numeric_limits<int>::max(), '\n')) {
    std::int64_t value = 0;
    if (key == "VmRSS:" && status >> value) found.resident_bytes = value * 1024;
    if (key == "VmSize:" && status >> value) found.virtual_bytes = value * 1024;
    if (key == "Threads:" && status >> value) found.threads = value;
  }
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
    found.max_files = static_cast<std::int64_t>(files.rlim_cur);
  }
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    found.cpu_seconds = SecondsOf(usage.ru_utime) + SecondsOf(usage.ru_stime);
  }
  found.open_files = CountOpenFiles();
  return found;
}

std::int64_t CountConnections(int local_port) {
  std::int64_t count = 0;
  for (const char* table : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    std::ifstream file(table);
    for (std::string line; std::getline(file, line);) {
      if (IsConnectionTo(line, local_port)) ++count;
    }
  }
  return count;
}

}  // namespace cleave
