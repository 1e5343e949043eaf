#ifndef CLEAVE_LEARN_BOTTLENECK_NET_H_
#define CLEAVE_LEARN_BOTTLENECK_NET_H_

// Internal to src/learn. May throw c10::Error.

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/graph_writer.h"

namespace cleave {

// What a residual network is made of: blocks, each a convolution of 3 x 3 with elements that lie
// some places apart, from the channels to `hidden` ones, a ReLU, and a convolution of 1 x 1 back,
// which is added to what came in.
struct ResidualPlan {
  std::int64_t channels = 1;
  std::int64_t hidden = 16;
  std::vector<std::int64_t> dilations;  // One for each block.

  // The multiply-adds for a plane of so many places.
  std::int64_t Macs(std::int64_t places) const;
};

// Mean and standard deviation of each channel of the tensor, by which the network sees it.
struct ChannelScale {
  torch::Tensor mean;
  torch::Tensor deviation;
};

// A residual network that keeps the shape of a tensor of N x C x H x W. It begins as the identity,
// and what it adds is measured in the channels' standard deviations. Thread-compatible; Forward may
// run in several threads.
class ResidualNet {
 public:
  using Tensors = std::map<std::string, torch::Tensor>;

  ResidualNet(ResidualPlan plan, ChannelScale scale, std::uint64_t seed);

  // The leaves, by name.
  const Tensors& parameters() const { return parameters_; }

  torch::Tensor Forward(const torch::Tensor& x, const Tensors& parameters) const;

  // Writes the network with these parameters behind `input`, a tensor of the writer, and returns
  // its output, which is called `output`.
  std::string Write(GraphWriter& writer, const std::string& input, const std::string& output,
                    const Tensors& parameters) const;

 private:
  // The weights of a block's convolutions, as they see the tensor itself.
  struct Block {
    torch::Tensor in_weight, in_bias, out_weight, out_bias;
  };
  Block BlockOf(std::size_t index, const Tensors& parameters) const;

  ResidualPlan plan_;
  ChannelScale scale_;
  Tensors parameters_;
};

}  // namespace cleave

#endif  // CLEAVE_LEARN_BOTTLENECK_NET_H_
