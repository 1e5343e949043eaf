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

// The metadata entry of an ONNX file that makes it a multi-branch model: it lists the names of the
// exits in order, separated by commas (docs/exits.md).
inline constexpr const char* kExitsKey = "cleave.exits";

struct ExitHead;        // model/attach_exits.h
struct ModelWithExits;  // model/attach_exits.h

// One node of the graph, as far as cutting needs it. Tensor ids index Graph::tensor_names().
struct GraphNode {
  std::string name;
  std::string op_type;
  // The non-constant inputs, each once; they include what a subgraph (If, Loop, Scan) captures from
  // outside.
  std::vector<int> inputs;
  std::vector<int> outputs;
  // True if no input depends on the model's input; such a node is copied into each segment that
  // needs it.
  bool constant = false;
};

// The words that a model knows of an input of strings, by the column of the last dimension: the
// categories that an encoder takes, the vocabulary of a vectorizer. An entry without words stands
// for a column of which nothing is known; a single entry is for all columns.
using ColumnWords = std::vector<std::vector<std::string>>;

// An input of integers that says where a dimension of the tensor `data` is split: its values sum to
// that dimension.
struct SplitSizes {
  std::string data;
  std::int64_t axis = 0;  // Below 0, it counts from the last dimension.
};

// What the nodes behind inputs tell of the values that these may have, by the inputs' names. Inputs
// of which nothing is known have no entry.
struct ValueHints {
  std::map<std::string, ColumnWords> words;  // Of inputs of strings.
  std::map<std::string, SplitSizes> splits;  // `data` is an input, too.
};

// The type of a tensor between two nodes.
struct TensorType {
  DataType dtype = DataType::kFloat32;
  Shape shape;  // A dimension of -1 may differ from run to run.
  // By dimension: the name that the model's inputs give it; empty, or missing, where they give
  // none. Two dimensions of one name have the same size.
  std::vector<std::string> symbols;
};

// What an ONNX file says about itself. Text from outside.
struct ModelMetadata {
  std::string producer;
  std::string domain;
  std::string description;
  std::string graph_name;
  std::string graph_description;
  std::int64_t version = 0;  // The model's own.
  std::map<std::string, std::string> entries;
};

// An ONNX model as a checked graph of tensors and nodes in topological order. Weights are not kept
// in memory: only where each lies in the file, which stays open; ExtractModel and InstrumentedModel
// read them from there. (FromBytes keeps the bytes.) Immutable; thread-safe.
class Graph : public std::enable_shared_from_this<Graph> {
 public:
  // Reads and checks a model file: it parses, every input of a node is defined once and before
  // use (after sorting; a cycle is an error that names a node on it), and external data stays
  // inside the model's folder and is long enough. InvalidArgument or NotFound name the file, the
  // field, what was found and what was expected. Whether its operators and their versions are known
  // is for ONNX Runtime to say.
  static absl::StatusOr<std::shared_ptr<const Graph>> Load(const std::string& path);

  // Does the same for bytes in memory; `origin` names them in errors. External data is refused.
  static absl::StatusOr<std::shared_ptr<const Graph>> FromBytes(absl::string_view bytes,
                                                                const std::string& origin);
  ~Graph();

  const std::string& path() const;  // Empty if the model is from memory.
  // The folder of the external data; empty if the model is from memory.
  const std::string& folder() const;
  const std::string& name() const;  // The file's name without folder and extension.
  // What errors call the model: path(), or name() if it is from memory.
  const std::string& origin() const;

  // Returns the SHA-256 of the model file followed by its external data files in order of name, as
  // 64 hex digits.
  const std::string& digest() const;

  // The inputs without initializers, and the outputs in the file's order. A free dimension is -1.
  const std::vector<TensorSpec>& inputs() const;
  const std::vector<TensorSpec>& outputs() const;

  // Returns, by input and dimension, the name that the file gives a free dimension; empty where it
  // gives none.
  const std::vector<std::vector<std::string>>& input_symbols() const;
  // Returns the same by output and dimension.
  const std::vector<std::vector<std::string>>& output_symbols() const;

  // Returns what the file says about itself.
  const ModelMetadata& metadata() const;

