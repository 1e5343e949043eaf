#include <iostream>
#include <string>

#include "cli/commands.h"

// Exit codes: 0 done, 1 the work failed, 2 the command line is wrong.
int main(int argc, char** argv) {
  CLI::App app(
      "cleave runs a neural network on a device and an edge server at once, and keeps choosing "
      "what "
      "runs where");
  app.name("cleave");
  app.set_version_flag("--version", CLEAVE_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);

  cleave::cli::Action action;
  cleave::cli::AddInspect(app, action);
  cleave::cli::AddVerify(app, action);
  cleave::cli::AddProfile(app, action);
  cleave::cli::AddServe(app, action);
  cleave::cli::AddRun(app, action);
  cleave::cli::AddExplain(app, action);
  cleave::cli::AddLink(app, action);
#ifdef CLEAVE_HAS_EXPERIMENTS
  cleave::cli::AddExperiment(app, action);
#endif
  cleave::cli::AddTrain(app, action);
  cleave::cli::AddCalibrate(app, action);
  cleave::cli::AddExits(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const absl::Status status = action ? action() : absl::OkStatus();
  if (!status.ok()) {
    std::cerr << "cleave: " << status.message() << "\n";
    return 1;
  }
  return 0;
}
