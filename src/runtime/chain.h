#ifndef CLEAVE_RUNTIME_CHAIN_H_
#define CLEAVE_RUNTIME_CHAIN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "cleave/tensor.h"
#include "model/cuts.h"
#include "model/graph.h"
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
};

// A model as segments between boundary cuts, each of which is an ONNX Runtime session of its own:
// the weights are held once, and every boundary is ready. A head is a run from boundary 0, a tail
// is a run to the last boundary. Immutable after Create. Thread-safe: runs may overlap.
class Chain {
 public:
  using Progress = std::function<void(int done, int total)>;

  // Builds a session for each stretch between neighbouring boundaries (indices into cuts.cuts,
  // ascending, first and last included). InvalidArgument for a model that ONNX Runtime refuses (an
  // unknown operator, ...): the message names file and segment. After loading, freed memory is
  // returned to the system. With a store, a segment that another chain of the same store already
  // has shares its session; the store is not needed afterwards.
  static absl::StatusOr<std::unique_ptr<Chain>> Create(
      std::shared_ptr<const Graph> graph, const CutList& cuts, std::vector<int> boundaries,
      const RuntimeOptions& options, const Progress& progress = {}, SegmentStore* store = nullptr);
  ~Chain();

  const Graph& graph() const;
  const std::vector<int>& boundaries() const;  // They are cut indices.
  int segments() const;                        // Equals boundaries().size() - 1.
  int BoundaryOf(int cut_index) const;         // A position in boundaries(), or -1.
  // Returns the names of the tensors that pass boundary `boundary` (a position in boundaries()).
  const std::vector<std::string>& LiveTensors(int boundary) const;

  // Returns the session of the segment from boundary `segment` to the next one: it is equal for
  // segments that share one session, and null if no node lies between. It is for comparisons only.
  const void* SessionOf(int segment) const;

  // Runs the segments from boundary `from` to boundary `to` (positions in boundaries(); from <=
  // to). `inputs` are the tensors of `from`, in any order, each checked against the segment's name,
  // type and known dimensions. The run is cancelled soon after the token is set (within a few
  // milliseconds and the operator that runs). If from == to, the inputs are returned.
  absl::StatusOr<ChainResult> Run(int from, int to, const std::vector<NamedTensor>& inputs,
                                  const CancelToken& cancel = {}) const;

 private:
  struct Impl;
  explicit Chain(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

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

// Returns type and shape of every non-constant tensor of the graph at this batch size, learned from
// one run of ONNX Runtime without optimization on random inputs. Tensors whose type cannot be sent
// are left out.
absl::StatusOr<std::map<std::string, TensorSpec>> ProbeShapes(const Graph& graph,
                                                              std::int64_t batch);

// Builds the table from the graph, its cuts and its shapes in one step, which most callers want.
absl::StatusOr<CutTable> BuildCutTable(const Graph& graph, std::int64_t batch,
                                       const CutOptions& options = {});

// Returns random inputs of the right types and shapes, drawn by seed (floats are uniform in [-1,
// 1), integers are 0).
absl::StatusOr<std::vector<NamedTensor>> RandomInputs(const Graph& graph, std::int64_t batch,
                                                      std::uint64_t seed);

}  // namespace cleave

#endif  // CLEAVE_RUNTIME_CHAIN_H_
