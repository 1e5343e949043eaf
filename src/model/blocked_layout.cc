#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/graph_impl.h"

namespace cleave {
namespace {

// ONNX Runtime's blocked layout holds channels in groups of 8 or 16, as wide as the CPU's vectors.
constexpr std::int64_t kChannelBlock = 16;
// Beyond this, the product with an identity matrix costs more than it saves.
constexpr std::int64_t kMostMixedChannels = 64;

// Returns the channels of `tensor` if a convolution and an addition both read it, else 0.
std::int64_t ResidualChannels(const onnx::GraphProto& graph, const std::string& tensor) {
  std::int64_t channels = 0;
  bool added = false;
  for (const onnx::NodeProto& node : graph.node()) {
    for (int i = 0; i < node.input_size(); ++i) {
      if (node.input(i) != tensor) continue;
      added = added || node.op_type() == "Add";
      if (node.op_type() != "Conv" || i != 0) continue;
      for (const onnx::TensorProto& weights : graph.initializer()) {
        if (weights.name() != node.input(1) || weights.dims_size() != 4) continue;
        if (weights.data_type() == onnx::TensorProto::FLOAT) channels = weights.dims(1);
      }
    }
  }
  return added ? channels : 0;
}

void AddUnitPooling(onnx::NodeProto& node) {
  node.set_op_type("AveragePool");
  onnx::AttributeProto& kernel = *node.add_attribute();
  kernel.set_name("kernel_shape");
  kernel.set_type(onnx::AttributeProto::INTS);
  kernel.add_ints(1);
  kernel.add_ints(1);
}

void AddUnitConvolution(std::int64_t channels, onnx::NodeProto& node, onnx::GraphProto& graph) {
  node.set_op_type("Conv");
  onnx::TensorProto& identity = *graph.add_initializer();
  identity.set_name(absl::StrCat(node.output(0), "/identity"));
  identity.set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t dim : {channels, channels, std::int64_t{1}, std::int64_t{1}}) {
    identity.add_dims(dim);
  }
  for (std::int64_t i = 0; i < channels * channels; ++i) {
    identity.add_float_data(i % (channels + 1) == 0 ? 1.0F : 0.0F);
  }
  node.add_input(identity.name());
}

}  // namespace

void ShareBlockedInputs(onnx::GraphProto& graph) {
  for (int i = 0; i < graph.input_size(); ++i) {
    const std::string input = graph.input(i).name();
    const std::int64_t channels = ResidualChannels(graph, input);
    const bool whole_blocks = channels % kChannelBlock == 0;
    if (channels < 2 || (!whole_blocks && channels > kMostMixedChannels)) continue;
    const std::string blocked = absl::StrCat(input, "/cleave_blocked");
    for (onnx::NodeProto& node : *graph.mutable_node()) {
      for (std::string& name : *node.mutable_input()) {
        if (name == input) name = blocked;
      }
    }
    onnx::NodeProto unit;
    unit.set_name(blocked);
    unit.add_input(input);
    unit.add_output(blocked);
    if (whole_blocks) {
      AddUnitPooling(unit);
    } else {
      AddUnitConvolution(channels, unit, graph);
    }
    graph.add_node()->Swap(&unit);
    for (int at = graph.node_size() - 1; at > 0; --at) {
      graph.mutable_node()->SwapElements(at, at - 1);
    }
  }
}

}  // namespace cleave
