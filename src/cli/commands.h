#ifndef CLEAVE_CLI_COMMANDS_H_
#define CLEAVE_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <functional>

#include "absl/status/status.h"

namespace cleave::cli {

// What the chosen subcommand does once its flags are parsed.
using Action = std::function<absl::Status()>;

// Each adds one subcommand to `app`; when it is the chosen one, it sets `action`.
void AddInspect(CLI::App& app, Action& action);
void AddVerify(CLI::App& app, Action& action);
void AddProfile(CLI::App& app, Action& action);
void AddServe(CLI::App& app, Action& action);
void AddRun(CLI::App& app, Action& action);
void AddExplain(CLI::App& app, Action& action);
void AddLink(CLI::App& app, Action& action);
void AddExperiment(CLI::App& app, Action& action);
void AddTrain(CLI::App& app, Action& action);
void AddCalibrate(CLI::App& app, Action& action);
void AddExits(CLI::App& app, Action& action);

// `cleave exits` and `cleave train policy` as the program cleave-train has them, which knows
// LibTorch.
void AddExitsCommand(CLI::App& app, Action& action);
void AddTrainPolicyCommand(CLI::App& app, Action& action);

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_COMMANDS_H_
