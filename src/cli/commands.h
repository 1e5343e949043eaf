#ifndef CLEAVE_CLI_COMMANDS_H_
#define CLEAVE_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <functional>

#include "absl/status/status.h"

namespace cleave::cli {

// The work of the chosen subcommand, which runs once its flags are parsed.
using Action = std::function<absl::Status()>;

// Each adds one subcommand to `app`, which sets `action` if it is the chosen one.
void AddInspect(CLI::App& app, Action& action);
void AddTryLoad(CLI::App& app, Action& action);
void AddVerify(CLI::App& app, Action& action);
void AddProfile(CLI::App& app, Action& action);
void AddServe(CLI::App& app, Action& action);
void AddRun(CLI::App& app, Action& action);
void AddExplain(CLI::App& app, Action& action);
void AddLink(CLI::App& app, Action& action);
void AddExperiment(CLI::App& app, Action& action);
void AddTrain(CLI::App& app, Action& action);
void AddCalibrate(CLI::App& app, Action& action);
void AddCodec(CLI::App& app, Action& action);
void AddExits(CLI::App& app, Action& action);
void AddFilter(CLI::App& app, Action& action);
void AddDetector(CLI::App& app, Action& action);

// Add `cleave exits` and `cleave train policy` to the program cleave-train, which links LibTorch.
void AddExitsCommand(CLI::App& app, Action& action);
void AddTrainPolicyCommand(CLI::App& app, Action& action);
void AddTrainBottleneckCommand(CLI::App& app, Action& action);

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_COMMANDS_H_
