#ifndef CLEAVE_TESTS_SUPPORT_ODD_MODELS_H_
#define CLEAVE_TESTS_SUPPORT_ODD_MODELS_H_

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "support/tiny_models.h"

// Small models of kinds that real files have and that are easily handled wrongly.

namespace cleave::testing {

// A dimension: its size, or the name of a free one.
struct Dim {
  Dim(int known) : size(known) {}                  // NOLINT(google-explicit-constructor)
  Dim(const char* free) : size(-1), name(free) {}  // NOLINT(google-explicit-constructor)
  std::int64_t size = 0;
  std::string name;
};

inline void DescribeAs(const std::string& name, int type, const std::vector<Dim>& dims,
                       onnx::ValueInfoProto& out) {
  out.set_name(name);
  auto& tensor = *out.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  tensor.mutable_shape();
  for (const Dim& dim : dims) {
    auto& added = *tensor.mutable_shape()->add_dim();
    if (dim.size >= 0) {
      added.set_dim_value(dim.size);
    } else if (!dim.name.empty()) {
      added.set_dim_param(dim.name);
    }
  }
}

inline void AddWeights(const std::string& name, const std::vector<std::int64_t>& shape,
                       onnx::GraphProto& graph) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    tensor.add_dims(size);
    count *= size;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    tensor.add_float_data(static_cast<float>(i * 7 % 11 - 5) / 8);
  }
}

inline void AddIntegers(const std::string& name, const std::vector<std::int64_t>& values,
                        const std::vector<std::int64_t>& shape, onnx::GraphProto& graph) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  for (const std::int64_t size : shape) tensor.add_dims(size);
  for (const std::int64_t value : values) tensor.add_int64_data(value);
}

inline onnx::AttributeProto& AddInt(const std::string& name, std::int64_t value,
                                    onnx::NodeProto& node) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
  return attribute;
}

inline void AddInts(const std::string& name, const std::vector<std::int64_t>& values,
                    onnx::NodeProto& node) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) attribute.add_ints(value);
}

struct OddModel {
  std::string name;
  onnx::ModelProto proto;
};

// x [N,3,H,W] -> Conv -> Relu -> GlobalAveragePool y [N,8,1,1]: height and width are free.
inline onnx::ModelProto FreeSizeModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 3, "H", "W"}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"N", 8, 1, 1}, *graph.add_output());
  AddWeights("w", {8, 3, 3, 3}, graph);
  onnx::NodeProto& conv = AddNode(graph, "Conv", {"x", "w"}, "c");
  AddInts("kernel_shape", {3, 3}, conv);
  AddInts("pads", {1, 1, 1, 1}, conv);
  AddNode(graph, "Relu", {"c"}, "r");
  AddPool(graph, "r", "p");
  AddNode(graph, "GlobalAveragePool", {"p"}, "y");
  return model;
}

// ids and mask [batch, length], as a text model has them: tokens -> embedding -> mean.
inline onnx::ModelProto TokenModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("ids", onnx::TensorProto::INT64, {"batch", "length"}, *graph.add_input());
  DescribeAs("mask", onnx::TensorProto::INT64, {"batch", "length"}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"batch", "length", 4}, *graph.add_output());
  AddWeights("table", {5, 4}, graph);
  AddIntegers("last", {2}, {1}, graph);
  AddNode(graph, "Gather", {"table", "ids"}, "e");
  AddInt("to", onnx::TensorProto::FLOAT, AddNode(graph, "Cast", {"mask"}, "m"));
  AddNode(graph, "Unsqueeze", {"m", "last"}, "u");
  AddNode(graph, "Mul", {"e", "u"}, "k");
  AddNode(graph, "Relu", {"k"}, "y");
  return model;
}

// x [N,L,8] -> Relu -> products of the channels g [N,8,8] -> their maxima y: g is a bottleneck
// where L is above 8.
inline onnx::ModelProto LengthModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", "L", 8}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"N", 1, 8}, *graph.add_output());
  AddNode(graph, "Relu", {"x"}, "r");
  AddInts("perm", {0, 2, 1}, AddNode(graph, "Transpose", {"r"}, "t"));
  AddNode(graph, "MatMul", {"t", "r"}, "g");
  AddInts("axes", {1}, AddNode(graph, "ReduceMax", {"g"}, "m"));
  AddNode(graph, "Neg", {"m"}, "y");
  return model;
}

