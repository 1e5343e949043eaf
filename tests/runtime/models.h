#ifndef CLEAVE_TESTS_RUNTIME_MODELS_H_
#define CLEAVE_TESTS_RUNTIME_MODELS_H_

#include <onnx/onnx_pb.h>

#include <memory>
#include <string>
#include <vector>

#include "model/cuts.h"
#include "model/graph.h"
#include "support/tiny_models.h"

namespace cleave::testing {

inline std::shared_ptr<const Graph> Parse(const onnx::ModelProto& model) {
  auto graph = Graph::FromBytes(model.SerializeAsString(), "tiny.onnx");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return *graph;
}

inline void AddWeights(const std::string& name, const std::vector<std::int64_t>& shape,
                       onnx::GraphProto& graph) {
  onnx::TensorProto& weights = *graph.add_initializer();
  weights.set_name(name);
  weights.set_data_type(onnx::TensorProto::FLOAT);
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) {
    weights.add_dims(dim);
    count *= dim;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    weights.add_float_data(static_cast<float>((i * 7919) % 23 - 11) / 16);
  }
}

// x [N,channels,4,4] -> Conv a -> Conv b -> Add(a, b) c -> Conv d -> Add(c, d) e -> Relu y: cutting
// at a, c or e leaves a segment whose input is a residual.
inline onnx::ModelProto ResidualModel(std::int64_t channels) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, channels, 4, 4}, *graph.add_input());
  Describe("y", {-1, channels, 4, 4}, *graph.add_output());
  AddWeights("w", {channels, channels, 1, 1}, graph);
  AddNode(graph, "Conv", {"x", "w"}, "a");
  AddNode(graph, "Conv", {"a", "w"}, "b");
  AddNode(graph, "Add", {"a", "b"}, "c");
  AddNode(graph, "Conv", {"c", "w"}, "d");
  AddNode(graph, "Add", {"c", "d"}, "e");
  AddNode(graph, "Relu", {"e"}, "y");
  return model;
}

// x [N,4] -> Relu a -> Neg b -> Abs c -> Add(c, a) y; the model's outputs are b and y, and the
// inputs hold one that nothing reads.
inline onnx::ModelProto EarlyOutputModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 4}, *graph.add_input());
  Describe("unused", {-1, 4}, *graph.add_input());
  Describe("y", {-1, 4}, *graph.add_output());
  Describe("early", {-1, 4}, *graph.add_output());
  AddNode(graph, "Relu", {"x"}, "a");
  AddNode(graph, "Neg", {"a"}, "early");
  AddNode(graph, "Abs", {"a"}, "c");
  AddNode(graph, "Neg", {"c"}, "d");
  AddNode(graph, "Sub", {"d", "c"}, "y");
  return model;
}

// Returns every cut as a boundary.
inline std::vector<int> AllCuts(const CutList& cuts) {
  std::vector<int> all;
  for (const Cut& cut : cuts.cuts) all.push_back(cut.index);
  return all;
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_RUNTIME_MODELS_H_
