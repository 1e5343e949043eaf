#include "learn/torch_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "core/file.h"
#include "learn/torch_operators.h"
#include "runtime/chain.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using testing::AddNode;
using ::testing::AllOf;
using testing::Describe;
using testing::EmptyModel;
using ::testing::HasSubstr;
using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;

// Rounding in another order differs by so much of the largest value.
constexpr double kTolerance = 2e-5;

Tensor Random(const Shape& shape, std::uint32_t seed, float low = -1, float high = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> between(low, high);
  Floats values(static_cast<std::size_t>(*ElementCount(shape)));
  for (float& value : values) value = between(random);
  return *Tensor::FromFloats(shape, std::move(values));
}

// A model of one node whose first input is "x"; the others are weights.
class OneNode {
 public:
  OneNode(const std::string& type, Shape shape, std::int64_t opset = 13)
      : type_(type), input_(Random(shape, 1)), model_(EmptyModel()) {
    model_.mutable_opset_import(0)->set_version(opset);
    Describe("x", shape, *graph().add_input());
    node_ = &AddNode(graph(), type, {"x"}, "y");
    graph().add_output()->set_name("y");
  }

  OneNode& Positive() {
    input_ = Random(input_.shape(), 1, 0.1F, 2);
    return *this;
  }
  OneNode& WithInt(const std::string& name, std::int64_t value) {
    onnx::AttributeProto& attribute = Attribute(name, onnx::AttributeProto::INT);
    attribute.set_i(value);
    return *this;
  }
  OneNode& WithFloat(const std::string& name, float value) {
    Attribute(name, onnx::AttributeProto::FLOAT).set_f(value);
    return *this;
  }
  OneNode& WithText(const std::string& name, const std::string& value) {
    Attribute(name, onnx::AttributeProto::STRING).set_s(value);
    return *this;
  }
  OneNode& WithInts(const std::string& name, const Ints& values) {
    onnx::AttributeProto& attribute = Attribute(name, onnx::AttributeProto::INTS);
    for (const std::int64_t value : values) attribute.add_ints(value);
    return *this;
  }
  OneNode& WithFloats(const std::string& name, const Floats& values) {
    onnx::AttributeProto& attribute = Attribute(name, onnx::AttributeProto::FLOATS);
    for (const float value : values) attribute.add_floats(value);
    return *this;
  }
  OneNode& Weights(const Tensor& weights) {
    const Shape& shape = weights.shape();
    onnx::TensorProto& tensor = Initializer(shape, onnx::TensorProto::FLOAT);
    for (const float value : weights.floats()) tensor.add_float_data(value);
    return *this;
  }
  OneNode& Weights(const Shape& shape) {
    return Weights(Random(shape, static_cast<std::uint32_t>(node_->input_size()) + 7));
  }
  OneNode& Numbers(const Ints& values) {
    onnx::TensorProto& tensor =
        Initializer({static_cast<std::int64_t>(values.size())}, onnx::TensorProto::INT64);
    for (const std::int64_t value : values) tensor.add_int64_data(value);
    return *this;
  }
  OneNode& LeftOut() {
    node_->add_input("");
    return *this;
  }
  OneNode& Outputs(int count) {
    for (int i = 1; i < count; ++i) {
      const std::string name = "y" + std::to_string(i);
      node_->add_output(name);
      graph().add_output()->set_name(name);
    }
    return *this;
  }

  std::string bytes() const { return model_.SerializeAsString(); }
  const Tensor& input() const { return input_; }
  const std::string& type() const { return type_; }

 private:
  onnx::GraphProto& graph() { return *model_.mutable_graph(); }
  onnx::AttributeProto& Attribute(const std::string& name,
                                  onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto& attribute = *node_->add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  }
  onnx::TensorProto& Initializer(const Shape& shape, onnx::TensorProto::DataType type) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name("w" + std::to_string(node_->input_size()));
    tensor.set_data_type(type);
    for (const std::int64_t size : shape) tensor.add_dims(size);
    node_->add_input(tensor.name());
    return tensor;
  }

  std::string type_;
  Tensor input_;
  onnx::ModelProto model_;
  onnx::NodeProto* node_ = nullptr;
};

