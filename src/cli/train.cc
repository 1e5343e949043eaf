#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "app/training_program.h"
#include "cli/commands.h"

namespace cleave::cli {
namespace {

void AddFront(CLI::App& app, Action& action, const std::string& name, const std::string& text) {
  CLI::App* command = app.add_subcommand(name, text);
  command->set_help_flag();  // cleave-train reads everything after the subcommand.
  command->prefix_command();
  command->callback([command, name, &action] {
    action = [name, args = command->remaining()]() -> absl::Status {
      if (name == "exits" && std::find(args.begin(), args.end(), "--filter") != args.end()) {
        return absl::InvalidArgumentError(
            "--filter: a filter is fitted by cleave filter fit MODEL --data DIR");
      }
      return app::BecomeTrainingProgram(name, args);
    };
  });
}

}  // namespace

void AddTrain(CLI::App& app, Action& action) {
  AddFront(app, action, "train", "Train a model with early exits, or a policy (needs LibTorch)");
}

void AddExits(CLI::App& app, Action& action) {
  AddFront(
      app, action, "exits",
      "Give a model early exits (needs LibTorch; an exit that says \"nothing here\" is a filter)");
}

}  // namespace cleave::cli
