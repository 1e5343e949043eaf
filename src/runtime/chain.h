#ifndef CLEAVE_RUNTIME_CHAIN_H_
#define CLEAVE_RUNTIME_CHAIN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "cleave/tensor.h"
#include "model/cuts.h"
#include "model/graph.h"
#include "model/input_shapes.h"
#include "runtime/options.h"

namespace cleave {

class SegmentStore;

// The result of a run of some segments.
struct ChainResult {
  // The live set of the cut at which it stopped; at the last cut, the model's outputs in the file's
  // order.
  std::vector<NamedTensor> tensors;
  // Outputs of the model that were computed before the last cut was reached (only models with
  // several outputs have them).
  std::vector<NamedTensor> early_outputs;
  std::int64_t run_us = 0;               // Wall time of all segments together.
  std::vector<std::int64_t> segment_us;  // Wall time of each segment, in order.
  // With Report::kLiveTypes: the types of the live tensors at the boundary after each segment, in
  // order.
  std::vector<std::vector<TensorSpec>> live;
};

// A model as segments between boundary cuts, each of which is an ONNX Runtime session of its own:
// the weights are held once, and every boundary is ready. A head is a run from boundary 0, a tail
// is a run to the last boundary. Immutable after Create. Thread-safe: runs may overlap.
class Chain {
 public:
  using Progress = std::function<void(int done, int total)>;
  // What a run tells besides its outputs and times.
  enum class Report { kNothing, kLiveTypes };
  // Whether the memory that a run needed is kept for the next one, or goes back to the system when
  // it ends; what is kept grows to what the largest run needed.
  enum class Memory { kKeep, kGiveBack };

  // Builds a session for each stretch between neighbouring boundaries (indices into cuts.cuts,
  // ascending, first and last included). InvalidArgument for a model that ONNX Runtime refuses (an
  // unknown operator, ...): the message names file and segment. After loading, freed memory is
  // returned to the system. With a store, a segment that another chain of the same store already
  // has shares its session; the store is not needed afterwards. `measured` has the types of the
  // cuts' tensors as a run showed them, which are used for ranks that ONNX Runtime cannot infer;
  // where it has none of a tensor, a run with guessed shapes shows them.
  static absl::StatusOr<std::unique_ptr<Chain>> Create(
      std::shared_ptr<const Graph> graph, const CutList& cuts, std::vector<int> boundaries,
      const RuntimeOptions& options, const Progress& progress = {}, SegmentStore* store = nullptr,
      std::map<std::string, TensorSpec> measured = {});
  ~Chain();

  const Graph& graph() const;
  const std::vector<int>& boundaries() const;  // They are cut indices.
  int segments() const;                        // Equals boundaries().size() - 1.
  int BoundaryOf(int cut_index) const;         // A position in boundaries(), or -1.
  // Returns the names of the tensors that pass boundary `boundary` (a position in boundaries()).
  const std::vector<std::string>& LiveTensors(int boundary) const;

  // Returns the types of the tensors that pass boundary `boundary`, in the order of LiveTensors, as
  // ONNX Runtime inferred them: a dimension of -1 may differ from run to run. A tensor of which
  // nothing is known has no entry.
  std::vector<TensorSpec> LiveTypes(int boundary) const;

  // Returns the session of the segment from boundary `segment` to the next one: it is equal for
  // segments that share one session, and null if no node lies between. It is for comparisons only.
  const void* SessionOf(int segment) const;

  // Runs the segments from boundary `from` to boundary `to` (positions in boundaries(); from <=
  // to). `inputs` are the tensors of `from`, in any order, each checked against the segment's name,
  // type and known dimensions. The run is cancelled soon after the token is set (within a few
  // milliseconds and the operator that runs). If from == to, the inputs are returned.
  absl::StatusOr<ChainResult> Run(int from, int to, const std::vector<NamedTensor>& inputs,
                                  const CancelToken& cancel = {}, Report report = Report::kNothing,
                                  Memory memory = Memory::kKeep) const;

