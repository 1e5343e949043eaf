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

// What a run of some segments gives.
struct ChainResult {
  // The live set of the cut it stopped at; at the last cut, the model's outputs in the file's
  // order.
  std::vector<NamedTensor> tensors;
  // Outputs of the model that came out before the last cut was reached (several-output models
  // only).
  std::vector<NamedTensor> early_outputs;
  std::int64_t run_us = 0;               // Wall time of all segments together.
  std::vector<std::int64_t> segment_us;  // Wall time of each segment, in order.
};

// A model as segments between boundary cuts, each an ONNX Runtime session of its own: one copy of
// the weights, every boundary ready. A head is a run from boundary 0, a tail a run to the last
// boundary. Immutable after Create. Thread-safe: runs may overlap.
class Chain {
 public:
  using Progress = std::function<void(int done, int total)>;

  // Builds a session for each stretch between neighbouring boundaries (indices into cuts.cuts,
  // ascending, first and last included). InvalidArgument for a model that ONNX Runtime refuses
  // (unknown operator, ...): the message names file and segment. The process's memory is returned
  // to the system after loading. With a store, a segment that another chain of the same store has
  // already is that one's session; the store is not needed afterwards.
  static absl::StatusOr<std::unique_ptr<Chain>> Create(
      std::shared_ptr<const Graph> graph, const CutList& cuts, std::vector<int> boundaries,
      const RuntimeOptions& options, const Progress& progress = {}, SegmentStore* store = nullptr);
  ~Chain();

  const Graph& graph() const;
  const std::vector<int>& boundaries() const;  // Cut indices.
  int segments() const;                        // boundaries().size() - 1
  int BoundaryOf(int cut_index) const;         // Position in boundaries(), or -1.
  const std::vector<std::string>& LiveTensors(int boundary) const;

  // What the segment from boundary `segment` to the next one runs on: equal for segments that share
  // one session, null where no node lies between. For comparing only.
  const void* SessionOf(int segment) const;

  // Runs the segments from boundary `from` to boundary `to` (positions in boundaries(); from <=
  // to). `inputs` are the tensors of `from`, in any order, each checked against the segment's name,
  // type and known dimensions. Cancelled soon after the token is set (within a few milliseconds and
  // the operator that runs). From == to passes the inputs
  // through.
  absl::StatusOr<ChainResult> Run(int from, int to, const std::vector<NamedTensor>& inputs,
                                  const CancelToken& cancel = {}) const;

 private:
  struct Impl;
  explicit Chain(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// One bare ONNX Runtime session on all of a graph: the yardstick of `verify`, tests and
// benchmarks. Thread-safe.
class WholeModel {
 public:
  static absl::StatusOr<std::unique_ptr<WholeModel>> Create(const Graph& graph,
                                                            const RuntimeOptions& options);
  ~WholeModel();
  // The outputs in the file's order.
  absl::StatusOr<std::vector<NamedTensor>> Run(const std::vector<NamedTensor>& inputs) const;

 private:
  struct Impl;
  explicit WholeModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Type and shape of every non-constant tensor of the graph at this batch size, learned from one run
// of ONNX Runtime without optimization on made-up inputs. Types that cannot travel are left out.
absl::StatusOr<std::map<std::string, TensorSpec>> ProbeShapes(const Graph& graph,
                                                              std::int64_t batch);

// Graph + cuts + shapes in one step: what most callers want.
absl::StatusOr<CutTable> BuildCutTable(const Graph& graph, std::int64_t batch,
                                       const CutOptions& options = {});

// Made-up inputs of the right types and shapes (floats uniform in [-1, 1), integers 0), seeded.
absl::StatusOr<std::vector<NamedTensor>> RandomInputs(const Graph& graph, std::int64_t batch,
                                                      std::uint64_t seed);

}  // namespace cleave

#endif  // CLEAVE_RUNTIME_CHAIN_H_
