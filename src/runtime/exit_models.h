#ifndef CLEAVE_RUNTIME_EXIT_MODELS_H_
#define CLEAVE_RUNTIME_EXIT_MODELS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "model/cuts.h"
#include "model/graph.h"
#include "runtime/chain.h"
#include "runtime/options.h"

namespace cleave {

// Where the path to an exit leaves the path to the last one: the deepest cut with the same live
// tensors in both lists. Cut 0 of both if they share no more than the input.
struct Fork {
  int cut = 0;       // In this exit's list.
  int last_cut = 0;  // In the last exit's list.
};

// One exit of a model, ready to run from any candidate cut to any other.
struct ExitModel {
  std::shared_ptr<const Graph> graph;  // Graph::ForExit
  CutTable table;
  std::vector<int> candidates;  // Indices into table.cuts, ascending: the chain's boundaries.
  std::unique_ptr<Chain> chain;
  Fork fork;  // For the last exit: its own last cut.

  int exit() const { return graph->exit(); }
  int last_cut() const { return candidates.back(); }
};

struct ExitModelsOptions {
  CandidateSpec cuts;
  // A cut that is a candidate of every exit which has it, whatever `cuts` says.
  std::optional<int> extra_cut;
  std::int64_t batch = 1;  // Of the tables. A fixed batch of the model goes before it.
  RuntimeOptions runtime;
  std::function<void(int done, int total)> on_progress;  // Segments.
};

// All exits of a model, in order; one for a model without early exits, and then exactly what Chain
// and BuildCutTable make of it. Candidates are those that `cuts` asks for and, where there are
// early exits, every fork, so that a stretch of trunk between two of them is the same segment for
// all: segments with the same nodes, inputs and outputs share one session, which holds its weights
// once. For the same reason a candidate of one exit is one of every exit that has a cut of the same
// tensors. A run to one exit runs no node that this exit does not need. Errors are those of
// BuildCutTable and Chain::Create; InvalidArgument for an extra cut that no exit has.
absl::StatusOr<std::vector<ExitModel>> BuildExitModels(const std::shared_ptr<const Graph>& graph,
                                                       const ExitModelsOptions& options);

// The same without `chain`: where each exit can be cut. Loads nothing and reads no `runtime`; the
// errors are those of BuildCutTable, and the one for the extra cut.
absl::StatusOr<std::vector<ExitModel>> BuildExitTables(const std::shared_ptr<const Graph>& graph,
                                                       const ExitModelsOptions& options);

}  // namespace cleave

#endif  // CLEAVE_RUNTIME_EXIT_MODELS_H_
