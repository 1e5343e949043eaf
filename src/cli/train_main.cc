// The program cleave-train, which runs `cleave train` and `cleave exits`.
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "app/progress.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/run_app.h"
#include "cli/stop_signals.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "learn/train_exits.h"

namespace cleave::cli {
namespace {

std::string AccuracyText(const std::vector<double>& accuracy) {
  std::string text;
  for (const double share : accuracy) {
    text.append(absl::StrFormat("%s%.1f%%", text.empty() ? "" : " ", 100 * share));
  }
  return text;
}

// Shows a bar on a terminal, and a line for each epoch wherever standard error goes.
std::function<void(const TrainProgress&)> Reporter() {
  return [bar = ProgressBar()](const TrainProgress& now) {
    if (now.epoch_done) {
      EndProgressBar();
      std::cerr << absl::StrFormat("epoch %d/%d: loss %.4f, exits %s, %s left\n", now.epoch,
                                   now.epochs, now.loss, AccuracyText(now.accuracy),
                                   app::DurationText(now.remaining_s))
                << std::flush;
    } else if (now.read < 1) {
      bar("reading the data", now.read);
    } else {
      bar(absl::StrFormat("epoch %d/%d, loss %.3f", now.epoch, now.epochs, now.loss), now.share);
    }
  };
}

absl::Status Run(TrainOptions options) {
  StopSignals signals(options.cancel);
  signals.Ready();
  options.on_progress = Reporter();
  const absl::StatusOr<TrainOutcome> outcome = TrainExits(options);
  EndProgressBar();
  CLEAVE_RETURN_IF_ERROR(outcome.status());
  for (const ExitEvaluation& exit : outcome->exits) {
    std::cout << absl::StrFormat("%s: %.2f%% of the test images\n", exit.name, 100 * exit.accuracy);
  }
  std::cout << "model: " << options.out << "\nmodel card: " << options.card_path()
            << "\npreprocessing: " << options.sidecar_path() << "\n";
  return absl::OkStatus();
}

void AddAlexNet(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "alexnet",
      "Train a multi-branch AlexNet for CIFAR-10, all exits jointly, and write one ONNX file");
  const auto options = std::make_shared<TrainOptions>();
  command
      ->add_option("--data", options->data,
                   "Folder of pictures to train and test with: CIFAR-10's data_batch_*.bin and "
                   "test_batch.bin, or {train,test}/CLASS/*.jpg")
      ->type_name("DIR")
      ->required();
  command->add_option("--exits", options->exits, "Number of exits: the first ones and the last one")
      ->capture_default_str();
  command->add_option("--epochs", options->epochs, "Number of passes over the training images")
      ->capture_default_str();
  command->add_option("--batch", options->batch, "Images of one step")->capture_default_str();
  command->add_option("--seed", options->seed, "Seed of the weights, the order and the shifts")
      ->capture_default_str();
  command
      ->add_option("--threads", options->threads,
                   "Threads that training uses; 0 takes one for each core")
      ->capture_default_str();
  command->add_flag(
      "--resume", options->resume,
      "Continue from the checkpoint beside --out, which is written after every epoch");
  command
      ->add_option("-o,--out", options->out,
                   "File to write the model to; its preprocessing and class names (.json), model "
                   "card (.md) and .checkpoint are written beside it")
      ->type_name("FILE.onnx")
      ->capture_default_str();
  command->callback([options, &action] { action = [options] { return Run(*options); }; });
}

// `cleave train ...` and `cleave exits ...` are both replaced by this program; only the second one
// passes on its subcommand.
int Main(int argc, char** argv) {
  const bool exits = argc > 1 && std::string(argv[1]) == "exits";
  CLI::App app(exits ? "" : "cleave train teaches networks and policies with LibTorch");
  app.name(exits ? "cleave" : "cleave train");
  app.set_version_flag("--version", CLEAVE_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  Action action;
  if (exits) {
    AddExitsCommand(app, action);
  } else {
    AddAlexNet(app, action);
    AddTrainPolicyCommand(app, action);
    AddTrainBottleneckCommand(app, action);
  }
  return RunApp(app, action, exits ? "cleave exits" : "cleave train", argc, argv);
}

}  // namespace
}  // namespace cleave::cli

int main(int argc, char** argv) { return cleave::cli::Main(argc, argv); }
