#include "cli/commands.h"
#include "cli/run_app.h"

int main(int argc, char** argv) {
  CLI::App app(
      "cleave runs a neural network on a device and an edge server at once, and keeps choosing "
      "what runs where");
  app.name("cleave");
  app.set_version_flag("--version", CLEAVE_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);

  cleave::cli::Action action;
  cleave::cli::AddInspect(app, action);
  cleave::cli::AddTryLoad(app, action);
  cleave::cli::AddVerify(app, action);
  cleave::cli::AddProfile(app, action);
  cleave::cli::AddServe(app, action);
  cleave::cli::AddRun(app, action);
  cleave::cli::AddDetector(app, action);
  cleave::cli::AddExplain(app, action);
  cleave::cli::AddLink(app, action);
#ifdef CLEAVE_HAS_EXPERIMENTS
  cleave::cli::AddExperiment(app, action);
#endif
  cleave::cli::AddTrain(app, action);
  cleave::cli::AddCalibrate(app, action);
  cleave::cli::AddCodec(app, action);
  cleave::cli::AddExits(app, action);
  cleave::cli::AddFilter(app, action);
  return cleave::cli::RunApp(app, action, "cleave", argc, argv);
}
