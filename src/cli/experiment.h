#ifndef CLEAVE_CLI_EXPERIMENT_H_
#define CLEAVE_CLI_EXPERIMENT_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/commands.h"
#include "experiments/rig/grid.h"
#include "experiments/rig/model_experiment.h"

namespace cleave::cli {

// Returns the path of this program, which experiments start again as edge and devices.
std::string ThisProgram();
// Returns the command line of this process, for reports.
std::string CommandLine();

// Adds the flags of all experiments over a shaped link: where the link is shaped, seed and output.
void AddRigFlags(CLI::App& command, experiments::rig::ModelOptions& options);
// Adds those and the flags of experiments at several rates and shares of a core, whose defaults the
// options have.
void AddGridFlags(CLI::App& command, experiments::rig::GridOptions& options,
                  std::vector<double>& rates_mbit);
// Equips the options, takes over the rates that were given, and runs until a signal stops it; `run`
// returns what is then printed.
absl::Status RunGrid(experiments::rig::GridOptions& options, const std::vector<double>& rates_mbit,
                     const std::function<absl::StatusOr<std::string>()>& run);
// Sets program and progress.
void Equip(experiments::rig::ModelOptions& options);
// Mbit/s, as flags have rates, in bits per second.
std::vector<double> RatesOf(const std::vector<double>& mbit);

// Adds `cleave experiment latency`.
void AddLatencyExperiment(CLI::App& parent, Action& action);
// Adds `cleave experiment stream`.
void AddStreamExperiment(CLI::App& parent, Action& action);
// Adds `cleave experiment sacd`.
void AddSacdExperiment(CLI::App& parent, Action& action);
// Prints its tables and writes its page again from its results (`origin` is their file).
absl::Status RedrawSacd(const std::string& json, const std::string& origin,
                        const std::string& page);

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_EXPERIMENT_H_
