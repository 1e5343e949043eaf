#ifndef CLEAVE_MODEL_GRAPH_IMPL_H_
#define CLEAVE_MODEL_GRAPH_IMPL_H_

// Internal to src/model: the data that a Graph holds.

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
  // The model itself if it came from memory; otherwise it is read again from path.
  std::string bytes;

  std::vector<TensorSpec> inputs;
  std::vector<std::vector<std::string>> input_symbols;  // By input and dimension; may be empty.
  ValueHints value_hints;
  std::vector<TensorSpec> outputs;
  std::vector<std::vector<std::string>> output_symbols;  // By output and dimension; may be empty.
  ModelMetadata metadata;
  std::vector<GraphNode> nodes;
  std::vector<std::vector<std::string>> node_inputs;  // By node: every input, constants included.
  std::vector<std::vector<std::string>> operands;     // By node: its inputs by position.
  std::vector<int> proto_index;                       // By node: its place in the file.
  std::vector<std::string> tensor_names;
  std::map<std::string, int, std::less<>> tensor_ids;
  std::vector<int> producer;  // By tensor id: the node that produces it; -1 for an input.
  std::vector<int> input_ids;
  std::vector<int> output_ids;
  std::map<std::string, Shape> initializer_shapes;
  std::set<std::string, std::less<>> initializers;
  // Maps each constant tensor to its constant node.
  std::map<std::string, int, std::less<>> constant_producer;
  std::map<std::string, onnx::ValueInfoProto, std::less<>> declared;

  bool uses_half = false;
  std::vector<std::string> left_out;
  bool outputs_changed = false;
  std::vector<std::string> exits;  // The exits that the metadata lists.
  int exit = 0;                    // The exit at which this graph ends.
  // The model that this graph is one exit of; it has the file.
  std::shared_ptr<const Graph> part_of;

  // Returns the id of a tensor, which is a new one when it is first mentioned.
  int TensorId(const std::string& tensor, int made_by);

  // Says whether it is the same in every run: a weight, or a result of constant nodes.
  bool IsConstant(const std::string& tensor) const;

  // Returns the nodes that `tensor` depends on, constants included, in ascending order.
  std::set<int> NodesBehind(const std::string& tensor) const;

  // Returns the part of this model that the exit needs, without part_of.
  std::unique_ptr<Impl> Part(int exit_index) const;

  // Removes from the file's graph what this part does not have, except for its nodes.
  void Prune(onnx::GraphProto& graph) const;

  // Reads the file again, with all its weights.
  absl::StatusOr<onnx::ModelProto> Reload() const;

  // Does the same, but shares the result with other callers that hold it at the moment.
  absl::StatusOr<std::shared_ptr<const onnx::ModelProto>> Loaded() const;
  mutable absl::Mutex loaded_mutex;
  mutable std::weak_ptr<const onnx::ModelProto> loaded ABSL_GUARDED_BY(loaded_mutex);

  // Returns the name, element type and rank of a tensor as a segment's input.
  absl::StatusOr<onnx::ValueInfoProto> DeclareInput(
      const std::string& tensor, const std::map<std::string, TensorType>& types) const;
};

// Converts ONNX's element type to ours; nothing if tensors of that type cannot be sent.
std::optional<DataType> FromOnnxElementType(int element_type);
int ToOnnxElementType(DataType dtype);

// Parses a model; InvalidArgument names `origin` when it does not parse.
absl::StatusOr<onnx::ModelProto> ParseModel(absl::string_view bytes, const std::string& origin);

// Checks the metadata entry `cleave.exits` (docs/exits.md), if there is one, and fills impl.exits.
// REQUIRES: all other fields of impl are filled.
absl::Status ReadExits(const onnx::ModelProto& model, const std::string& origin, Graph::Impl& impl);

// Visits every tensor that `message` holds: weights, dense and sparse, and constants in attributes
// of every kind, of subgraphs, functions and training too. It follows the descriptors of the
// format, so that no field can be forgotten. `where` is the path of fields that leads to the
// tensor.
using TensorVisitor = std::function<void(const onnx::TensorProto&, const std::string& where)>;
void ForEachTensor(const google::protobuf::Message& message, const TensorVisitor& visit);

// Says whether a tensor of half precision may occur: as a weight, an input, or by a conversion.
bool UsesHalf(const onnx::ModelProto& model);

// Says whether the tensor refers to a file, or says where in a file its data would be.
bool HasExternalData(const onnx::TensorProto& tensor);

// Makes ONNX Runtime's blocked convolutions accept a segment's input as the residual that they add.
// Its layout pass knows a tensor as blocked only if an operator made it, never at the graph's edge;
// then that addition, and all after it in the stage, would leave the blocked layout and return to
// it. A pooling over 1x1 (or a product with the identity, where channels do not fill blocks) before
// it gives the same values.
void ShareBlockedInputs(onnx::GraphProto& graph);

// InvalidArgument names the first tensor that has external data, wherever in the model it is.
absl::Status RefuseExternalData(const onnx::ModelProto& model, const std::string& origin);

// Checks that external data stays inside `folder`, with links followed, and is long enough. Returns
// the files, each once.
absl::StatusOr<std::set<std::string>> CheckExternalData(const onnx::ModelProto& model,
                                                        const std::string& folder,
                                                        const std::string& origin);

// Returns the bytes of a tensor that has external data. REQUIRES: CheckExternalData has accepted
// the model. Errors start with `what`; they are those of the check where the file has changed.
absl::StatusOr<std::string> ReadExternalData(const onnx::TensorProto& tensor,
                                             const std::string& folder, const std::string& what);

}  // namespace cleave

#endif  // CLEAVE_MODEL_GRAPH_IMPL_H_
