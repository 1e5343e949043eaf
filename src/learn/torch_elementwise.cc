// Arithmetic and activations, element by element.
#include <limits>
#include <string>

#include "learn/torch_operators.h"

namespace cleave {
namespace {

using Outputs = std::vector<torch::Tensor>;

template <typename Function>
Outputs Fold(const OperatorCall& call, Function function) {
  torch::Tensor result = call.At(0);
  for (std::size_t i = 1; i < call.inputs.size(); ++i) result = function(result, call.At(i));
  return {result};
}

Outputs Add(const OperatorCall& call) { return {call.At(0) + call.At(1)}; }
Outputs Sub(const OperatorCall& call) { return {call.At(0) - call.At(1)}; }
Outputs Mul(const OperatorCall& call) { return {call.At(0) * call.At(1)}; }

Outputs Div(const OperatorCall& call) {
  const torch::Tensor& a = call.At(0);
  if (a.is_floating_point()) return {a / call.At(1)};
  return {torch::div(a, call.At(1), "trunc")};
}

Outputs Pow(const OperatorCall& call) {
  return {torch::pow(call.At(0), call.At(1).to(call.At(0).scalar_type()))};
}

Outputs Min(const OperatorCall& call) {
  return Fold(call, [](const auto& a, const auto& b) { return torch::minimum(a, b); });
}
Outputs Max(const OperatorCall& call) {
  return Fold(call, [](const auto& a, const auto& b) { return torch::maximum(a, b); });
}
Outputs Sum(const OperatorCall& call) {
  return Fold(call, [](const auto& a, const auto& b) { return a + b; });
}

Outputs Relu(const OperatorCall& call) { return {torch::relu(call.At(0))}; }
Outputs LeakyRelu(const OperatorCall& call) {
  return {torch::leaky_relu(call.At(0), call.node.Float("alpha", 0.01F))};
}
Outputs PRelu(const OperatorCall& call) {
  const torch::Tensor& x = call.At(0);
  return {torch::where(x >= 0, x, x * call.At(1))};
}
Outputs Elu(const OperatorCall& call) {
  return {torch::elu(call.At(0), call.node.Float("alpha", 1))};
}

Outputs Clip(const OperatorCall& call) {
  torch::Tensor x = call.At(0);
  constexpr float kMost = std::numeric_limits<float>::max();
  if (call.Has(1)) x = torch::maximum(x, call.At(1));
  if (call.Has(2)) x = torch::minimum(x, call.At(2));
  if (call.node.Has("min") || call.node.Has("max")) {  // Before opset 11.
    x = torch::clamp(x, call.node.Float("min", -kMost), call.node.Float("max", kMost));
  }
  return {x};
}

Outputs Sigmoid(const OperatorCall& call) { return {torch::sigmoid(call.At(0))}; }
Outputs HardSigmoid(const OperatorCall& call) {
  const torch::Tensor line =
      call.At(0) * call.node.Float("alpha", 0.2F) + call.node.Float("beta", 0.5F);
  return {torch::clamp(line, 0, 1)};
}
Outputs HardSwish(const OperatorCall& call) {
  return {call.At(0) * torch::clamp(call.At(0) / 6 + 0.5, 0, 1)};
}
Outputs Mish(const OperatorCall& call) { return {torch::mish(call.At(0))}; }
Outputs Gelu(const OperatorCall& call) {
  return {torch::gelu(call.At(0), call.node.Text("approximate", "none"))};
}
Outputs Tanh(const OperatorCall& call) { return {torch::tanh(call.At(0))}; }
// The threshold, above which LibTorch takes the line itself, is where floats no longer tell.
Outputs Softplus(const OperatorCall& call) { return {torch::softplus(call.At(0), 1, 20)}; }

// Before opset 13 the operator saw a matrix of what is before the axis and what is from it on.
template <typename Function>
Outputs OverAxis(const OperatorCall& call, Function function) {
  const torch::Tensor& x = call.At(0);
  const std::int64_t axis = AxisOf(call.node.Int("axis", call.opset < 13 ? 1 : -1), x.dim());
  if (call.opset >= 13) return {function(x, axis)};
  return {function(x.flatten(axis), axis).reshape(x.sizes())};
}
Outputs Softmax(const OperatorCall& call) {
  return OverAxis(call, [](const auto& x, auto axis) { return torch::softmax(x, axis); });
}
Outputs LogSoftmax(const OperatorCall& call) {
  return OverAxis(call, [](const auto& x, auto axis) { return torch::log_softmax(x, axis); });
}

Outputs Exp(const OperatorCall& call) { return {torch::exp(call.At(0))}; }
Outputs Log(const OperatorCall& call) { return {torch::log(call.At(0))}; }
Outputs Sqrt(const OperatorCall& call) { return {torch::sqrt(call.At(0))}; }
Outputs Neg(const OperatorCall& call) { return {-call.At(0)}; }
Outputs Abs(const OperatorCall& call) { return {torch::abs(call.At(0))}; }
Outputs Erf(const OperatorCall& call) { return {torch::erf(call.At(0))}; }
Outputs Floor(const OperatorCall& call) { return {torch::floor(call.At(0))}; }
Outputs Reciprocal(const OperatorCall& call) { return {torch::reciprocal(call.At(0))}; }

// In inference, a Dropout does nothing; its mask, which nothing needs, is left undefined.
Outputs Identity(const OperatorCall& call) { return {call.At(0)}; }

torch::ScalarType ScalarTypeOf(std::int64_t onnx_type) {
  switch (onnx_type) {
    case 1:
      return torch::kFloat32;
    case 6:
      return torch::kInt32;
    case 7:
      return torch::kInt64;
    case 9:
      return torch::kBool;
    case 11:
      return torch::kFloat64;
    default:
      TORCH_CHECK(false, "a cast to element type ", onnx_type);
  }
}

Outputs Cast(const OperatorCall& call) {
  return {call.At(0).to(ScalarTypeOf(call.node.Int("to", 1)))};
}

}  // namespace

void AddElementwiseOperators(TorchOperators& operators) {
  operators.insert({{"Abs", Abs},
                    {"Add", Add},
                    {"Cast", Cast},
                    {"Clip", Clip},
                    {"Div", Div},
                    {"Dropout", Identity},
                    {"Elu", Elu},
                    {"Erf", Erf},
                    {"Exp", Exp},
                    {"Floor", Floor},
                    {"Gelu", Gelu},
                    {"HardSigmoid", HardSigmoid},
                    {"HardSwish", HardSwish},
                    {"Identity", Identity},
                    {"LeakyRelu", LeakyRelu},
                    {"Log", Log},
                    {"LogSoftmax", LogSoftmax},
                    {"Max", Max},
                    {"Min", Min},
                    {"Mish", Mish},
                    {"Mul", Mul},
                    {"Neg", Neg},
                    {"PRelu", PRelu},
                    {"Pow", Pow},
                    {"Reciprocal", Reciprocal},
                    {"Relu", Relu},
                    {"Sigmoid", Sigmoid},
                    {"Softmax", Softmax},
                    {"Softplus", Softplus},
                    {"Sqrt", Sqrt},
                    {"Sub", Sub},
                    {"Sum", Sum},
                    {"Tanh", Tanh}});
}

}  // namespace cleave
