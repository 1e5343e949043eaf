#ifndef CLEAVE_CLI_COMMAND_LINE_H_
#define CLEAVE_CLI_COMMAND_LINE_H_

#include <CLI/CLI.hpp>
#include <set>
#include <string>

namespace cleave::cli {

// Returns a command line for the shell that repeats what the parsed `command` was asked to do. It
// names every option that the command has, those left at their defaults too, so that it stays true
// when a default changes and none can be forgotten. It leaves out those in `without` (such as
// "--threads"), which do not change the result.
std::string CommandLine(const CLI::App& command, const std::set<std::string>& without);

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_COMMAND_LINE_H_