// x [length, batch, 4]: the batch is the second dimension.
inline onnx::ModelProto BatchSecondModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"seq_len", "batch", 4}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"seq_len", "batch", 4}, *graph.add_output());
  AddWeights("w", {4, 4}, graph);
  AddNode(graph, "MatMul", {"x", "w"}, "m");
  AddNode(graph, "Relu", {"m"}, "y");
  return model;
}

// The file declares y as [1,K]; the graph makes 5x1x8.
inline onnx::ModelProto WronglyDeclaredModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {1, 5, 8}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {1, "K"}, *graph.add_output());
  AddWeights("w", {8, 8}, graph);
  AddNode(graph, "Relu", {"x"}, "r");
  AddNode(graph, "MatMul", {"r", "w"}, "m");
  AddInts("perm", {1, 0, 2}, AddNode(graph, "Transpose", {"m"}, "y"));
  return model;
}

// A batch that was freed by editing the inputs alone: what lies between is still declared with 1.
inline onnx::ModelProto StaleShapesModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_input());
  DescribeAs("m", onnx::TensorProto::FLOAT, {1, 8}, *graph.add_value_info());
  DescribeAs("r", onnx::TensorProto::FLOAT, {1, 8}, *graph.add_value_info());
  DescribeAs("y", onnx::TensorProto::FLOAT, {1, 4}, *graph.add_output());
  AddWeights("w", {8, 8}, graph);
  AddWeights("w2", {8, 4}, graph);
  AddNode(graph, "MatMul", {"x", "w"}, "m");
  AddNode(graph, "Relu", {"m"}, "r");
  AddNode(graph, "MatMul", {"r", "w2"}, "y");
  return model;
}

// The batch is free by declaration, but a reshape has 1 in it.
inline onnx::ModelProto FrozenBatchModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_output());
  AddWeights("w", {8, 8}, graph);
  AddIntegers("s", {1, 8}, {2}, graph);
  AddNode(graph, "MatMul", {"x", "w"}, "m");
  AddNode(graph, "Reshape", {"m", "s"}, "r");
  AddNode(graph, "Relu", {"r"}, "y");
  return model;
}

// Half precision inside: x -> FP16 -> Relu -> Relu -> FP32 y.
inline onnx::ModelProto HalfInsideModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_output());
  AddInt("to", onnx::TensorProto::FLOAT16, AddNode(graph, "Cast", {"x"}, "h"));
  AddNode(graph, "Add", {"h", "h"}, "a");
  AddNode(graph, "Relu", {"a"}, "r");
  AddInt("to", onnx::TensorProto::FLOAT, AddNode(graph, "Cast", {"r"}, "y"));
  return model;
}

// A segment from "a" on is what ONNX Runtime's optimizer of blocked layouts dies of.
inline onnx::ModelProto HalfTransposeModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT16, {1, 4, 8}, *graph.add_input());
  DescribeAs("g", onnx::TensorProto::INT64, {}, *graph.add_output());
  DescribeAs("y", onnx::TensorProto::FLOAT16, {4, 1, 8}, *graph.add_output());
  AddIntegers("i", {1}, {}, graph);
  AddNode(graph, "Add", {"x", "x"}, "a");
  AddInts("perm", {1, 0, 2}, AddNode(graph, "Transpose", {"a"}, "t"));
  AddNode(graph, "Shape", {"t"}, "s");
  AddNode(graph, "Gather", {"s", "i"}, "g");
  AddNode(graph, "Mul", {"t", "t"}, "y");
  return model;
}

// A sequence between ordinary layers: only the cut in it cannot be sent.
inline onnx::ModelProto SequenceModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"N", 4}, *graph.add_output());
  AddWeights("w", {8, 8}, graph);
  AddWeights("w2", {1, 4}, graph);
  AddIntegers("i", {0}, {}, graph);
  AddNode(graph, "MatMul", {"x", "w"}, "a");
  AddNode(graph, "Relu", {"a"}, "b");
  AddInt("axis", 1, AddNode(graph, "SplitToSequence", {"b"}, "s"));
  AddNode(graph, "SequenceAt", {"s", "i"}, "c");
  AddNode(graph, "MatMul", {"c", "w2"}, "d");
  AddNode(graph, "Relu", {"d"}, "y");
  return model;
}

