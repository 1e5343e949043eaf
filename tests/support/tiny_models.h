#ifndef CLEAVE_TESTS_SUPPORT_TINY_MODELS_H_
#define CLEAVE_TESTS_SUPPORT_TINY_MODELS_H_

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>
#include <vector>

#include "support/temp_dir.h"

namespace cleave::testing {

// Dimension -1 is the symbolic batch "N".
inline void Describe(const std::string& name, const std::vector<std::int64_t>& shape,
                     onnx::ValueInfoProto& out) {
  out.set_name(name);
  auto& tensor = *out.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  tensor.mutable_shape();
  for (const std::int64_t size : shape) {
    auto& dim = *tensor.mutable_shape()->add_dim();
    size < 0 ? dim.set_dim_param("N") : dim.set_dim_value(size);
  }
}

inline onnx::NodeProto& AddNode(onnx::GraphProto& graph, const std::string& op,
                                const std::vector<std::string>& inputs, const std::string& output) {
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(op);
  node.set_name(output + "_node");
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

// The mean of 2x2 places.
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

inline onnx::ModelProto EmptyModel() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  model.mutable_graph()->set_name("tiny");
  return model;
}

// x [N,3,8,8] -> Relu "r" -> AveragePool 2x2 "p" [N,3,4,4] (a natural bottleneck) -> times 2 "d"
// -> GlobalAveragePool y [N,3,1,1]: y = 2 * mean(max(x, 0)) of each channel.
inline std::string PoolModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 3, 8, 8}, *graph.add_input());
  Describe("y", {-1, 3, 1, 1}, *graph.add_output());
  onnx::TensorProto& two = *graph.add_initializer();
  two.set_name("two");
  two.set_data_type(onnx::TensorProto::FLOAT);
  two.add_dims(1);
  two.add_float_data(2);
  AddNode(graph, "Relu", {"x"}, "r");
  AddPool(graph, "r", "p");
  AddNode(graph, "Mul", {"p", "two"}, "d");
  AddNode(graph, "GlobalAveragePool", {"d"}, "y");
  return model.SerializeAsString();
}

// x [N,3,8,8] of this type -> Cast to FLOAT "f" -> GlobalAveragePool y [N,3,1,1]: the mean of each
// channel.
inline std::string MeanModel(onnx::TensorProto::DataType input) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 3, 8, 8}, *graph.add_input());
  graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(input);
  Describe("y", {-1, 3, 1, 1}, *graph.add_output());
  onnx::AttributeProto& to = *AddNode(graph, "Cast", {"x"}, "f").add_attribute();
  to.set_name("to");
  to.set_type(onnx::AttributeProto::INT);
  to.set_i(onnx::TensorProto::FLOAT);
  AddNode(graph, "GlobalAveragePool", {"f"}, "y");
  return model.SerializeAsString();
}

// `products` matrix products in a row: runs for a while. x, y [512,512].
// Side of its matrices: a run is to take tenths of a second, under an emulator too.
#ifdef CLEAVE_EMULATED
inline constexpr std::int64_t kSlowSide = 96;
#else
inline constexpr std::int64_t kSlowSide = 512;
#endif

inline std::string SlowModel(int products) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {kSlowSide, kSlowSide}, *graph.add_input());
  Describe("y", {kSlowSide, kSlowSide}, *graph.add_output());
  std::string last = "x";
  for (int i = 0; i < products; ++i) {
    const std::string next =
        i + 1 == products ? std::string("y") : std::string("t").append(std::to_string(i));
    AddNode(graph, "MatMul", {last, "x"}, next);
    last = next;
  }
  return model.SerializeAsString();
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_SUPPORT_TINY_MODELS_H_
