#ifndef CLEAVE_LEARN_TORCH_GRAPH_H_
#define CLEAVE_LEARN_TORCH_GRAPH_H_

// Internal to src/learn: an ONNX graph in LibTorch.

#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "model/operators.h"

namespace cleave {

// Runs an ONNX graph with LibTorch's operators, so that gradients pass from its outputs to its
// inputs; its weights are frozen. docs/bottleneck.md lists the operators. Immutable; thread-safe.
class TorchGraph {
 public:
  using Values = std::map<std::string, torch::Tensor>;

  // InvalidArgument names `origin` and the first node whose operator it does not have, or whose
  // constants it cannot compute.
  static absl::StatusOr<TorchGraph> Create(OperatorGraph graph, const std::string& origin);

  // Returns the tensors of these names. InvalidArgument names the node that cannot be computed, and
  // why, or a name that is no tensor's.
  absl::StatusOr<std::vector<torch::Tensor>> Run(const Values& inputs,
                                                 const std::vector<std::string>& wanted) const;

  const std::vector<std::string>& outputs() const { return graph_.outputs; }
  // All tensors that nodes compute from the inputs, in the order of the nodes.
  std::vector<std::string> Computed() const;

 private:
  TorchGraph(OperatorGraph graph, std::string origin);

  absl::Status RunNode(const Operator& node, Values& values) const;
  absl::Status FoldConstants();

  OperatorGraph graph_;  // Without the nodes of constants.
  std::string origin_;
  Values constants_;
};

// Copies a tensor of numbers to LibTorch. Throws c10::Error for a type that LibTorch does not have.
torch::Tensor ToTorch(const Tensor& tensor);

// Copies a tensor of floats from LibTorch.
Tensor FromTorch(const torch::Tensor& tensor);

// How far LibTorch's value of a tensor is from that of ONNX Runtime.
struct NodeError {
  std::string tensor;
  // The largest difference, as a share of the largest magnitude of the tensor.
  double relative = 0;
};

// Runs the model's bytes in both, on the same inputs, and compares every tensor that a node
// computes and that holds floats, in the order of the nodes. Errors are those of TorchGraph and of
// ONNX Runtime; Internal where a tensor has another shape.
absl::StatusOr<std::vector<NodeError>> CompareWithRuntime(const std::string& bytes,
                                                          const std::string& folder,
                                                          const std::vector<NamedTensor>& inputs);

}  // namespace cleave

#endif  // CLEAVE_LEARN_TORCH_GRAPH_H_
