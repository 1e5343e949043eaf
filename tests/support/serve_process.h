#ifndef CLEAVE_TESTS_SUPPORT_SERVE_PROCESS_H_
#define CLEAVE_TESTS_SUPPORT_SERVE_PROCESS_H_

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "support/tiny_models.h"

extern char** environ;

namespace cleave::testing {

// The real program, as `cleave serve ARGS`. Killed with the object at the latest.
class ServeProcess {
 public:
  // Where its standard error goes: a file, or a pipe whose reader has gone.
  enum class Errors { kFile, kNobody };

  explicit ServeProcess(std::vector<std::string> args, Errors errors_to = Errors::kFile) {
    std::array<int, 2> out{};
    if (pipe2(out.data(), O_CLOEXEC) != 0) return;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    std::array<int, 2> nobody{-1, -1};
    const std::string errors = ErrorFile();
    if (errors_to == Errors::kNobody && pipe2(nobody.data(), O_CLOEXEC) == 0) {
      close(nobody[0]);
      posix_spawn_file_actions_adddup2(&actions, nobody[1], STDERR_FILENO);
    } else {
      posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors.c_str(),
                                       O_WRONLY | O_CREAT | O_TRUNC, 0600);
    }
    args.insert(args.begin(), {CLEAVE_PROGRAM, "serve"});
    std::vector<char*> argv;
    argv.reserve(args.size() + 1);
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    if (posix_spawn(&pid_, CLEAVE_PROGRAM, &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    if (nobody[1] >= 0) close(nobody[1]);
    ReadTarget(out[0]);
    close(out[0]);
  }
  ~ServeProcess() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    Wait();
  }
  ServeProcess(const ServeProcess&) = delete;
  ServeProcess& operator=(const ServeProcess&) = delete;

  // HOST:PORT that it announced; empty when it ended before.
  const std::string& target() const { return target_; }
  void Signal(int number) const { kill(pid_, number); }

  // Exit code, or minus the signal that ended it.
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  std::string errors() const {
    std::stringstream text;
    text << std::ifstream(ErrorFile()).rdbuf();
    return text.str();
  }

 private:
  std::string ErrorFile() const { return folder_.path() + "/stderr"; }

  void ReadTarget(int fd) {
    std::string line;
    char c = 0;
    while (read(fd, &c, 1) == 1 && c != '\n') line += c;
    const std::string prefix = "listening on ";
    if (line.rfind(prefix, 0) == 0) target_ = line.substr(prefix.size());
  }

  TempDir folder_;
  pid_t pid_ = -1;
  std::string target_;
};

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_SUPPORT_SERVE_PROCESS_H_