// A sparse weight.
inline onnx::ModelProto SparseModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_output());
  onnx::SparseTensorProto& sparse = *graph.add_sparse_initializer();
  sparse.add_dims(8);
  sparse.add_dims(8);
  sparse.mutable_values()->set_name("w");
  sparse.mutable_values()->set_data_type(onnx::TensorProto::FLOAT);
  sparse.mutable_values()->add_dims(3);
  sparse.mutable_indices()->set_data_type(onnx::TensorProto::INT64);
  sparse.mutable_indices()->add_dims(3);
  for (const int at : {1, 10, 60}) {
    sparse.mutable_indices()->add_int64_data(at);
    sparse.mutable_values()->add_float_data(static_cast<float>(at));
  }
  AddNode(graph, "Relu", {"x"}, "r");
  AddNode(graph, "MatMul", {"r", "w"}, "y");
  return model;
}

// k is drawn at random, hidden in a function or in a branch; y = relu(x + k) - k.
enum class Hiding { kFunction, kBranch };
inline onnx::ModelProto HiddenRandomModel(Hiding where) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_output());
  onnx::NodeProto draw;
  draw.set_op_type("RandomUniform");
  draw.add_output("drawn");
  AddInts("shape", {8}, draw);
  if (where == Hiding::kFunction) {
    onnx::OperatorSetIdProto& local = *model.add_opset_import();
    local.set_domain("local");
    local.set_version(1);
    onnx::FunctionProto& function = *model.add_functions();
    function.set_domain("local");
    function.set_name("Noise");
    function.add_output("drawn");
    *function.add_node() = draw;
    function.add_opset_import()->set_version(13);
    AddNode(graph, "Noise", {}, "k").set_domain("local");
  } else {
    onnx::TensorProto& yes = *graph.add_initializer();
    yes.set_name("yes");
    yes.set_data_type(onnx::TensorProto::BOOL);
    yes.add_int32_data(1);
    onnx::NodeProto& branch = AddNode(graph, "If", {"yes"}, "k");
    for (const char* name : {"then_branch", "else_branch"}) {
      onnx::AttributeProto& attribute = *branch.add_attribute();
      attribute.set_name(name);
      attribute.set_type(onnx::AttributeProto::GRAPH);
      onnx::GraphProto& body = *attribute.mutable_g();
      body.set_name(name);
      *body.add_node() = draw;
      body.mutable_node(0)->set_output(0, std::string(name) + "_drawn");
      DescribeAs(std::string(name) + "_drawn", onnx::TensorProto::FLOAT, {8}, *body.add_output());
    }
  }
  AddNode(graph, "Add", {"x", "k"}, "a");
  AddNode(graph, "Relu", {"a"}, "r");
  AddNode(graph, "Sub", {"r", "k"}, "y");
  return model;
}

// A signal as a vector of 16, without a batch.
inline onnx::ModelProto VectorModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {16}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {16}, *graph.add_output());
  AddNode(graph, "Mul", {"x", "x"}, "q");
  AddNode(graph, "Neg", {"q"}, "y");
  return model;
}

// An integer input that must not be 0: how many of the largest values are kept.
inline onnx::ModelProto CountModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_input());
  DescribeAs("k", onnx::TensorProto::INT64, {1}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"N", 1}, *graph.add_output());
  AddIntegers("zero", {0}, {1}, graph);
  AddNode(graph, "Relu", {"x"}, "r");
  onnx::NodeProto& top = AddNode(graph, "TopK", {"r", "k"}, "t");
  top.add_output("at");
  AddInt("axis", 1, top);
  AddInt("axis", 1, AddNode(graph, "Gather", {"t", "zero"}, "y"));
  return model;
}

// How many elements y has depends on the data.
inline onnx::ModelProto NonZeroModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {2, "found"}, *graph.add_output());
  AddNode(graph, "Relu", {"x"}, "r");
  AddNode(graph, "NonZero", {"r"}, "n");
  AddInt("to", onnx::TensorProto::FLOAT, AddNode(graph, "Cast", {"n"}, "c"));
  AddNode(graph, "Neg", {"c"}, "y");
  return model;
}

// An input that no output needs.
inline onnx::ModelProto UnusedInputModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_input());
  DescribeAs("unused", onnx::TensorProto::INT64, {"N", 3}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_output());
  AddWeights("w", {8, 8}, graph);
  AddNode(graph, "MatMul", {"x", "w"}, "m");
  AddNode(graph, "Relu", {"m"}, "y");
  return model;
}

// An output that is the same in every run, beside one that is not.
inline onnx::ModelProto ConstantOutputModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_output());
  DescribeAs("v", onnx::TensorProto::FLOAT, {8}, *graph.add_output());
  AddWeights("w", {8}, graph);
  AddNode(graph, "Neg", {"w"}, "v");
  AddNode(graph, "Relu", {"x"}, "r");
  AddNode(graph, "Mul", {"r", "v"}, "y");
  return model;
}

