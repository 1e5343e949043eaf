#ifndef CLEAVE_CLI_RUN_APP_H_
#define CLEAVE_CLI_RUN_APP_H_

#include <CLI/CLI.hpp>
#include <string>

#include "cli/commands.h"

namespace cleave::cli {

// The body of a main function: reads the command line, does what the chosen subcommand set `action`
// to, and reports on standard error as `name`. Returns the exit code: 0 done; 1 the work failed, or
// what it printed could not be written; 2 the command line is wrong.
int RunApp(CLI::App& app, const Action& action, const std::string& name, int argc, char** argv);

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_RUN_APP_H_
