#ifndef CLEAVE_LEARN_CARD_TABLES_H_
#define CLEAVE_LEARN_CARD_TABLES_H_

#include <string>
#include <vector>

#include "core/text_table.h"

namespace cleave {

// Parts of model cards, in Markdown.

std::string Percent(double share);  // "12.34%"

// Returns a table of two columns without headings: what is known of a file.
TextTable FactsTable();

// Returns a row for each class: what its pictures were said to be. `confusion` is ExitEvaluation's.
std::string ConfusionTable(const std::vector<std::string>& classes,
                           const std::vector<std::vector<int>>& confusion);

}  // namespace cleave

#endif  // CLEAVE_LEARN_CARD_TABLES_H_
