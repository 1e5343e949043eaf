#include "learn/torch_operators.h"

#include <utility>

namespace cleave {

const torch::Tensor& OperatorCall::At(std::size_t input) const {
  TORCH_CHECK(Has(input), "input ", input, " is left out");
  return inputs[input];
}

std::vector<std::int64_t> OperatorCall::Ints(std::size_t input, const char* attribute,
                                             std::vector<std::int64_t> otherwise) const {
  return Has(input) ? IntsOf(inputs[input]) : node.Ints(attribute, std::move(otherwise));
}

const TorchOperators& AllTorchOperators() {
  static const TorchOperators all = [] {
    TorchOperators operators;
    AddElementwiseOperators(operators);
    AddLayerOperators(operators);
    AddShapeOperators(operators);
    AddResizeOperators(operators);
    return operators;
  }();
  return all;
}

std::vector<std::int64_t> IntsOf(const torch::Tensor& tensor) {
  const torch::Tensor dense = tensor.detach().to(torch::kInt64).contiguous();
  return {dense.data_ptr<std::int64_t>(), dense.data_ptr<std::int64_t>() + dense.numel()};
}

std::int64_t AxisOf(std::int64_t axis, std::int64_t rank) {
  const std::int64_t from_front = axis < 0 ? axis + rank : axis;
  TORCH_CHECK(from_front >= 0 && from_front < rank, "axis ", axis, " of ", rank, " dimensions");
  return from_front;
}

}  // namespace cleave
