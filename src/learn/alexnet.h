#ifndef CLEAVE_LEARN_ALEXNET_H_
#define CLEAVE_LEARN_ALEXNET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cleave/tensor.h"

namespace cleave {

// One step of a network. Its name is that of its weights and of the tensor that it gives.
struct Layer {
  enum class Kind {
    kConv,               // Convolution (padding kernel / 2), batch norm, ReLU.
    kMaxPool,            // kernel x kernel, as far apart.
    kGlobalAveragePool,  // To one number for each channel.
    kHidden,             // Fully connected, ReLU.
    kLogits,             // Fully connected.
  };
  Kind kind = Kind::kConv;
  std::string name;
  std::int64_t out = 0;  // Channels or features of what has weights.
  std::int64_t kernel = 0;
  std::int64_t stride = 1;
};

// A stretch of the trunk, and the branch that leaves the trunk at its end.
struct Stage {
  std::vector<Layer> trunk;
  std::vector<Layer> branch;  // Ends in kLogits, whose name is the exit's; empty: no exit here.
};

// A multi-branch network as data: what trains it and what writes it as ONNX both walk this.
struct BranchyPlan {
  Shape input;  // Channels x height x width.
  std::vector<Stage> stages;

  std::vector<std::string> ExitNames() const;
};

inline constexpr int kMaxAlexNetExits = 5;

// Returns AlexNet for pictures of 3x32x32: five convolutions, each of which an exit follows; the
// last one has AlexNet's fully connected layers. Pooling makes natural bottlenecks of pool2 and
// pool5. Fewer exits are the first ones and the last one. REQUIRES: 1 <= exits <= kMaxAlexNetExits,
// classes >= 2.
BranchyPlan AlexNetPlan(int exits, std::int64_t classes);

}  // namespace cleave

#endif  // CLEAVE_LEARN_ALEXNET_H_
