#ifndef CLEAVE_LEARN_TORCH_OPERATORS_H_
#define CLEAVE_LEARN_TORCH_OPERATORS_H_

// Internal to src/learn: ONNX's operators as LibTorch's. May throw c10::Error.

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/operators.h"

namespace cleave {

// What an operator computes with.
struct OperatorCall {
  const Operator& node;
  std::int64_t opset;
  // By position; undefined where one is left out.
  std::vector<torch::Tensor> inputs;

  bool Has(std::size_t input) const { return input < inputs.size() && inputs[input].defined(); }
  // Returns the input, or an undefined tensor where it is left out.
  torch::Tensor Optional(std::size_t input) const {
    return Has(input) ? inputs[input] : torch::Tensor();
  }
  // Returns the input. Throws c10::Error where it is left out.
  const torch::Tensor& At(std::size_t input) const;
  // Returns the integers of an input; of an attribute where there is no such input, as older
  // versions of an operator have it; else `otherwise`.
  std::vector<std::int64_t> Ints(std::size_t input, const char* attribute,
                                 std::vector<std::int64_t> otherwise) const;
};

// Computes an operator's outputs. Throws c10::Error for what it cannot compute.
using TorchOperator = std::vector<torch::Tensor> (*)(const OperatorCall& call);
using TorchOperators = std::map<std::string, TorchOperator, std::less<>>;

// All operators that TorchGraph runs, by their type.
const TorchOperators& AllTorchOperators();

// The parts of it: arithmetic and activations; convolutions, products, norms and pools; operators
// that move elements; changes of resolution.
void AddElementwiseOperators(TorchOperators& operators);
void AddLayerOperators(TorchOperators& operators);
void AddShapeOperators(TorchOperators& operators);
void AddResizeOperators(TorchOperators& operators);

// Returns the elements of a tensor of integers (or of floats that are whole).
std::vector<std::int64_t> IntsOf(const torch::Tensor& tensor);

// Returns an axis below 0 as one counted from the front. Throws where there is no such axis.
std::int64_t AxisOf(std::int64_t axis, std::int64_t rank);

}  // namespace cleave

#endif  // CLEAVE_LEARN_TORCH_OPERATORS_H_
