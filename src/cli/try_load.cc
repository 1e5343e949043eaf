#include <iostream>
#include <memory>
#include <string>

#include "app/trial_load.h"
#include "cli/commands.h"
#include "core/status_macros.h"
#include "core/units.h"

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
  const auto time = std::make_shared<std::string>();
  const auto memory = std::make_shared<std::string>();
  CLI::Option* limited = command->add_option("--time", *time, "Time that it may take");
  command->add_option("--memory", *memory, "Memory that it may take")->needs(limited);
  command->callback([trial, time, memory, &action] {
    action = [trial, time, memory]() -> absl::Status {
      if (!time->empty()) {
        app::TrialLoad::Limits limits;
        CLEAVE_ASSIGN_OR_RETURN(limits.time_us, ParseDurationUs(*time));
        CLEAVE_ASSIGN_OR_RETURN(limits.memory_bytes, ParseBytes(*memory));
        trial->limits = limits;
      }
      return app::RunTrialLoad(*trial, std::cout);
    };
  });
}

}  // namespace cleave::cli
