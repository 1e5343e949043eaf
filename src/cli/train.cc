#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"

namespace cleave::cli {
namespace {

// Becomes the program cleave-train beside this one: it alone links LibTorch, so that this one
// starts fast and stays small.
absl::Status Run(const std::vector<std::string>& args) {
  std::error_code failed;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failed);
  const std::string program = (self.parent_path() / "cleave-train").string();
  if (failed || access(program.c_str(), X_OK) != 0) {
    return absl::UnimplementedError(absl::StrCat(
        "train: this build has no LibTorch (CLEAVE_LEARN=OFF): found no program ", program));
  }
  std::vector<std::string> words = {program};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  return absl::InternalError(absl::StrCat("train: ", program, ": ", std::strerror(errno)));
}

}  // namespace

void AddTrain(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("train", "Train a model with early exits (needs LibTorch)");
  command->set_help_flag();  // cleave-train's business, as everything after the word is.
  command->prefix_command();
  command->callback(
      [command, &action] { action = [args = command->remaining()] { return Run(args); }; });
}

}  // namespace cleave::cli
