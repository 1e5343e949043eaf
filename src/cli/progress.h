#ifndef CLEAVE_CLI_PROGRESS_H_
#define CLEAVE_CLI_PROGRESS_H_

#include <functional>
#include <string>

namespace cleave::cli {

// Returns a function that draws a bar on stderr; it is empty if stderr is not a terminal.
std::function<void(const std::string& what, double share)> ProgressBar();

// Erases the bar.
void EndProgressBar();

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_PROGRESS_H_
