#ifndef CLEAVE_TESTS_DEVICE_MODELS_H_
#define CLEAVE_TESTS_DEVICE_MODELS_H_

#include <string>

#include "edge/tiny_models.h"

namespace cleave::testing {

inline void AddPool(onnx::GraphProto& graph, const std::string& from, const std::string& to) {
  onnx::NodeProto& pool = AddNode(graph, "AveragePool", {from}, to);
  for (const char* name : {"kernel_shape", "strides"}) {
    onnx::AttributeProto& attribute = *pool.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INTS);
    attribute.add_ints(2);
    attribute.add_ints(2);
  }
}

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
