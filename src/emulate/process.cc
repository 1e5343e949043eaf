#include "emulate/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/status_macros.h"

extern char** environ;

namespace cleave::emulate {
namespace {

constexpr std::int64_t kPollUs = 2'000;

struct Pipe {
  int read = -1;
  int write = -1;

  static absl::StatusOr<Pipe> Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
    return Pipe{ends[0], ends[1]};
  }
};

void CloseFd(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

// The environment with `added` in place of variables of the same name.
std::vector<std::string> MakeEnvironment(
    const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string variable = *entry;
    bool replaced = false;
    for (const auto& [name, value] : added) {
      replaced |= variable.compare(0, name.size() + 1, name + "=") == 0;
    }
    if (!replaced) variables.push_back(variable);
  }
  for (const auto& [name, value] : added) variables.push_back(absl::StrCat(name, "=", value));
  return variables;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

struct Process::Impl {
  pid_t pid = -1;
  int input = -1;
  int output = -1;
  bool reaped = false;
  int exit_status = 0;
  std::thread reader;
  absl::Mutex mutex;
  std::deque<std::string> lines ABSL_GUARDED_BY(mutex);
  bool ended ABSL_GUARDED_BY(mutex) = false;

  void ReadOutput() {
    std::string partial;
    char block[4096];
    for (;;) {
      const ssize_t got = read(output, block, sizeof(block));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      partial.append(block, static_cast<std::size_t>(got));
      std::size_t begin = 0;
      for (std::size_t end = partial.find('\n'); end != std::string::npos;
           end = partial.find('\n', begin)) {
        const absl::MutexLock lock(&mutex);
        lines.push_back(partial.substr(begin, end - begin));
        begin = end + 1;
      }
      partial.erase(0, begin);
    }
    const absl::MutexLock lock(&mutex);
    if (!partial.empty()) lines.push_back(partial);
    ended = true;
  }

  bool Reap() {
    if (reaped) return true;
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) != pid) return false;
    reaped = true;
    exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return true;
  }
};

Process::Process(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<Process>> Process::Start(ProcessOptions options) {
  if (options.argv.empty()) return absl::InvalidArgumentError("process: no command");
  std::vector<std::string> argv = options.argv;
  if (!options.cgroup_members_path.empty()) {
    argv = {"/bin/sh", "-c", "echo $$ > \"$0\" && exec \"$@\"", options.cgroup_members_path};
    argv.insert(argv.end(), options.argv.begin(), options.argv.end());
  }
  CLEAVE_ASSIGN_OR_RETURN(Pipe in, Pipe::Open());
  CLEAVE_ASSIGN_OR_RETURN(Pipe out, Pipe::Open());

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.write, STDOUT_FILENO);
  if (!options.stderr_path.empty()) {
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, options.stderr_path.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0644);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::vector<std::string> variables = MakeEnvironment(options.environment);

  auto impl = std::make_unique<Impl>();
  const int failed = posix_spawnp(&impl->pid, argv[0].c_str(), &actions, &attributes,
                                  Pointers(argv).data(), Pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  CloseFd(in.read);
  CloseFd(out.write);
  if (failed != 0) {
    CloseFd(in.write);
    CloseFd(out.read);
    return absl::ErrnoToStatus(failed, absl::StrCat(argv[0], ": cannot be started"));
  }
  impl->input = in.write;
  impl->output = out.read;
  impl->reader = std::thread([state = impl.get()] { state->ReadOutput(); });
  return std::unique_ptr<Process>(new Process(std::move(impl)));
}

Process::~Process() {
  if (!impl_->Reap()) {
    kill(impl_->pid, SIGKILL);
    int status = 0;
    while (waitpid(impl_->pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
  CloseFd(impl_->input);
  // A grandchild may hold the pipe open; the reader is woken all the same.
  pollfd ready{impl_->output, POLLIN, 0};
  while (poll(&ready, 1, 0) > 0 && (ready.revents & POLLIN) != 0)
    absl::SleepFor(absl::Milliseconds(1));
  impl_->reader.join();
  CloseFd(impl_->output);
}

int Process::pid() const { return impl_->pid; }
bool Process::running() { return !impl_->Reap(); }

absl::StatusOr<std::string> Process::ReadLine(std::int64_t timeout_us) {
  const auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(impl_->mutex) {
    return !impl_->lines.empty() || impl_->ended;
  };
  const absl::MutexLock lock(&impl_->mutex);
  if (!impl_->mutex.AwaitWithTimeout(absl::Condition(&ready), absl::Microseconds(timeout_us))) {
    return absl::DeadlineExceededError("the process wrote no line in time");
  }
  if (impl_->lines.empty()) return absl::OutOfRangeError("the process has ended its output");
  std::string line = std::move(impl_->lines.front());
  impl_->lines.pop_front();
  return line;
}

absl::StatusOr<std::string> Process::WaitForLine(const std::string& text, std::int64_t timeout_us) {
  const std::int64_t until_us = Clock::Steady().NowUs() + timeout_us;
  for (;;) {
    const std::int64_t left_us = until_us - Clock::Steady().NowUs();
    if (left_us <= 0) {
      return absl::DeadlineExceededError(absl::StrCat("no line with '", text, "' in time"));
    }
    CLEAVE_ASSIGN_OR_RETURN(std::string line, ReadLine(left_us));
    if (line.find(text) != std::string::npos) return line;
  }
}

absl::Status Process::WriteLine(const std::string& line) {
  const std::string text = line + "\n";
  // A child that has gone must not end this process by SIGPIPE.
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  std::size_t done = 0;
  int error = 0;
  while (done < text.size() && error == 0) {
    const ssize_t wrote = write(impl_->input, text.data() + done, text.size() - done);
    if (wrote > 0) done += static_cast<std::size_t>(wrote);
    if (wrote < 0 && errno != EINTR) error = errno;
  }
  sigaction(SIGPIPE, &before, nullptr);
  if (error != 0) return absl::UnavailableError("the process has closed its standard input");
  return absl::OkStatus();
}

void Process::Signal(int signal) {
  if (!impl_->Reap()) kill(impl_->pid, signal);
}

absl::StatusOr<int> Process::Wait(std::int64_t timeout_us) {
  const std::int64_t until_us = Clock::Steady().NowUs() + timeout_us;
  while (!impl_->Reap()) {
    if (Clock::Steady().NowUs() >= until_us) {
      return absl::DeadlineExceededError("the process still runs");
    }
    absl::SleepFor(absl::Microseconds(kPollUs));
  }
  return impl_->exit_status;
}

absl::Status RunCommand(const std::vector<std::string>& argv) {
  const std::string log =
      (std::filesystem::temp_directory_path() / absl::StrCat("cleave-command-", getpid(), ".log"))
          .string();
  std::error_code ignored;
  std::filesystem::remove(log, ignored);
  constexpr std::int64_t kPatienceUs = 60'000'000;
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Process> process,
                          Process::Start({.argv = argv, .stderr_path = log}));
  CLEAVE_ASSIGN_OR_RETURN(const int exit_status, process->Wait(kPatienceUs));
  const std::string errors = ReadFile(log).value_or("");
  std::filesystem::remove(log, ignored);
  if (exit_status == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(absl::StrJoin(argv, " "), ": exit status ", exit_status, ": ", errors));
}

}  // namespace cleave::emulate
