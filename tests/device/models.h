#ifndef CLEAVE_TESTS_DEVICE_MODELS_H_
#define CLEAVE_TESTS_DEVICE_MODELS_H_

#include <string>

#include "support/tiny_models.h"

namespace cleave::testing {

// x [N,3,16,16] -> Relu -> pool "p" -> Sigmoid -> pool "q" -> GlobalAveragePool y [N,3,1,1], and an
// output on the way: early [N,3,1,1], the global average of p.
inline std::string EarlyOutputModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 3, 16, 16}, *graph.add_input());
  Describe("y", {-1, 3, 1, 1}, *graph.add_output());
  Describe("early", {-1, 3, 1, 1}, *graph.add_output());
  AddNode(graph, "Relu", {"x"}, "r");
  AddPool(graph, "r", "p");
  AddNode(graph, "GlobalAveragePool", {"p"}, "early");
  AddNode(graph, "Sigmoid", {"p"}, "s");
  AddPool(graph, "s", "q");
  AddNode(graph, "GlobalAveragePool", {"q"}, "y");
  return model.SerializeAsString();
}

// a + b, both [N,3,8,8] -> pool -> Relu -> GlobalAveragePool y [N,3,1,1].
inline std::string TwoInputModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("a", {-1, 3, 8, 8}, *graph.add_input());
  Describe("b", {-1, 3, 8, 8}, *graph.add_input());
  Describe("y", {-1, 3, 1, 1}, *graph.add_output());
  AddNode(graph, "Add", {"a", "b"}, "s");
  AddPool(graph, "s", "p");
  AddNode(graph, "Relu", {"p"}, "r");
  AddNode(graph, "GlobalAveragePool", {"r"}, "y");
  return model.SerializeAsString();
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_DEVICE_MODELS_H_