void ExpectSame(const OneNode& node) {
  const auto errors = CompareWithRuntime(node.bytes(), "", {{"x", node.input()}});
  ASSERT_TRUE(errors.ok()) << node.type() << ": " << errors.status();
  ASSERT_FALSE(errors->empty()) << node.type();
  for (const NodeError& error : *errors) {
    EXPECT_LE(error.relative, kTolerance) << node.type() << " " << error.tensor;
  }
}

TEST(TorchGraphTest, ActivationsAreThoseOfOnnxRuntime) {
  const Shape shape = {2, 3, 4, 5};
  for (const char* type :
       {"Relu", "LeakyRelu", "Elu", "Sigmoid", "HardSigmoid", "Tanh", "Softplus", "Softmax",
        "LogSoftmax", "Exp", "Neg", "Abs", "Erf", "Identity", "Dropout", "Floor"}) {
    ExpectSame(OneNode(type, shape));
  }
  for (const char* type : {"Sqrt", "Log", "Reciprocal"})
    ExpectSame(OneNode(type, shape).Positive());
  ExpectSame(OneNode("HardSwish", shape, 14));
  ExpectSame(OneNode("LeakyRelu", shape).WithFloat("alpha", 0.1F));
  ExpectSame(OneNode("Elu", shape).WithFloat("alpha", 0.7F));
  ExpectSame(OneNode("HardSigmoid", shape).WithFloat("alpha", 1.0F / 6).WithFloat("beta", 0.4F));
  ExpectSame(OneNode("PRelu", shape).Weights({3, 1, 1}));
  ExpectSame(OneNode("Softmax", shape).WithInt("axis", 1));
  ExpectSame(OneNode("Softmax", shape, 11).WithInt("axis", 2));
  ExpectSame(OneNode("LogSoftmax", shape, 11));
  ExpectSame(OneNode("Clip", shape, 6).WithFloat("min", -0.2F).WithFloat("max", 0.5F));
  ExpectSame(OneNode("Clip", shape)
                 .Weights(*Tensor::FromFloats({}, {-0.3F}))
                 .Weights(*Tensor::FromFloats({}, {0.4F})));
  ExpectSame(OneNode("Clip", shape).LeftOut().Weights(*Tensor::FromFloats({}, {0.1F})));
  ExpectSame(OneNode("Cast", shape).WithInt("to", 1));
}

TEST(TorchGraphTest, ArithmeticBroadcasts) {
  const Shape shape = {2, 3, 4, 5};
  for (const char* type : {"Add", "Sub", "Mul", "Div", "Min", "Max", "Sum"}) {
    ExpectSame(OneNode(type, shape).Weights({3, 1, 5}));
  }
  ExpectSame(OneNode("Pow", shape).Positive().Weights(*Tensor::FromFloats({}, {1.7F})));
}

TEST(TorchGraphTest, ConvolutionsAreThoseOfOnnxRuntime) {
  const Shape shape = {2, 4, 9, 8};
  ExpectSame(OneNode("Conv", shape).Weights({6, 4, 3, 3}));
  ExpectSame(
      OneNode("Conv", shape).Weights({6, 4, 3, 3}).Weights({6}).WithInts("pads", {1, 0, 2, 1}));
  ExpectSame(OneNode("Conv", shape)
                 .Weights({6, 2, 3, 2})
                 .WithInt("group", 2)
                 .WithInts("strides", {2, 1})
                 .WithInts("pads", {1, 1, 1, 1}));
  ExpectSame(OneNode("Conv", shape)
                 .Weights({4, 1, 3, 3})
                 .WithInt("group", 4)
                 .WithInts("dilations", {2, 1})
                 .WithInts("pads", {2, 1, 2, 1}));
  for (const char* automatic : {"SAME_UPPER", "SAME_LOWER", "VALID"}) {
    ExpectSame(OneNode("Conv", shape)
                   .Weights({5, 4, 4, 3})
                   .WithInts("strides", {2, 3})
                   .WithText("auto_pad", automatic));
  }
  ExpectSame(OneNode("Conv", {2, 4, 9}).Weights({6, 4, 3}).WithInts("pads", {1, 1}));
}

