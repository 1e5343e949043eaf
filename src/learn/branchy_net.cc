#include "learn/branchy_net.h"

#include <cmath>
#include <span>
#include <utility>

#include "absl/strings/str_join.h"
#include "model/attach_exits.h"

namespace cleave {
namespace {

using Kind = Layer::Kind;

constexpr double kEpsilon = 1e-5;
constexpr double kStatisticsMomentum = 0.1;

bool FullyConnected(Kind kind) { return kind == Kind::kHidden || kind == Kind::kLogits; }

torch::Tensor Leaf(const torch::Tensor& values) {
  const bool matrix = values.dim() == 4;
  return (matrix ? values.contiguous(at::MemoryFormat::ChannelsLast) : values)
      .set_requires_grad(true);
}

std::span<const float> Floats(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

}  // namespace

BranchyNet::BranchyNet(BranchyPlan plan, std::uint64_t seed) : plan_(std::move(plan)) {
  const torch::NoGradGuard no_grad;
  at::Generator generator = at::detail::createCPUGenerator(seed);
  Shape shape = plan_.input;
  for (const Stage& stage : plan_.stages) {
    for (const Layer& layer : stage.trunk) AddLayer(layer, shape, generator);
    Shape branch = shape;
    for (const Layer& layer : stage.branch) AddLayer(layer, branch, generator);
  }
}

void BranchyNet::AddLayer(const Layer& layer, Shape& shape, at::Generator& generator) {
  const auto random = [&](std::int64_t kernel_y, std::int64_t kernel_x, double gain) {
    const double fan_in = static_cast<double>(shape[0] * kernel_y * kernel_x);
    return Leaf(at::randn({layer.out, shape[0], kernel_y, kernel_x}, generator, at::kFloat) *
                std::sqrt(gain / fan_in));
  };
  switch (layer.kind) {
    case Kind::kConv:
      parameters_[layer.name + ".weight"] = random(layer.kernel, layer.kernel, 2);
      parameters_[layer.name + ".scale"] = Leaf(torch::ones({layer.out}));
      parameters_[layer.name + ".shift"] = Leaf(torch::zeros({layer.out}));
      statistics_[layer.name + ".mean"] = torch::zeros({layer.out});
      statistics_[layer.name + ".variance"] = torch::ones({layer.out});
      shape = {layer.out, (shape[1] - 1) / layer.stride + 1, (shape[2] - 1) / layer.stride + 1};
      break;
    case Kind::kMaxPool:
      shape = {shape[0], shape[1] / layer.kernel, shape[2] / layer.kernel};
      break;
    case Kind::kGlobalAveragePool:
      shape = {shape[0], 1, 1};
      break;
    case Kind::kHidden:
    case Kind::kLogits:
      parameters_[layer.name + ".weight"] =
          random(shape[1], shape[2], layer.kind == Kind::kHidden ? 2 : 1);
      parameters_[layer.name + ".bias"] = Leaf(torch::zeros({layer.out}));
      shape = {layer.out, 1, 1};
      break;
  }
}

void BranchyNet::CopyFrom(const BranchyNet& other) {
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : parameters_) tensor.copy_(other.parameters_.at(name));
  for (auto& [name, tensor] : statistics_) tensor.copy_(other.statistics_.at(name));
}

torch::Tensor BranchyNet::Apply(const Layer& layer, const torch::Tensor& in, Mode mode) {
  switch (layer.kind) {
    case Kind::kConv: {
      const std::int64_t padding = layer.kernel / 2;
      const torch::Tensor sums = torch::conv2d(in, parameters_.at(layer.name + ".weight"), {},
                                               layer.stride, {padding, padding});
      return torch::batch_norm(
                 sums, parameters_.at(layer.name + ".scale"), parameters_.at(layer.name + ".shift"),
                 statistics_.at(layer.name + ".mean"), statistics_.at(layer.name + ".variance"),
                 mode == Mode::kTraining, kStatisticsMomentum, kEpsilon, /*cudnn_enabled=*/false)
          .relu_();
    }
    case Kind::kMaxPool:
      return torch::max_pool2d(in, layer.kernel);
    case Kind::kGlobalAveragePool:
      return in.mean({2, 3}, /*keepdim=*/true);
    case Kind::kHidden:
    case Kind::kLogits: {
      // As a convolution over the whole picture: oneDNN's are many times faster than the matrix
      // product of a LibTorch without a tuned BLAS, as Debian's is.
      const torch::Tensor sums = torch::conv2d(in, parameters_.at(layer.name + ".weight"),
                                               parameters_.at(layer.name + ".bias"));
      return layer.kind == Kind::kHidden ? sums.relu() : sums;
    }
  }
  return in;
}

std::vector<torch::Tensor> BranchyNet::Forward(const torch::Tensor& images, Mode mode) {
  std::vector<torch::Tensor> logits;
  torch::Tensor trunk = images;
  for (const Stage& stage : plan_.stages) {
    for (const Layer& layer : stage.trunk) trunk = Apply(layer, trunk, mode);
    if (stage.branch.empty()) continue;
    torch::Tensor branch = trunk;
    for (const Layer& layer : stage.branch) branch = Apply(layer, branch, mode);
    logits.push_back(branch.flatten(1));
  }
  return logits;
}

std::string BranchyNet::WriteLayer(const Layer& layer, const std::string& input,
                                   GraphWriter& writer) const {
  if (layer.kind == Kind::kMaxPool) {
    return writer.MaxPool(layer.name, input, layer.kernel, layer.kernel);
  }
  if (layer.kind == Kind::kGlobalAveragePool) return writer.GlobalAveragePool(layer.name, input);

  const torch::Tensor weight = parameters_.at(layer.name + ".weight").contiguous();
  if (FullyConnected(layer.kind)) {
    const torch::Tensor bias = parameters_.at(layer.name + ".bias");
    const bool is_flat = writer.ShapeOf(input).size() == 1;
    const std::string flat = is_flat ? input : writer.Flatten(layer.name + "_in", input);
    const std::string sums =
        writer.Gemm(layer.name, flat, layer.out, {Floats(weight), Floats(bias)});
    return layer.kind == Kind::kHidden ? writer.Relu(layer.name + "_relu", sums) : sums;
  }
  const auto exact = [](const torch::Tensor& tensor) { return tensor.to(torch::kFloat64); };
  const torch::Tensor factor = exact(parameters_.at(layer.name + ".scale")) /
                               (exact(statistics_.at(layer.name + ".variance")) + kEpsilon).sqrt();
  const torch::Tensor folded =
      (exact(weight) * factor.reshape({-1, 1, 1, 1})).to(torch::kFloat32).contiguous();
  const torch::Tensor bias = (exact(parameters_.at(layer.name + ".shift")) -
                              exact(statistics_.at(layer.name + ".mean")) * factor)
                                 .to(torch::kFloat32);
  const std::string sums = writer.Conv(layer.name, input, layer.out, layer.kernel, layer.stride,
                                       layer.kernel / 2, {Floats(folded), Floats(bias)});
  return writer.Relu(layer.name + "_relu", sums);
}

void BranchyNet::Write(GraphWriter& writer) const {
  const torch::NoGradGuard no_grad;
  std::string trunk = writer.Input("image", plan_.input);
  for (const Stage& stage : plan_.stages) {
    for (const Layer& layer : stage.trunk) trunk = WriteLayer(layer, trunk, writer);
    if (stage.branch.empty()) continue;
    std::string branch = trunk;
    for (const Layer& layer : stage.branch) branch = WriteLayer(layer, branch, writer);
    writer.Output(branch);
  }
  writer.Metadata(kExitsKey, absl::StrJoin(plan_.ExitNames(), ","));
}

}  // namespace cleave
