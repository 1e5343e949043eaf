#ifndef CLEAVE_MODEL_GRAPH_H_
#define CLEAVE_MODEL_GRAPH_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"

namespace cleave {

// Metadata entry of an ONNX file that makes it a multi-branch model: its exits' names in order,
// with commas between them (docs/exits.md).
inline constexpr const char* kExitsKey = "cleave.exits";

struct ExitHead;        // model/attach_exits.h
struct ModelWithExits;  // model/attach_exits.h

// One node of the graph, as far as cutting needs it. Tensor ids index Graph::tensor_names().
struct GraphNode {
  std::string name;
  std::string op_type;
  // Non-constant inputs, each once; what a subgraph (If, Loop, Scan) captures from outside counts
  // too.
  std::vector<int> inputs;
  std::vector<int> outputs;
  // True where no input depends on the model's input: such a node is copied into each segment that
  // needs it.
  bool constant = false;
};

// An ONNX model as a checked graph of tensors and nodes in topological order. Weights are not kept
// in memory: only where each lies in the file, which stays open; ExtractModel and InstrumentedModel
// read them from there. (FromBytes keeps the bytes.) Immutable; thread-safe.
class Graph : public std::enable_shared_from_this<Graph> {
 public:
  // Reads and checks a model file: it parses, opset 9 or later, every input of a node is defined
  // once and before use (after sorting; a cycle is an error that names a node on it), external data
  // stays inside the model's folder and is long enough. InvalidArgument or NotFound name the file,
  // the field, what was found and what was expected.
  static absl::StatusOr<std::shared_ptr<const Graph>> Load(const std::string& path);

  // The same for bytes in memory; `origin` names them in errors. External data is refused.
  static absl::StatusOr<std::shared_ptr<const Graph>> FromBytes(absl::string_view bytes,
                                                                const std::string& origin);
  ~Graph();

  const std::string& path() const;    // Empty if from memory.
  const std::string& folder() const;  // Where external data lies; empty if from memory.
  const std::string& name() const;    // The file's name without folder and extension.

  // SHA-256 of the model file followed by its external data files in order of name; 64 hex digits.
  const std::string& digest() const;

  // Inputs without initializers; outputs in the file's order. -1 marks a symbolic dimension.
  const std::vector<TensorSpec>& inputs() const;
  const std::vector<TensorSpec>& outputs() const;

  // The fixed batch size of the first input's first dimension, or 0 where it is symbolic.
  std::int64_t fixed_batch() const;

  // Input specs with the batch put in for every symbolic first dimension (other symbolic dimensions
  // are an error that names them). InvalidArgument if the model's batch is fixed and another.
  absl::StatusOr<std::vector<TensorSpec>> InputsAtBatch(std::int64_t batch) const;

  const std::vector<GraphNode>& nodes() const;           // In topological order.
  const std::vector<std::string>& tensor_names() const;  // By tensor id.
  const std::vector<int>& input_ids() const;
  const std::vector<int>& output_ids() const;
  int FindTensor(absl::string_view name) const;  // -1 if there is none.

  // Names of the outputs that the metadata entry `cleave.exits` lists, in order of depth
  // (docs/exits.md); empty where the file has no such entry. ForExit's graphs have none.
  const std::vector<std::string>& exits() const;

  // Exits of the model: exits().size(), or 1 where there are none.
  int exit_count() const;

  // Which exit of its model this graph ends at: 0 but for what ForExit gave.
  int exit() const;

  // The part of the model that exit `exit` needs, as a graph of its own whose only output is that
  // exit's: same file, name and digest, and none of the nodes that only others need.
  // This graph itself (which must then be held by a shared_ptr) for exit 0 of a model without
  // exits. InvalidArgument for an exit that the model has not. Tensors and nodes keep their names
  // and their order, so equal stretches of two exits give equal bytes (ExtractModel).
  absl::StatusOr<std::shared_ptr<const Graph>> ForExit(int exit) const;

  // Whether it is less than the file at path(): true for what ForExit cut out.
  bool is_part() const;

  // Shapes of the initializers (weights), by name: what counting multiply-accumulates needs.
  const std::map<std::string, Shape>& initializer_shapes() const;

  // Keeps the parsed file, weights included, in memory while the handle lives: for many calls of
  // ExtractModel in a row, each of which would else read the file again.
  absl::StatusOr<std::shared_ptr<const void>> KeepLoaded() const;

  // Bytes of a standalone ONNX model that holds `node_indices` (plus the constants they need) with
  // these graph inputs and outputs. External data stays a reference relative to folder().
  // `types` gives the element type and shape of tensors the file does not declare; -1 is a
  // dimension that may differ from run to run. InvalidArgument for an empty node set, an output
  // that is neither produced inside nor an input, a tensor that `node_indices` need from outside
  // but `inputs` does not name, an input of unknown type; FailedPrecondition when the file changed
  // since it was loaded.
  absl::StatusOr<std::string> ExtractModel(const std::vector<int>& node_indices,
                                           const std::vector<std::string>& inputs,
                                           const std::vector<std::string>& outputs,
                                           const std::map<std::string, TensorSpec>& types) const;

  // The whole graph with `extra_outputs` added as graph outputs, its nodes renamed
  // "cleave_node_<index>": what runtime/ runs once to learn shapes. Outputs carry no type where the
  // file declares none, which ONNX Runtime accepts.
  absl::StatusOr<std::string> InstrumentedModel(
      const std::vector<std::string>& extra_outputs) const;

  // Multiply-accumulates of node `index` given the shapes of all tensors (weights included).
  // 0 for anything but convolutions and matrix products, or where a shape is missing.
  std::int64_t NodeMacs(int index, const std::map<std::string, Shape>& shapes) const;

  struct Impl;  // Defined inside src/model only.

 private:
  friend absl::Status CheckTakesExits(const Graph& graph);
  friend absl::StatusOr<ModelWithExits> AttachExits(const Graph& graph,
                                                    const std::vector<ExitHead>& heads);

  explicit Graph(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cleave

#endif  // CLEAVE_MODEL_GRAPH_H_
