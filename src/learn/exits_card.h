#ifndef CLEAVE_LEARN_EXITS_CARD_H_
#define CLEAVE_LEARN_EXITS_CARD_H_

#include <string>

#include "absl/status/statusor.h"
#include "learn/fit_exits.h"

namespace cleave {

// Returns a table of the exits, for people: exit, cut, tensor, parameters, accuracy. Markdown.
std::string ExitsTable(const FitExitsOutcome& outcome);

// Returns the page that goes with a model that was given exits (markdown): file and digests, data,
// options, the table of the exits, and what the deepest of the new ones takes for what. REQUIRES:
// options.out is the file that `outcome` tells of.
absl::StatusOr<std::string> ExitsCard(const FitExitsOptions& options,
                                      const FitExitsOutcome& outcome);

}  // namespace cleave

#endif  // CLEAVE_LEARN_EXITS_CARD_H_
