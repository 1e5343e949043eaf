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
#include "model/input_shapes.h"
#include "runtime/chain.h"
#include "runtime/options.h"

namespace cleave {

// Says where the path to an exit leaves the path to the last one: at the deepest cut with the same
// live tensors in both lists. It is cut 0 of both if they share no more than the input.
struct Fork {
  int cut = 0;       // An index into this exit's list.
  int last_cut = 0;  // An index into the last exit's list.
};

// One exit of a model, ready to run from any candidate cut to any other.
struct ExitModel {
  std::shared_ptr<const Graph> graph;  // Comes from Graph::ForExit.
  CutTable table;
  // Ascending indices into table.cuts, which are the chain's boundaries.
  std::vector<int> candidates;
  std::unique_ptr<Chain> chain;
  Fork fork;  // For the last exit, it is its own last cut.

  int exit() const { return graph->exit(); }
  int last_cut() const { return candidates.back(); }
};

struct ExitModelsOptions {
  CandidateSpec cuts;
  // This cut is a candidate of every exit which has it, whatever `cuts` says.
  std::optional<int> extra_cut;
  // The shapes of the tables (ResolveInputs). A fixed batch of the model takes precedence.
  ShapeRequest inputs;
  RuntimeOptions runtime;
  std::function<void(int done, int total)> on_progress;  // Both count segments.
};

// Builds all exits of a model, in order; a model without early exits has one, which is exactly what
// Chain and BuildCutTable make. Candidates are those that `cuts` asks for and, if there are early
// exits, every fork, so that a stretch of trunk between two forks is the same segment for all:
// segments with the same nodes, inputs and outputs share one session, which holds its weights once.
// For the same reason, a candidate of one exit is a candidate of every exit that has a cut of the
// same tensors. A run to one exit runs no node that this exit does not need. Errors are those of
// BuildCutTable and Chain::Create; InvalidArgument for an extra cut that no exit has.
absl::StatusOr<std::vector<ExitModel>> BuildExitModels(const std::shared_ptr<const Graph>& graph,
                                                       const ExitModelsOptions& options);

// Does the same without `chain`: it says where each exit can be cut. It loads nothing and ignores
// `runtime`; the errors are those of BuildCutTable, and the one for the extra cut.
absl::StatusOr<std::vector<ExitModel>> BuildExitTables(const std::shared_ptr<const Graph>& graph,
                                                       const ExitModelsOptions& options);

}  // namespace cleave

#endif  // CLEAVE_RUNTIME_EXIT_MODELS_H_
