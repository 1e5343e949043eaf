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

// Replaces this process by the program cleave-train beside this one, which alone links LibTorch, so
// that this program starts fast and stays small.
absl::Status Become(const std::string& command, const std::vector<std::string>& args) {
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

void AddFront(CLI::App& app, Action& action, const std::string& name, const std::string& text) {
  CLI::App* command = app.add_subcommand(name, text);
  command->set_help_flag();  // cleave-train reads everything after the subcommand.
  command->prefix_command();
  command->callback([command, name, &action] {
    action = [name, args = command->remaining()] { return Become(name, args); };
  });
}

}  // namespace

void AddTrain(CLI::App& app, Action& action) {
  AddFront(app, action, "train", "Train a model with early exits, or a policy (needs LibTorch)");
}

void AddExits(CLI::App& app, Action& action) {
  AddFront(app, action, "exits", "Give a model early exits (needs LibTorch)");
}

}  // namespace cleave::cli
