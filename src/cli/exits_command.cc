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
  command.add_option("--resize", how.resize, "Images: shorter side before the crop");
  command.add_option("--height", how.height, "Images: height of the crop");
  command.add_option("--width", how.width, "Images: width of the crop");
  command.add_option("--mean", flags.mean, "Images: mean of each channel")->type_name("R G B");
  command.add_option("--std", flags.deviation, "Images: standard deviation of each channel")
      ->type_name("R G B");
}

}  // namespace

void AddExitsCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "exits", "Give a model early exits: heads at some cuts, and only these are trained");
  const auto flags = std::make_shared<ExitsFlags>();
  FitExitsOptions& options = flags->options;
  command->add_option("model", options.model, "ONNX file, which stays as it is")
      ->type_name("MODEL")
      ->required();
  command
      ->add_option("--at", options.cuts, "Cuts that an exit leaves at (cleave inspect --cuts all)")
      ->type_name("CUT,CUT...")
      ->delimiter(',')
      ->required();
  command
      ->add_option("--data", options.data,
                   "{train,test}/CLASS/*.jpg, or CIFAR-10: data_batch_*.bin and test_batch.bin")
      ->type_name("DIR")
      ->required();
  command
      ->add_option("-o,--out", options.out,
                   "Model with exits; beside it .json (preprocessing), .md (model card)")
      ->type_name("OUT.onnx")
      ->required();
  command->add_option("--samples", options.limits.train, "Training pictures, 0: all")
      ->capture_default_str();
  command->add_option("--test-samples", options.limits.test, "Test pictures, 0: all")
      ->capture_default_str();
  command->add_option("--seed", options.limits.seed, "Of the choice of pictures")
      ->capture_default_str();
  command->add_option("--weight-decay", options.weight_decay, "The larger, the smaller the weights")
      ->capture_default_str();
  command->add_option("--steps", options.steps, "Of L-BFGS, at most")->capture_default_str();
  command->add_option("--batch", options.batch, "Pictures of a run")->capture_default_str();
  command->add_option("--threads", options.threads, "Of ONNX Runtime")->capture_default_str();
  AddPreprocessing(*command, *flags);
  command->callback(
      [flags, command, &action] { action = [flags, command] { return Run(*flags, *command); }; });
}

}  // namespace cleave::cli
