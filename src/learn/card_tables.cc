#include "learn/card_tables.h"

#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace cleave {

std::string Percent(double share) { return absl::StrFormat("%.2f%%", 100 * share); }

std::string ConfusionTable(const std::vector<std::string>& classes,
                           const std::vector<std::vector<int>>& confusion) {
  std::string table =
      absl::StrCat("| is \\ said | ", absl::StrJoin(classes, " | "), " | right |\n|---|");
  for (std::size_t i = 0; i <= classes.size(); ++i) absl::StrAppend(&table, "---:|");
  table.append("\n");
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const int all = std::accumulate(confusion[i].begin(), confusion[i].end(), 0);
    absl::StrAppend(&table, "| ", classes[i], " | ", absl::StrJoin(confusion[i], " | "), " | ",
                    all == 0 ? "" : Percent(static_cast<double>(confusion[i][i]) / all), " |\n");
  }
  return table;
}

}  // namespace cleave