// 8 bits with QuantizeLinear and DequantizeLinear around each operator.
inline onnx::ModelProto QuantizedModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 64}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"N", 64}, *graph.add_output());
  const auto scalar = [&graph](const std::string& name, float value) {
    onnx::TensorProto& tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    tensor.add_float_data(value);
  };
  scalar("s", 0.02F);
  scalar("ws", 0.003F);
  onnx::TensorProto& zero = *graph.add_initializer();
  zero.set_name("z");
  zero.set_data_type(onnx::TensorProto::UINT8);
  zero.add_int32_data(128);
  onnx::TensorProto& weights = *graph.add_initializer();
  weights.set_name("wq");
  weights.set_data_type(onnx::TensorProto::INT8);
  weights.add_dims(64);
  weights.add_dims(64);
  for (int i = 0; i < 64 * 64; ++i) weights.add_int32_data(i * 37 % 201 - 100);
  AddNode(graph, "DequantizeLinear", {"wq", "ws"}, "wd");
  AddNode(graph, "QuantizeLinear", {"x", "s", "z"}, "q");
  AddNode(graph, "DequantizeLinear", {"q", "s", "z"}, "d");
  AddNode(graph, "MatMul", {"d", "wd"}, "m");
  AddNode(graph, "QuantizeLinear", {"m", "s", "z"}, "q2");
  AddNode(graph, "DequantizeLinear", {"q2", "s", "z"}, "d2");
  AddNode(graph, "MatMul", {"d2", "wd"}, "m2");
  AddNode(graph, "QuantizeLinear", {"m2", "s", "z"}, "q3");
  AddNode(graph, "DequantizeLinear", {"q3", "s", "z"}, "d3");
  AddNode(graph, "Relu", {"d3"}, "y");
  return model;
}

// A classifier as scikit-learn's converter writes it: scores, and maps from class to score.
inline onnx::ModelProto MapOutputModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::OperatorSetIdProto& ml = *model.add_opset_import();
  ml.set_domain("ai.onnx.ml");
  ml.set_version(1);
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_input());
  DescribeAs("label", onnx::TensorProto::INT64, {"N"}, *graph.add_output());
  onnx::ValueInfoProto& maps = *graph.add_output();
  maps.set_name("maps");
  auto& map =
      *maps.mutable_type()->mutable_sequence_type()->mutable_elem_type()->mutable_map_type();
  map.set_key_type(onnx::TensorProto::INT64);
  map.mutable_value_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  AddWeights("w", {8, 3}, graph);
  AddNode(graph, "MatMul", {"x", "w"}, "m");
  AddInt("axis", 1, AddNode(graph, "Softmax", {"m"}, "scores"));
  onnx::NodeProto& label = AddNode(graph, "ArgMax", {"scores"}, "label");
  AddInt("axis", 1, label);
  AddInt("keepdims", 0, label);
  onnx::NodeProto& zip = AddNode(graph, "ZipMap", {"scores"}, "maps");
  zip.set_domain("ai.onnx.ml");
  AddInts("classlabels_int64s", {0, 1, 2}, zip);
  return model;
}

inline void AddStrings(const std::string& name, const std::vector<std::string>& values,
                       onnx::NodeProto& node) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::STRINGS);
  for (const std::string& value : values) attribute.add_strings(value);
}

// Texts alone: x [N] -> a column -> the column twice y [N,2].
inline onnx::ModelProto TextModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::STRING, {"N"}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::STRING, {"N", 2}, *graph.add_output());
  AddIntegers("s", {-1, 1}, {2}, graph);
  AddNode(graph, "Reshape", {"x", "s"}, "r");
  AddNode(graph, "Identity", {"r"}, "i");
  AddInt("axis", 1, AddNode(graph, "Concat", {"i", "i"}, "y"));
  return model;
}

// Words of no meaning are left out: x [N] -> those of y [K].
inline onnx::ModelProto StopWordsModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::STRING, {"N"}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::STRING, {"K"}, *graph.add_output());
  AddNode(graph, "Identity", {"x"}, "i");
  onnx::NodeProto& normalizer = AddNode(graph, "StringNormalizer", {"i"}, "n");
  AddStrings("stopwords", {"apple", "blue", "cat", "green", "house"}, normalizer);
  AddInt("is_case_sensitive", 1, normalizer);
  AddNode(graph, "Identity", {"n"}, "y");
  return model;
}