TEST(TorchGraphTest, TransposedConvolutionsAreThoseOfOnnxRuntime) {
  const Shape shape = {2, 4, 5, 6};
  ExpectSame(OneNode("ConvTranspose", shape).Weights({4, 3, 3, 3}));
  ExpectSame(OneNode("ConvTranspose", shape)
                 .Weights({4, 3, 4, 4})
                 .Weights({3})
                 .WithInts("strides", {2, 2})
                 .WithInts("pads", {1, 1, 1, 1}));
  ExpectSame(OneNode("ConvTranspose", shape)
                 .Weights({4, 2, 3, 3})
                 .WithInt("group", 2)
                 .WithInts("strides", {2, 2})
                 .WithInts("pads", {1, 0, 1, 1})
                 .WithInts("output_padding", {1, 1}));
}

TEST(TorchGraphTest, PoolsAreThoseOfOnnxRuntime) {
  const Shape shape = {2, 3, 8, 9};
  ExpectSame(OneNode("GlobalAveragePool", shape));
  ExpectSame(OneNode("GlobalMaxPool", shape));
  for (const char* type : {"MaxPool", "AveragePool"}) {
    ExpectSame(OneNode(type, shape).WithInts("kernel_shape", {2, 3}).WithInts("strides", {2, 2}));
    for (const std::int64_t ceil : {0, 1}) {
      ExpectSame(OneNode(type, shape)
                     .WithInts("kernel_shape", {3, 3})
                     .WithInts("strides", {2, 2})
                     .WithInts("pads", {1, 1, 1, 1})
                     .WithInt("ceil_mode", ceil));
    }
    ExpectSame(OneNode(type, shape)
                   .WithInts("kernel_shape", {3, 2})
                   .WithInts("strides", {2, 2})
                   .WithText("auto_pad", "SAME_UPPER"));
  }
  ExpectSame(
      OneNode("MaxPool", shape).WithInts("kernel_shape", {3, 3}).WithInts("dilations", {2, 1}));
  ExpectSame(OneNode("AveragePool", shape)
                 .WithInts("kernel_shape", {3, 3})
                 .WithInts("pads", {1, 1, 1, 1})
                 .WithInt("count_include_pad", 1));
}

TEST(TorchGraphTest, NormsAndProductsAreThoseOfOnnxRuntime) {
  const Shape shape = {2, 3, 4, 5};
  ExpectSame(OneNode("BatchNormalization", shape)
                 .Weights({3})
                 .Weights({3})
                 .Weights({3})
                 .Weights(Random({3}, 5, 0.2F, 2))
                 .WithFloat("epsilon", 1e-3F));
  ExpectSame(OneNode("InstanceNormalization", shape).Weights({3}).Weights({3}));
  ExpectSame(OneNode("LayerNormalization", shape, 17).Weights({5}).Weights({5}));
  ExpectSame(OneNode("LayerNormalization", shape, 17).Weights({4, 5}).WithInt("axis", 2));
  ExpectSame(OneNode("MatMul", shape).Weights({5, 6}));
  ExpectSame(OneNode("Gemm", {2, 5}).Weights({5, 6}).Weights({6}));
  ExpectSame(OneNode("Gemm", {5, 2})
                 .Weights({6, 5})
                 .Weights({2, 6})
                 .WithInt("transA", 1)
                 .WithInt("transB", 1)
                 .WithFloat("alpha", 0.5F)
                 .WithFloat("beta", 2));
}

