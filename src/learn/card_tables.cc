#include "learn/card_tables.h"

#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cleave {

std::string Percent(double share) { return absl::StrFormat("%.2f%%", 100 * share); }

TextTable FactsTable() {
  return TextTable({{"", TextTable::Align::kLeft}, {"", TextTable::Align::kLeft}});
}

std::string ConfusionTable(const std::vector<std::string>& classes,
                           const std::vector<std::vector<int>>& confusion) {
  std::vector<TextTable::Column> columns = {{"is \\ said", TextTable::Align::kLeft}};
  for (const std::string& name : classes) columns.push_back({name});
  columns.push_back({"right"});
  TextTable table(std::move(columns));
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const int all = std::accumulate(confusion[i].begin(), confusion[i].end(), 0);
    std::vector<std::string> cells = {classes[i]};
    for (const int count : confusion[i]) cells.push_back(absl::StrCat(count));
    cells.push_back(all == 0 ? "" : Percent(static_cast<double>(confusion[i][i]) / all));
    table.Add(std::move(cells));
  }
  return table.Markdown();
}

}  // namespace cleave
