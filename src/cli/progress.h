#ifndef CLEAVE_CLI_PROGRESS_H_
#define CLEAVE_CLI_PROGRESS_H_

#include <functional>
#include <string>

namespace cleave::cli {

// Draws a bar on stderr; empty where stderr is no terminal.
std::function<void(const std::string& what, double share)> ProgressBar();

// Wipes what the bar drew.
void EndProgressBar();

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_PROGRESS_H_
