#include <array>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/stop_signals.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "core/text_table.h"
#include "learn/fit_exits.h"

namespace cleave::cli {
namespace {

struct ExitsFlags {
  FitExitsOptions options;
  std::array<float, 3> mean{};
  std::array<float, 3> deviation{};
};

std::string AccuracyText(const FittedExit& exit) {
  return exit.has_accuracy() ? absl::StrFormat("%.2f%%", 100 * exit.evaluation.accuracy)
                             : "other classes";
}

void Print(const FitExitsOptions& options, const FitExitsOutcome& outcome) {
  TextTable table({{"exit", TextTable::Align::kLeft},
                   {"cut"},
                   {"tensor", TextTable::Align::kLeft},
                   {"parameters"},
                   {"right in test"}});
  for (const FittedExit& exit : outcome.exits) {
    table.Add({exit.evaluation.name, exit.cut ? absl::StrCat(*exit.cut) : "", exit.tensor.name,
               absl::StrCat(exit.parameters), AccuracyText(exit)});
  }
  std::cout << table.Text();
  std::cout << absl::StrFormat(
      "%d training and %d test pictures, %.0f s; on the latter the model's own outputs are "
      "unchanged, bit for bit\nmodel: %s\nmodel card: %s\npreprocessing: %s\n",
      outcome.train_pictures, outcome.test_pictures, outcome.seconds, options.out,
      options.card_path(), options.sidecar_path());
}

absl::Status Run(const ExitsFlags& flags, const CLI::App& command) {
  FitExitsOptions options = flags.options;
  if (command.count("--mean") > 0) options.preprocessing.mean = flags.mean;
  if (command.count("--std") > 0) options.preprocessing.deviation = flags.deviation;
  StopSignals signals(options.cancel);
  signals.Ready();
  options.on_progress = ProgressBar();
  options.on_warning = [](const std::string& warning) {
    EndProgressBar();
    std::cerr << "cleave exits: warning: " << Printable(warning) << "\n";
  };
  const absl::StatusOr<FitExitsOutcome> outcome = FitExits(options);
  EndProgressBar();
  CLEAVE_RETURN_IF_ERROR(outcome.status());
  Print(options, *outcome);
  return absl::OkStatus();
}

void AddPreprocessing(CLI::App& command, ExitsFlags& flags) {
  PreprocessingFlags& how = flags.options.preprocessing;
  command.add_option(
      "--resize", how.resize,
      "Shorter side to which pictures are resized before the crop, in pixels (default: the "
      "sidecar's, else 256/224 of the larger of height and width)");
  command.add_option(
      "--height", how.height,
      "Height of the crop, in pixels (default: the sidecar's, else that of the model's input)");
  command.add_option(
      "--width", how.width,
      "Width of the crop, in pixels (default: the sidecar's, else that of the model's input)");
  command
      .add_option("--mean", flags.mean,
                  "Mean of each channel, which is subtracted from pixels (default: the sidecar's, "
                  "else ImageNet's)")
      ->type_name("R G B");
  command
      .add_option("--std", flags.deviation,
                  "Standard deviation of each channel, by which pixels are divided (default: the "
                  "sidecar's, else ImageNet's)")
      ->type_name("R G B");
}

}  // namespace

void AddExitsCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "exits", "Give a model early exits: heads at some cuts, which alone are trained");
  const auto flags = std::make_shared<ExitsFlags>();
  FitExitsOptions& options = flags->options;
  command->add_option("model", options.model, "ONNX file of the model, which stays unchanged")
      ->type_name("MODEL")
      ->required();
  command
      ->add_option("--at", options.cuts,
                   "Cuts at which to add an exit, as cleave inspect --cuts all numbers them")
      ->type_name("CUT,CUT...")
      ->delimiter(',')
      ->required();
  command
      ->add_option(
          "--data", options.data,
          "Folder of pictures to train and test with: {train,test}/CLASS/*.jpg, or CIFAR-10's "
          "data_batch_*.bin and test_batch.bin")
      ->type_name("DIR")
      ->required();
  command
      ->add_option(
          "-o,--out", options.out,
          "File to write the model with exits to; its preprocessing (.json) and model card "
          "(.md) are written beside it")
      ->type_name("OUT.onnx")
      ->required();
  command->add_option("--samples", options.limits.train, "Number of training pictures; 0 takes all")
      ->capture_default_str();
  command->add_option("--test-samples", options.limits.test, "Number of test pictures; 0 takes all")
      ->capture_default_str();
  command->add_option("--seed", options.limits.seed, "Seed with which the pictures are chosen")
      ->capture_default_str();
  command
      ->add_option("--weight-decay", options.weight_decay, "Weight decay (L2 penalty) of the heads")
      ->capture_default_str();
  command->add_option("--steps", options.steps, "Largest number of L-BFGS steps")
      ->capture_default_str();
  command
      ->add_option("--batch", options.batch,
                   "Pictures that run at once, unless the model's batch is fixed")
      ->capture_default_str();
  command->add_option("--threads", options.threads, "Threads that ONNX Runtime uses")
      ->capture_default_str();
  AddPreprocessing(*command, *flags);
  command->callback(
      [flags, command, &action] { action = [flags, command] { return Run(*flags, *command); }; });
}

}  // namespace cleave::cli