// A classifier of categories as scikit-learn's converter writes it: x [N,2] of strings, each column
// with categories of its own, any others an error; label [N] of strings and scores [N,3].
inline onnx::ModelProto CategoryModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::OperatorSetIdProto& ml = *model.add_opset_import();
  ml.set_domain("ai.onnx.ml");
  ml.set_version(2);
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::STRING, {"N", 2}, *graph.add_input());
  DescribeAs("label", onnx::TensorProto::STRING, {"N"}, *graph.add_output());
  DescribeAs("scores", onnx::TensorProto::FLOAT, {"N", 3}, *graph.add_output());
  const std::vector<std::vector<std::string>> categories = {{"red", "green", "blue"},
                                                            {"small", "large"}};
  for (std::size_t column = 0; column < categories.size(); ++column) {
    const std::string number = std::to_string(column);
    AddIntegers("at" + number, {static_cast<std::int64_t>(column)}, {1}, graph);
    AddIntegers("s" + number, {-1, static_cast<std::int64_t>(categories[column].size())}, {2},
                graph);
    AddNode(graph, "ArrayFeatureExtractor", {"x", "at" + number}, "c" + number)
        .set_domain("ai.onnx.ml");
    onnx::NodeProto& encoder = AddNode(graph, "OneHotEncoder", {"c" + number}, "h" + number);
    encoder.set_domain("ai.onnx.ml");
    AddStrings("cats_strings", categories[column], encoder);
    AddInt("zeros", 0, encoder);
    AddNode(graph, "Reshape", {"h" + number, "s" + number}, "f" + number);
  }
  AddInt("axis", 1, AddNode(graph, "Concat", {"f0", "f1"}, "f"));
  AddWeights("w", {5, 3}, graph);
  AddNode(graph, "MatMul", {"f", "w"}, "m");
  AddInt("axis", 1, AddNode(graph, "Softmax", {"m"}, "scores"));
  onnx::NodeProto& best = AddNode(graph, "ArgMax", {"scores"}, "best");
  AddInt("axis", 1, best);
  AddInt("keepdims", 0, best);
  onnx::NodeProto& label = AddNode(graph, "LabelEncoder", {"best"}, "label");
  label.set_domain("ai.onnx.ml");
  AddInts("keys_int64s", {0, 1, 2}, label);
  AddStrings("values_strings", {"stop", "go", "wait"}, label);
  return model;
}

// The sizes of a split are an input's values: x [N,8], sizes [3] -> a sequence of parts -> the
// second one y.
inline onnx::ModelProto SplitSizesModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  DescribeAs("x", onnx::TensorProto::FLOAT, {"N", 8}, *graph.add_input());
  DescribeAs("sizes", onnx::TensorProto::INT64, {3}, *graph.add_input());
  DescribeAs("y", onnx::TensorProto::FLOAT, {"N", "part"}, *graph.add_output());
  AddIntegers("second", {1}, {}, graph);
  AddInt("axis", -1, AddNode(graph, "SplitToSequence", {"x", "sizes"}, "parts"));
  AddNode(graph, "SequenceAt", {"parts", "second"}, "part");
  AddNode(graph, "Neg", {"part"}, "y");
  return model;
}

// All of the above whose answer depends on their inputs alone.
inline std::vector<OddModel> OddModels() {
  return {{"FreeSize", FreeSizeModel()},
          {"Token", TokenModel()},
          {"BatchSecond", BatchSecondModel()},
          {"WronglyDeclared", WronglyDeclaredModel()},
          {"StaleShapes", StaleShapesModel()},
          {"FrozenBatch", FrozenBatchModel()},
          {"HalfInside", HalfInsideModel()},
          {"HalfTranspose", HalfTransposeModel()},
          {"Sequence", SequenceModel()},
          {"Sparse", SparseModel()},
          {"Vector", VectorModel()},
          {"Count", CountModel()},
          {"NonZero", NonZeroModel()},
          {"UnusedInput", UnusedInputModel()},
          {"ConstantOutput", ConstantOutputModel()},
          {"Quantized", QuantizedModel()},
          {"MapOutput", MapOutputModel()},
          {"Text", TextModel()},
          {"StopWords", StopWordsModel()},
          {"Category", CategoryModel()},
          {"SplitSizes", SplitSizesModel()}};
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_SUPPORT_ODD_MODELS_H_
