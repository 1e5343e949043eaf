#ifndef CLEAVE_CLI_PROGRESS_H_
#define CLEAVE_CLI_PROGRESS_H_

#include <functional>
#include <string>

namespace cleave::cli {

// Returns a function that shows on stderr how far something long is, and how much time is left: as
// a bar on a terminal, else as a line every few seconds (app/progress.h).
std::function<void(const std::string& what, double share)> ProgressBar();

// Erases the bar, where there is one.
void EndProgressBar();

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_PROGRESS_H_
