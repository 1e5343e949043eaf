#ifndef CLEAVE_EMULATE_PROCESS_H_
#define CLEAVE_EMULATE_PROCESS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cleave::emulate {

struct ProcessOptions {
  std::vector<std::string> argv;  // argv[0] is looked for in PATH.
  // Added to the environment of this process.
  std::vector<std::pair<std::string, std::string>> environment;
  std::string stderr_path;  // File that gets its standard error; empty: this process's own.
  // A cgroup's list of members (CpuQuota::members_path()) that it joins before it runs; empty:
  // none.
  std::string cgroup_members_path;
};

// A child process with its standard input and output. It ends with the object and leaves no zombie
// and no orphan. Thread-compatible; its output is read by a thread of its own, so the child never
// waits for a reader.
class Process {
 public:
  // Starts the program. NotFound when there is no such program; InvalidArgument for an empty argv.
  static absl::StatusOr<std::unique_ptr<Process>> Start(ProcessOptions options);
  ~Process();  // SIGKILL, if it still runs.

  int pid() const;
  bool running();

  // Returns the next line of standard output, without its end. DeadlineExceeded after timeout_us;
  // OutOfRange at its end.
  absl::StatusOr<std::string> ReadLine(std::int64_t timeout_us);

  // Skips lines until one contains `text`, and returns that line.
  absl::StatusOr<std::string> WaitForLine(const std::string& text, std::int64_t timeout_us);

  // Writes a line to the child. Unavailable when the child has closed its standard input.
  absl::Status WriteLine(const std::string& line);

  void Signal(int signal);

  // Returns the exit status, or 128 + the signal that ended it. DeadlineExceeded while it runs on.
  absl::StatusOr<int> Wait(std::int64_t timeout_us);

 private:
  struct Impl;
  explicit Process(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Runs a command to its end, its output read and dropped. Internal with what it wrote to standard
// error unless it exits with 0.
absl::Status RunCommand(const std::vector<std::string>& argv);

}  // namespace cleave::emulate

#endif  // CLEAVE_EMULATE_PROCESS_H_
