#ifndef CLEAVE_CLI_EXPERIMENT_H_
#define CLEAVE_CLI_EXPERIMENT_H_

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/status.h"
#include "cli/commands.h"

namespace cleave::cli {

// Returns the path of this program, which experiments start again as edge and devices.
std::string ThisProgram();
// Returns the command line of this process, for reports.
std::string CommandLine();

// Adds `cleave experiment sacd`.
void AddSacdExperiment(CLI::App& parent, Action& action);
// Prints its tables and writes its page again from its results (`origin` is their file).
absl::Status RedrawSacd(const std::string& json, const std::string& origin,
                        const std::string& page);

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_EXPERIMENT_H_