  // Returns what is known of the values of inputs, for which made-up inputs ask.
  const ValueHints& value_hints() const;

  const std::vector<GraphNode>& nodes() const;           // In topological order.
  const std::vector<std::string>& tensor_names() const;  // They are indexed by tensor id.
  // Return the tensor ids of inputs() and outputs(), in the same order.
  const std::vector<int>& input_ids() const;
  const std::vector<int>& output_ids() const;
  int FindTensor(absl::string_view name) const;  // Returns -1 if there is none.

  // Returns the names of the outputs that the metadata entry `cleave.exits` lists, in order of
  // depth (docs/exits.md). Empty if the file has no such entry, and for the graphs of ForExit.
  const std::vector<std::string>& exits() const;

  // Returns the number of exits: exits().size(), or 1 if there are none.
  int exit_count() const;

  // Returns the exit of the model at which this graph ends: 0 unless it comes from ForExit.
  int exit() const;

  // Returns the part of the model that exit `exit` needs, as a graph of its own whose only output
  // is that exit's. It has the same file, name and digest, and none of the nodes that only other
  // exits need. For exit 0 of a model without exits, it is this graph itself (which must then be
  // held by a shared_ptr). InvalidArgument for an exit that the model does not have. Tensors and
  // nodes keep their names and their order, so that equal stretches of two exits give equal bytes
  // (ExtractModel).
  absl::StatusOr<std::shared_ptr<const Graph>> ForExit(int exit) const;

  // Says whether it is less than the file at path(), which is true for the graphs of ForExit.
  bool is_part() const;

  // The shapes of the initializers (weights) by name, which counting multiply-accumulates needs.
  const std::map<std::string, Shape>& initializer_shapes() const;

  // Returns, of each output of the file that is no tensor that can be sent (a map, a sequence), why
  // it is not among outputs(); at least one other is. Maps from class to score count as the tensor
  // of the scores.
  const std::vector<std::string>& left_out() const;
  // Says whether outputs() are those of the file, each and all.
  bool outputs_are_the_files() const;

  // Says whether a tensor of half precision (FP16, BF16) may occur in the model.
  bool uses_half() const;

  // Keeps the parsed file, weights included, in memory while the handle lives, for many calls of
  // ExtractModel in a row, each of which would otherwise read the file again.
  absl::StatusOr<std::shared_ptr<const void>> KeepLoaded() const;

  // Returns the bytes of a standalone ONNX model that holds `node_indices` (plus the constants they
  // need) with these graph inputs and outputs. External data stays a reference relative to
  // folder(). The types of the model's own inputs are those of the file. `types` gives those of
  // all other inputs; what the file declares of them, which may be stale, is only used where it
  // gives none. Outputs carry no type: it follows from the nodes. InvalidArgument for an empty node
  // set, an output that is neither produced inside nor an input, a tensor that `node_indices` need
  // from outside but `inputs` does not name, or an input of unknown type; FailedPrecondition when
  // the file has changed since it was loaded.
  absl::StatusOr<std::string> ExtractModel(const std::vector<int>& node_indices,
                                           const std::vector<std::string>& inputs,
                                           const std::vector<std::string>& outputs,
                                           const std::map<std::string, TensorType>& types) const;

  // Returns the whole graph with `extra_outputs` added as graph outputs and its nodes renamed
  // "cleave_node_<index>", which runtime/ runs once to learn shapes. Only the file's own outputs
  // carry a type, which ONNX Runtime accepts.
  absl::StatusOr<std::string> InstrumentedModel(
      const std::vector<std::string>& extra_outputs) const;

  // Returns the multiply-accumulates of node `index`, given the shapes of all tensors (weights
  // included): 0 for anything but convolutions and matrix products, or where a shape is missing.
  std::int64_t NodeMacs(int index, const std::map<std::string, Shape>& shapes) const;

  struct Impl;  // It is defined inside src/model only.

 private:
  friend absl::Status CheckTakesExits(const Graph& graph);
  friend absl::StatusOr<ModelWithExits> AttachExits(const Graph& graph,
                                                    const std::vector<ExitHead>& heads);

  explicit Graph(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cleave

#endif  // CLEAVE_MODEL_GRAPH_H_
