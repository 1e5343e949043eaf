#ifndef CLEAVE_MODEL_RANDOM_NODES_H_
#define CLEAVE_MODEL_RANDOM_NODES_H_

#include <onnx/onnx_pb.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace cleave {

// Finds the nodes that draw random numbers, in their subgraphs and in the functions that they call
// too: copying such a node would give two different tensors. The model must outlive it.
// Thread-compatible.
class RandomNodes {
 public:
  explicit RandomNodes(const onnx::ModelProto& model);

  // Says whether the node draws random numbers.
  bool Contains(const onnx::NodeProto& node);

 private:
  using Name = std::pair<std::string, std::string>;  // The domain and the name of a function.

  bool AnyOf(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes);
  bool IsRandomFunction(const Name& name);

  std::map<Name, std::vector<const onnx::FunctionProto*>> functions_;
  std::map<Name, bool> random_;
};

}  // namespace cleave

#endif  // CLEAVE_MODEL_RANDOM_NODES_H_
