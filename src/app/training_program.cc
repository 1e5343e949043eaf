#include "app/training_program.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace cleave::app {

absl::Status BecomeTrainingProgram(const std::string& command,
                                   const std::vector<std::string>& args) {
  std::error_code failed;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failed);
  const std::string program = (self.parent_path() / "cleave-train").string();
  if (failed || access(program.c_str(), X_OK) != 0) {
    return absl::UnimplementedError(absl::StrCat(
        command, ": this build has no LibTorch (CLEAVE_LEARN=OFF): found no program ", program));
  }
  std::vector<std::string> words = {program};
  if (command != "train") words.push_back(command);
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  return absl::InternalError(absl::StrCat(command, ": ", program, ": ", std::strerror(errno)));
}

}  // namespace cleave::app
