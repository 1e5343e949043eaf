#include <iostream>
#include <memory>

#include "app/trial_load.h"
#include "cli/commands.h"

namespace cleave::cli {

void AddTryLoad(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("try-load", "Load a model and run it once");
  command->group("");  // It is the program's own, for models that may end a process.
  const auto trial = std::make_shared<app::TrialLoad>();
  command->add_option("model", trial->model, "ONNX file of the model")->required();
  command->add_option("--cuts", trial->cuts, "Cuts: frontier, all or a number");
  command->add_option("--threads", trial->threads, "Threads that one run uses");
  command->add_option("--provider", trial->provider, "ONNX Runtime execution provider");
  command->add_option("--shape", trial->shapes, "Shape of an input")->take_all();
  command->callback(
      [trial, &action] { action = [trial] { return app::RunTrialLoad(*trial, std::cout); }; });
}

}  // namespace cleave::cli
