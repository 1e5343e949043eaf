#ifndef CLEAVE_LAB_CUT_REPORT_H_
#define CLEAVE_LAB_CUT_REPORT_H_

#include <string>

#include "model/cuts.h"
#include "model/graph.h"

namespace cleave {

// `cleave inspect --json`: {"model","digest","batch","inputs","outputs","cuts":[..],"counts":{..}},
// with the cuts at these positions of the table.
std::string CutsJson(const Graph& graph, const CutTable& table, const std::vector<int>& shown);

// The same for people: one line for each cut shown, then the counts.
std::string CutsText(const Graph& graph, const CutTable& table, const std::vector<int>& shown);

// Compression ratio (logarithmic) and cumulative compute against depth, natural bottlenecks marked:
// one SVG file.
std::string CutsSvg(const Graph& graph, const CutTable& table);

}  // namespace cleave

#endif  // CLEAVE_LAB_CUT_REPORT_H_
