#ifndef CLEAVE_LEARN_BRANCHY_NET_H_
#define CLEAVE_LEARN_BRANCHY_NET_H_

// Internal to src/learn: LibTorch's side of a multi-branch network. May throw c10::Error.

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "learn/alexnet.h"
#include "model/graph_writer.h"

namespace cleave {

// The weights of a multi-branch network and its forward pass. Thread-compatible.
class BranchyNet {
 public:
  using Tensors = std::map<std::string, torch::Tensor>;  // By name, so always in the same order.
  enum class Mode {
    kTraining,   // Batch norm over the batch, and its statistics move on.
    kInference,  // Batch norm by the statistics, which stay.
  };

  // Draws the weights from `seed` (He's initialization), by a generator of its own.
  BranchyNet(BranchyPlan plan, std::uint64_t seed);

  const BranchyPlan& plan() const { return plan_; }
  const Tensors& parameters() const { return parameters_; }  // Leaves that take gradients.
  const Tensors& statistics() const { return statistics_; }  // Batch norm's running means, ...

  // Copies parameters and statistics of `other`, which has the same plan, into this one's memory.
  void CopyFrom(const BranchyNet& other);

  // Returns the logits of each exit, in order, batch x classes. `images` is batch x plan().input,
  // fastest in channels-last memory.
  std::vector<torch::Tensor> Forward(const torch::Tensor& images, Mode mode);

  // Writes the network as it runs when not training, batch norm folded into the convolutions:
  // input "image", an output for each exit, metadata kExitsKey.
  void Write(GraphWriter& writer) const;

 private:
  void AddLayer(const Layer& layer, Shape& shape, at::Generator& generator);
  torch::Tensor Apply(const Layer& layer, const torch::Tensor& in, Mode mode);
  std::string WriteLayer(const Layer& layer, const std::string& input, GraphWriter& writer) const;

  BranchyPlan plan_;
  Tensors parameters_;
  Tensors statistics_;
};

}  // namespace cleave

#endif  // CLEAVE_LEARN_BRANCHY_NET_H_
