#ifndef CLEAVE_APP_CUT_REPORT_H_
#define CLEAVE_APP_CUT_REPORT_H_

#include <string>
#include <vector>

#include "app/detector.h"
#include "model/cuts.h"
#include "model/graph.h"
#include "profile/accuracy_table.h"
#include "runtime/exit_models.h"

namespace cleave::app {

// Returns what `cleave inspect --json` prints:
// {"model","digest","batch","inputs","outputs","cuts":[..],"counts":{..}}, with the cuts at these
// positions of the table. With the model's calibration (null: none) also
// "calibration":{"samples","seed","labels","data_digest"}, "accuracy":{"share","low","high"} of the
// exit, and of each calibrated cut "accuracy":{encoding: share} and "within_1_point", the encoding
// with the fewest bytes that costs the exit at most a point of accuracy (null: none does). Where
// the model's kind is known, "kind":{"text","source","detects","detections"} says it.
std::string CutsJson(const Graph& graph, const CutTable& table, const std::vector<int>& shown,
                     const AccuracyTable* accuracy, const ModelKind& kind = {});

// Returns the same for people: one line for each cut shown, then the counts and the model's kind.
std::string CutsText(const Graph& graph, const CutTable& table, const std::vector<int>& shown,
                     const AccuracyTable* accuracy, const ModelKind& kind = {});

// Which cuts of an exit a report lists.
enum class ShownCuts { kCandidates, kAll };

// Returns the same of a model with early exits: {"model","digest","batch","inputs","exits":[..]},
// each exit with {"exit","name","output","macs","cuts","candidates","fork","counts"}. `exits` are
// those to show, at least one, whether their chains are built or not; `kind` is that of the last of
// them.
std::string ExitsJson(const Graph& graph, const std::vector<ExitModel>& exits, ShownCuts shown,
                      const AccuracyTable* accuracy, const ModelKind& kind = {});

// Returns the same for people: a headline and a table for each exit.
std::string ExitsText(const Graph& graph, const std::vector<ExitModel>& exits, ShownCuts shown,
                      const AccuracyTable* accuracy, const ModelKind& kind = {});

// Draws compression ratio (logarithmic) and cumulative compute against depth, with natural
// bottlenecks marked, as one SVG file.
std::string CutsSvg(const Graph& graph, const CutTable& table);

}  // namespace cleave::app

#endif  // CLEAVE_APP_CUT_REPORT_H_
