#include "learn/bottleneck_net.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/utils.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "learn/scorer.h"

namespace cleave {
namespace {

constexpr std::int64_t kKernel = 3;

}  // namespace

std::int64_t ResidualPlan::Macs(std::int64_t places) const {
  const auto blocks = static_cast<std::int64_t>(dilations.size());
  return places * blocks * channels * hidden * (kKernel * kKernel + 1);
}

ResidualNet::ResidualNet(ResidualPlan plan, ChannelScale scale, std::uint64_t seed)
    : plan_(std::move(plan)), scale_(std::move(scale)) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const double deviation = std::sqrt(2.0 / static_cast<double>(plan_.channels * kKernel * kKernel));
  for (std::size_t i = 0; i < plan_.dilations.size(); ++i) {
    const std::string name = absl::StrCat("block", i, ".");
    parameters_[name + "in.weight"] =
        torch::randn({plan_.hidden, plan_.channels, kKernel, kKernel}, generator) * deviation;
    parameters_[name + "in.bias"] = torch::zeros({plan_.hidden});
    parameters_[name + "out.weight"] = torch::zeros({plan_.channels, plan_.hidden, 1, 1});
    parameters_[name + "out.bias"] = torch::zeros({plan_.channels});
  }
  for (auto& [name, parameter] : parameters_) parameter.requires_grad_();
}

ResidualNet::Block ResidualNet::BlockOf(std::size_t index, const Tensors& parameters) const {
  const std::string name = absl::StrCat("block", index, ".");
  const torch::Tensor per_input = scale_.deviation.reshape({1, -1, 1, 1});
  Block block;
  block.in_weight = parameters.at(name + "in.weight") / per_input;
  block.in_bias =
      parameters.at(name + "in.bias") - (block.in_weight.sum({2, 3}) * scale_.mean).sum(1);
  block.out_weight = parameters.at(name + "out.weight") * scale_.deviation.reshape({-1, 1, 1, 1});
  block.out_bias = parameters.at(name + "out.bias") * scale_.deviation;
  return block;
}

torch::Tensor ResidualNet::Forward(const torch::Tensor& x, const Tensors& parameters) const {
  torch::Tensor result = x;
  for (std::size_t i = 0; i < plan_.dilations.size(); ++i) {
    const Block block = BlockOf(i, parameters);
    const std::int64_t dilation = plan_.dilations[i];
    const torch::Tensor hidden = torch::relu(torch::conv2d(result, block.in_weight, block.in_bias,
                                                           1, dilation * (kKernel / 2), dilation));
    result = result + torch::conv2d(hidden, block.out_weight, block.out_bias);
  }
  return result;
}

std::string ResidualNet::Write(GraphWriter& writer, const std::string& input,
                               const std::string& output, const Tensors& parameters) const {
  const torch::NoGradGuard no_grad;
  std::string last = input;
  for (std::size_t i = 0; i < plan_.dilations.size(); ++i) {
    const Block block = BlockOf(i, parameters);
    const std::string name = absl::StrCat("block", i);
    const std::vector<float> in_weight = FloatsOf(block.in_weight);
    const std::vector<float> in_bias = FloatsOf(block.in_bias);
    const std::vector<float> out_weight = FloatsOf(block.out_weight);
    const std::vector<float> out_bias = FloatsOf(block.out_bias);
    const std::string hidden =
        writer.Relu(name + ".relu", writer.DilatedConv(name + ".in", last, plan_.hidden, kKernel,
                                                       plan_.dilations[i], {in_weight, in_bias}));
    const std::string change =
        writer.DilatedConv(name + ".out", hidden, plan_.channels, 1, 1, {out_weight, out_bias});
    const bool done = i + 1 == plan_.dilations.size();
    last = writer.Add(done ? output : name, last, change);
  }
  return last;
}

}  // namespace cleave
