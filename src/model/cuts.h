#ifndef CLEAVE_MODEL_CUTS_H_
#define CLEAVE_MODEL_CUTS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"
#include "model/graph.h"
#include "model/input_shapes.h"

namespace cleave {

// A place where the graph can be cut: the nodes order[0, prefix_nodes) are the head.
struct Cut {
  int index = 0;
  std::vector<std::string> tensors;  // The live set: what the tail needs from the head, each once.
  int prefix_nodes = 0;
};

// All cuts of a graph along one topological order. They are nested: the head of cut i is part of
// the head of cut i+1.
struct CutList {
  std::vector<int> order;  // Indices into Graph::nodes(); constant nodes are left out.
  std::vector<Cut> cuts;   // cuts.front() is the input, cuts.back() the output.
};

struct CutOptions {
  // A stretch without a single-tensor cut gets cuts of several tensors when it holds more than this
  // share of the model's nodes (skip connections leave none there: U-Net, detectors).
  double multi_tensor_min_share = 0.125;
};

// Finds every cut of a single tensor, and cuts of several tensors where skip connections leave none
// of these. The result is deterministic for a given model file.
absl::StatusOr<CutList> EnumerateCuts(const Graph& graph, const CutOptions& options = {});

// A cut with its figures at one shape of the inputs: a row of `cleave inspect`.
struct CutInfo {
  Cut cut;
  // The live set. A tensor whose type cannot be sent (a sequence, a map, ...) is left out.
  std::vector<TensorSpec> tensors;
  // Why nothing can be cut here, although the graph could be; empty where it can.
  std::string obstacle;
  std::int64_t elements = 0;
  std::int64_t bytes = 0;
  double compression_ratio = 0;     // elements / elements of the model's input
  bool natural_bottleneck = false;  // compression_ratio < 1
  bool frontier = false;            // natural bottleneck, c strictly below every earlier one
  std::int64_t macs_before = 0;     // multiply-accumulates of the head
};

struct CutTable {
  std::string digest;
  std::int64_t batch = 1;
  ResolvedInputs inputs;  // The shapes that the table is made for.
  std::int64_t total_macs = 0;
  std::vector<int> order;
  std::vector<CutInfo> cuts;
  // The same cuts at the shapes that the file alone tells, by which candidates are chosen, so that
  // a device and an edge choose alike whatever shapes each is given. Null: this table is the one.
  std::shared_ptr<const CutTable> chosen_by;

  // Return how many cuts are natural bottlenecks, and how many are on the frontier.
  int natural_bottlenecks() const;
  int frontier() const;
};

// Joins cuts with the shapes of all live tensors, which the runtime finds for these inputs. A cut
// has an obstacle where a tensor is missing there, as its type cannot be sent, or lies inside a
// group of quantized operators. InvalidArgument if an input or an output of the model is missing.
absl::StatusOr<CutTable> MakeCutTable(const Graph& graph, const CutList& cuts,
                                      const ResolvedInputs& inputs,
                                      const std::map<std::string, TensorSpec>& tensors);

// Whether the head of this cut makes an output of the model, which then stays out of the cut's live
// tensors. REQUIRES: the cut is one of the table's, which is made for this graph.
bool MakesOutput(const Graph& graph, const CutTable& table, int cut);

// Returns the types of all tensors at the table's cuts, by name.
std::map<std::string, TensorSpec> TensorsOf(const CutTable& table);

// Says which cuts a device chooses among, as given on the command line.
struct CandidateSpec {
  enum class Kind { kFrontier, kAll, kCount };
  Kind kind = Kind::kFrontier;
  int count = 0;  // For kCount: the number of cuts besides input and output.
  // A cut all of whose tensors are among these is chosen as well: there is a codec for them.
  std::set<std::string> tensors = {};

  // Parses "frontier", "all" or a positive number.
  static absl::StatusOr<CandidateSpec> Parse(absl::string_view text);
};

// The cut to take in place of one of a single tensor, as it costs the head nothing: the last one of
// a tensor of the same shape before which no more is multiplied, such as the output of the
// activation behind a convolution, which runs in one with it and is easier to encode. It is the cut
// itself where there is no such one. REQUIRES: the cut is one of the table's.
int SettledCut(const CutTable& table, int cut);

// Returns ascending indices into table.cuts, which always include the first (input) and the last
// (output), and never a cut with an obstacle. Where the table has chosen_by, the figures are those
// of that. kCount takes the frontier cuts that lower c most,
// then the cuts that best halve the longest remaining stretches of compute.
std::vector<int> SelectCandidates(const CutTable& table, const CandidateSpec& spec);

}  // namespace cleave

#endif  // CLEAVE_MODEL_CUTS_H_
