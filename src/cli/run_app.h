#ifndef CLEAVE_CLI_RUN_APP_H_
#define CLEAVE_CLI_RUN_APP_H_

#include <CLI/CLI.hpp>
#include <string>

#include "cli/commands.h"

namespace cleave::cli {

// Does the work of a main function: parses the command line, runs the `action` that the chosen
// subcommand set, and reports errors on standard error as `name`. Returns the exit code: 0 if the
// work is done, 1 if it failed or its output could not be written, 2 if the command line is wrong.
int RunApp(CLI::App& app, const Action& action, const std::string& name, int argc, char** argv);

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_RUN_APP_H_
