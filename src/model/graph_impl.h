#ifndef CLEAVE_MODEL_GRAPH_IMPL_H_
#define CLEAVE_MODEL_GRAPH_IMPL_H_

// Internal to src/model: what a Graph holds.

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "model/graph.h"

namespace cleave {

struct Graph::Impl {
  std::string path;
  std::string folder;
  std::string name;
  std::string digest;
  std::string
      bytes;  // The model itself where it came from memory; else it is read again from path.

  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<GraphNode> nodes;
  std::vector<std::vector<std::string>> node_inputs;  // By node: every input, constants included.
  std::vector<std::vector<std::string>> operands;     // By node: its inputs by position.
  std::vector<int> proto_index;                       // By node: its place in the file.
  std::vector<std::string> tensor_names;
  std::map<std::string, int, std::less<>> tensor_ids;
  std::vector<int> producer;  // By tensor id: the node that makes it; -1 for an input.
  std::vector<int> input_ids;
  std::vector<int> output_ids;
  std::map<std::string, Shape> initializer_shapes;
  std::set<std::string, std::less<>> initializers;
  std::map<std::string, int, std::less<>> constant_producer;  // Constant tensor -> constant node.
  std::map<std::string, onnx::ValueInfoProto, std::less<>> declared;

  std::vector<std::string> exits;  // What the metadata lists.
  int exit = 0;                    // That this graph ends at.
  std::shared_ptr<const Graph>
      part_of;  // The model that this graph is one exit of; it has the file.

  // The id of a tensor, a new one at its first mention.
  int TensorId(const std::string& tensor, int made_by);

  // Whether no run changes it: a weight, or what constant nodes make of weights.
  bool IsConstant(const std::string& tensor) const;

  // Nodes that `tensor` depends on, constants included, ascending.
  std::set<int> NodesBehind(const std::string& tensor) const;

  // The exit's own part of this model, all but part_of.
  std::unique_ptr<Impl> Part(int exit_index) const;

  // Takes out of the file's graph what this part of it does not have, its nodes excepted.
  void Prune(onnx::GraphProto& graph) const;

  // The file again, with all its weights.
  absl::StatusOr<onnx::ModelProto> Reload() const;

  // The same, shared with whoever holds it at the moment.
  absl::StatusOr<std::shared_ptr<const onnx::ModelProto>> Loaded() const;
  mutable absl::Mutex loaded_mutex;
  mutable std::weak_ptr<const onnx::ModelProto> loaded ABSL_GUARDED_BY(loaded_mutex);

  // Name, element type and rank of a tensor for a segment's input or output.
  absl::StatusOr<onnx::ValueInfoProto> Declare(const std::string& tensor,
                                               const std::map<std::string, TensorSpec>& types,
                                               bool type_needed) const;
};

// ONNX's element type as ours, where it can travel.
std::optional<DataType> FromOnnxElementType(int element_type);
int ToOnnxElementType(DataType dtype);

// The model in `bytes`; InvalidArgument names `origin` when it does not parse.
absl::StatusOr<onnx::ModelProto> ParseModel(absl::string_view bytes, const std::string& origin);

// Checks the metadata entry `cleave.exits` (docs/exits.md), if there is one, and fills impl.exits.
// REQUIRES: all else of impl is filled.
absl::Status ReadExits(const onnx::ModelProto& model, const std::string& origin, Graph::Impl& impl);

// Visits every tensor that `message` holds: weights, dense and sparse, and constants in attributes
// of every kind, of subgraphs, functions and training too. It follows the descriptors of the
// format, so that no field can be forgotten. `where` is the path of fields that leads to the
// tensor.
using TensorVisitor = std::function<void(const onnx::TensorProto&, const std::string& where)>;
void ForEachTensor(const google::protobuf::Message& message, const TensorVisitor& visit);

// Whether the tensor refers to a file, or says where in a file its data would be.
bool HasExternalData(const onnx::TensorProto& tensor);

// Makes ONNX Runtime's blocked convolutions accept a segment's input as the residual they add.
// Its layout pass knows a tensor as blocked only where an operator made it, never at the graph's
// edge; then that addition, and all after it in the stage, would leave the blocked layout and come
// back. A pooling over 1x1 (or a product with the identity, where channels do not fill blocks) in
// front gives the same values.
void ShareBlockedInputs(onnx::GraphProto& graph);

// InvalidArgument names the first tensor that has external data, wherever in the model it is.
absl::Status RefuseExternalData(const onnx::ModelProto& model, const std::string& origin);

// Checks that external data stays inside `folder`, links followed, and is long enough; gives the
// files, each once.
absl::StatusOr<std::set<std::string>> CheckExternalData(const onnx::ModelProto& model,
                                                        const std::string& folder,
                                                        const std::string& origin);

}  // namespace cleave

#endif  // CLEAVE_MODEL_GRAPH_IMPL_H_