 private:
  struct Impl;
  explicit Chain(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Runs from boundary `from` to the end and returns all outputs of the model: those of the last cut
// first, then those that the run made earlier, then those of `early`, which the head has made. The
// errors are those of Chain::Run.
absl::StatusOr<std::vector<NamedTensor>> RunToOutputs(const Chain& chain, int from,
                                                      const std::vector<NamedTensor>& inputs,
                                                      const std::vector<NamedTensor>& early);

// One ONNX Runtime session of a whole graph, with which `verify`, tests and benchmarks compare.
// Thread-safe.
class WholeModel {
 public:
  // Loads the graph. Errors name the file.
  static absl::StatusOr<std::unique_ptr<WholeModel>> Create(const Graph& graph,
                                                            const RuntimeOptions& options);
  ~WholeModel();
  // Returns the outputs in the file's order.
  absl::StatusOr<std::vector<NamedTensor>> Run(const std::vector<NamedTensor>& inputs) const;

 private:
  struct Impl;
  explicit WholeModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What a run of a model showed.
struct ProbedShapes {
  ResolvedInputs inputs;
  std::map<std::string, TensorSpec> tensors;
};

// Returns type and shape of every non-constant tensor of the graph at the shapes asked for, learned
// from one run of ONNX Runtime without optimization on random inputs. Tensors whose type cannot be
// sent are left out. What is not asked for of a picture comes from the model's sidecar
// (runtime/picture_size.h), else it is guessed. Where the model refuses a guess (ResolveInputs),
// others are tried; where it refuses all, the error says how to give a shape.
absl::StatusOr<ProbedShapes> ProbeShapes(const Graph& graph, ShapeRequest request);
// Does the same at this batch size, with a guess for every other free dimension.
absl::StatusOr<std::map<std::string, TensorSpec>> ProbeShapes(const Graph& graph,
                                                              std::int64_t batch);

// What runs of a model showed at the shapes asked for and, where they are others, at those that the
// file alone tells.
struct ModelShapes {
  ProbedShapes asked;
  std::optional<ProbedShapes> alone;
};

// Returns what ProbeShapes returns, and the same at the shapes that neither a request nor a sidecar
// tells: a device and an edge of one file agree about those. A model that refuses all of them has
// none.
absl::StatusOr<ModelShapes> ProbeModel(const Graph& graph, const ShapeRequest& request);

// Returns the table at the shapes asked for, whose candidates are chosen at those of the file
// alone. Errors are those of MakeCutTable.
absl::StatusOr<CutTable> TableOf(const Graph& graph, const CutList& cuts,
                                 const ModelShapes& shapes);

// Builds the table from the graph, its cuts and its shapes in one step, which most callers want.
absl::StatusOr<CutTable> BuildCutTable(const Graph& graph, const ShapeRequest& request,
                                       const CutOptions& options = {});
// Does the same at this batch size, with a guess for every other free dimension.
absl::StatusOr<CutTable> BuildCutTable(const Graph& graph, std::int64_t batch,
                                       const CutOptions& options = {});

// Returns random inputs of these types and shapes, drawn by seed: floats are uniform in [-1, 1),
// integers are 1, which is a valid index, token, mask, length and count more often than any other
// value, except that a sampling rate (an input named so) is 16000. The hints
// (Graph::value_hints) tell the words of strings, which are ordinary ones else, and where a
// dimension is split.
absl::StatusOr<std::vector<NamedTensor>> RandomInputs(const std::vector<TensorSpec>& inputs,
                                                      std::uint64_t seed,
                                                      const ValueHints& hints = {});
// Does the same at this batch size, with a guess for every other free dimension.
absl::StatusOr<std::vector<NamedTensor>> RandomInputs(const Graph& graph, std::int64_t batch,
                                                      std::uint64_t seed);

}  // namespace cleave

#endif  // CLEAVE_RUNTIME_CHAIN_H_