TEST(TorchGraphTest, ShapesAreThoseOfOnnxRuntime) {
  const Shape shape = {2, 4, 6, 5};
  ExpectSame(OneNode("Concat", shape).Weights({2, 1, 6, 5}).WithInt("axis", 1));
  ExpectSame(OneNode("Split", shape).Numbers({1, 3}).WithInt("axis", 1).Outputs(2));
  ExpectSame(OneNode("Split", shape, 11).WithInts("split", {4, 2}).WithInt("axis", -2).Outputs(2));
  ExpectSame(OneNode("Split", shape).WithInt("axis", 2).Outputs(3));
  ExpectSame(OneNode("Slice", shape).Numbers({1, 0}).Numbers({3, -1}).Numbers({1, 3}));
  ExpectSame(OneNode("Slice", shape).Numbers({-1}).Numbers({-100}).Numbers({2}).Numbers({-2}));
  ExpectSame(OneNode("Slice", shape, 9)
                 .WithInts("starts", {1})
                 .WithInts("ends", {4})
                 .WithInts("axes", {2}));
  ExpectSame(OneNode("Reshape", shape).Numbers({0, -1, 10}));
  ExpectSame(OneNode("Flatten", shape));
  ExpectSame(OneNode("Flatten", shape).WithInt("axis", 2));
  ExpectSame(OneNode("Transpose", shape));
  ExpectSame(OneNode("Transpose", shape).WithInts("perm", {0, 2, 3, 1}));
  ExpectSame(OneNode("Squeeze", {2, 1, 3, 1}).Numbers({-1}));
  ExpectSame(OneNode("Squeeze", {2, 1, 3, 1}));
  ExpectSame(OneNode("Squeeze", {2, 1, 3, 1}, 11).WithInts("axes", {1, 3}));
  ExpectSame(OneNode("Unsqueeze", {2, 3}).Numbers({0, -1}));
  ExpectSame(OneNode("Unsqueeze", {2, 3}, 11).WithInts("axes", {1}));
  ExpectSame(OneNode("Expand", {2, 1, 3}).Numbers({2, 4, 1}));
  ExpectSame(OneNode("Tile", {2, 3}).Numbers({2, 2}));
  ExpectSame(OneNode("Gather", shape).Numbers({2, -1}).WithInt("axis", 1));
  ExpectSame(OneNode("DepthToSpace", shape).WithInt("blocksize", 2));
  ExpectSame(OneNode("DepthToSpace", shape).WithInt("blocksize", 2).WithText("mode", "CRD"));
  ExpectSame(OneNode("Pad", shape).Numbers({0, 0, 1, 2, 0, 1, 0, 3}));
  ExpectSame(
      OneNode("Pad", shape, 2).WithInts("pads", {0, 0, 1, 2, 0, 0, 0, 3}).WithFloat("value", 0.5F));
  for (const char* mode : {"reflect", "edge"}) {
    ExpectSame(OneNode("Pad", shape).Numbers({0, 0, 1, 2, 0, 0, 2, 3}).WithText("mode", mode));
  }
  for (const char* type : {"ReduceMean", "ReduceMax", "ReduceL2"}) {
    ExpectSame(OneNode(type, shape).WithInts("axes", {2, -1}));
    ExpectSame(OneNode(type, shape).WithInts("axes", {1}).WithInt("keepdims", 0));
    ExpectSame(OneNode(type, shape));
  }
  ExpectSame(OneNode("ReduceSum", shape).Numbers({1, 2}));
}

TEST(TorchGraphTest, ResizesAreThoseOfOnnxRuntime) {
  const Shape shape = {2, 3, 5, 6};
  const Tensor scales = *Tensor::FromFloats({4}, {1, 1, 2, 1.5F});
  for (const char* coordinates :
       {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"}) {
    ExpectSame(OneNode("Resize", shape)
                   .LeftOut()
                   .Weights(scales)
                   .WithText("mode", "linear")
                   .WithText("coordinate_transformation_mode", coordinates));
    ExpectSame(OneNode("Resize", shape)
                   .LeftOut()
                   .LeftOut()
                   .Numbers({2, 3, 3, 9})
                   .WithText("mode", "linear")
                   .WithText("coordinate_transformation_mode", coordinates));
  }
  for (const char* nearest : {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"}) {
    for (const char* coordinates : {"half_pixel", "asymmetric"}) {
      ExpectSame(OneNode("Resize", shape)
                     .LeftOut()
                     .Weights(scales)
                     .WithText("nearest_mode", nearest)
                     .WithText("coordinate_transformation_mode", coordinates));
    }
  }
  ExpectSame(OneNode("Resize", shape, 10).Weights(scales));
  ExpectSame(OneNode("Upsample", shape, 9).Weights(scales).WithText("mode", "linear"));
  ExpectSame(OneNode("Upsample", shape, 7).WithFloats("scales", {1, 1, 2, 2}));
}

TEST(TorchGraphTest, ShapesThatAreComputedAreFollowed) {
  // y = x as [batch, all the rest], by Shape, Gather, Unsqueeze and Concat.
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {2, 3, 4}, *graph.add_input());
  graph.add_output()->set_name("y");
  const auto number = [&](const std::string& name, const Ints& dims, std::int64_t value) {
    onnx::TensorProto& tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    for (const std::int64_t size : dims) tensor.add_dims(size);
    tensor.add_int64_data(value);
  };
  number("zero", {}, 0);
  number("axis", {1}, 0);
  number("rest", {1}, -1);
  AddNode(graph, "Shape", {"x"}, "s");
  AddNode(graph, "Gather", {"s", "zero"}, "g");
  AddNode(graph, "Unsqueeze", {"g", "axis"}, "u");
  AddNode(graph, "Concat", {"u", "rest"}, "c").add_attribute()->set_name("axis");
  graph.mutable_node(3)->mutable_attribute(0)->set_type(onnx::AttributeProto::INT);
  AddNode(graph, "Reshape", {"x", "c"}, "y");
  const auto errors =
      CompareWithRuntime(model.SerializeAsString(), "", {{"x", Random({2, 3, 4}, 1)}});
  ASSERT_TRUE(errors.ok()) << errors.status();
  ASSERT_EQ(errors->size(), 1U);
  EXPECT_EQ(errors->front().tensor, "y");
  EXPECT_EQ(errors->front().relative, 0);
}

TEST(TorchGraphTest, TheShippedModelIsTheSameAtEveryNode) {
  const auto bytes = ReadFile(CLEAVE_MODELS_DIR "/alexnet_cifar10.onnx");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto errors = CompareWithRuntime(*bytes, "", {{"image", Random({2, 3, 32, 32}, 3)}});
  ASSERT_TRUE(errors.ok()) << errors.status();
  EXPECT_GT(errors->size(), 20U);
  for (const NodeError& error : *errors) EXPECT_LE(error.relative, kTolerance) << error.tensor;
}

TEST(TorchGraphTest, GradientsPass) {
  const auto read = ReadOperators(OneNode("Sigmoid", {1, 2}).bytes(), "", "tiny");
  ASSERT_TRUE(read.ok()) << read.status();
  const auto graph = TorchGraph::Create(*read, "tiny");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const torch::Tensor x = torch::tensor({{0.5F, -1.0F}}).requires_grad_();
  const auto y = graph->Run({{"x", x}}, graph->outputs());
  ASSERT_TRUE(y.ok()) << y.status();
  y->front().sum().backward();
  const torch::Tensor s = torch::sigmoid(x.detach());
  EXPECT_TRUE(torch::allclose(x.grad(), s * (1 - s)));
}

TEST(TorchGraphTest, OperatorsItDoesNotHaveAreRefusedByTypeAndName) {
  const auto read = ReadOperators(OneNode("NonZero", {1, 2}).bytes(), "", "tiny");
  ASSERT_TRUE(read.ok()) << read.status();
  const auto graph = TorchGraph::Create(*read, "tiny");
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(graph.status().message(), AllOf(HasSubstr("NonZero"), HasSubstr("'y_node'")));
}

TEST(TorchGraphTest, WhatAnOperatorCannotDoIsRefusedByTheNodesName) {
  const auto read = ReadOperators(OneNode("Resize", {1, 1, 2, 2})
                                      .LeftOut()
                                      .Weights(*Tensor::FromFloats({4}, {1, 1, 2, 2}))
                                      .WithText("mode", "cubic")
                                      .bytes(),
                                  "", "tiny");
  ASSERT_TRUE(read.ok()) << read.status();
  const auto graph = TorchGraph::Create(*read, "tiny");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto y = graph->Run({{"x", torch::zeros({1, 1, 2, 2})}}, graph->outputs());
  EXPECT_EQ(y.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(y.status().message(), AllOf(HasSubstr("'y_node'"), HasSubstr("mode cubic")));
}

}  // namespace
}  // namespace cleave
