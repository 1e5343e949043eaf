#ifndef CLEAVE_TESTS_POLICY_POLICY_FILES_H_
#define CLEAVE_TESTS_POLICY_POLICY_FILES_H_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "policy/features.h"
#include "policy/policy_card.h"

namespace cleave::testing {

// ONNX models operator by operator, with what a policy's file has.
class ModelSketch {
 public:
  ModelSketch() {
    model.set_ir_version(8);
    model.add_opset_import()->set_version(13);
    model.mutable_graph()->set_name("policy");
  }

  static void Describe(const std::string& name, const std::vector<std::int64_t>& shape,
                       onnx::ValueInfoProto& out) {
    out.set_name(name);
    auto& tensor = *out.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t size : shape) tensor.mutable_shape()->add_dim()->set_dim_value(size);
  }

  std::string Input(const std::string& name, const std::vector<std::int64_t>& shape) {
    Describe(name, shape, *model.mutable_graph()->add_input());
    return name;
  }
  void Output(const std::string& name, const std::vector<std::int64_t>& shape) {
    Describe(name, shape, *model.mutable_graph()->add_output());
  }

  std::string Weights(const std::string& name, const std::vector<std::int64_t>& shape,
                      const std::vector<float>& values) {
    onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t size : shape) tensor.add_dims(size);
    for (const float value : values) tensor.add_float_data(value);
    return name;
  }
  std::string Shape(const std::string& name, const std::vector<std::int64_t>& shape) {
    onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_dims(static_cast<std::int64_t>(shape.size()));
    for (const std::int64_t size : shape) tensor.add_int64_data(size);
    return name;
  }

  std::string Op(const std::string& type, const std::string& output,
                 const std::vector<std::string>& inputs) {
    onnx::NodeProto& node = *model.mutable_graph()->add_node();
    node.set_op_type(type);
    node.set_name(output);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return output;
  }

  void Metadata(const std::string& key, const std::string& value) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }

  std::string Bytes() const { return model.SerializeAsString(); }

  onnx::ModelProto model;
};

inline std::int64_t StateWidth() { return static_cast<std::int64_t>(StateFeatureNames().size()); }
inline std::int64_t PlanWidth() { return static_cast<std::int64_t>(PlanFeatureNames().size()); }

// A card that finds every observation familiar.
inline PolicyCard CardFor(const std::vector<Plan>& plans, const std::string& model_digest) {
  PolicyCard card;
  card.feature_version = kFeatureVersion;
  card.algorithm = Algorithm::kSacd;
  card.model_digest = model_digest;
  card.plans = plans;
  card.state_low.assign(StateFeatureNames().size(), -kMaxFeature);
  card.state_high.assign(StateFeatureNames().size(), kMaxFeature);
  card.environment = "test.toml";
  return card;
}

// The inputs that every policy has; inputs that nothing reads are no fault.
inline ModelSketch SketchFor(const PolicyCard& card) {
  const auto plans = static_cast<std::int64_t>(card.plans.size());
  ModelSketch sketch;
  sketch.Input("state", {1, StateWidth()});
  sketch.Input("plans", {1, plans, PlanWidth()});
  sketch.Input("valid", {1, plans});
  sketch.Metadata(kPolicyCardKey, card.ToJson());
  return sketch;
}

// scores = the weighted sum of each plan's features.
inline std::string LinearPolicy(const PolicyCard& card, const std::vector<float>& weights) {
  const auto plans = static_cast<std::int64_t>(card.plans.size());
  ModelSketch sketch = SketchFor(card);
  sketch.Weights("weights", {PlanWidth(), 1}, weights);
  sketch.Op("MatMul", "column", {"plans", "weights"});
  sketch.Op("Reshape", "scores", {"column", sketch.Shape("row", {1, plans})});
  sketch.Output("scores", {1, plans});
  return sketch.Bytes();
}

// scores = these, whatever is observed.
inline std::string ConstantPolicy(const PolicyCard& card, const std::vector<float>& scores) {
  const auto plans = static_cast<std::int64_t>(card.plans.size());
  ModelSketch sketch = SketchFor(card);
  sketch.Op("Identity", "scores", {sketch.Weights("fixed", {1, plans}, scores)});
  sketch.Output("scores", {1, plans});
  return sketch.Bytes();
}

// A network of two hidden layers over normalized features, the state's share computed once: the
// form and size of what `cleave train policy` writes. The weights are drawn.
inline std::string DrawnPolicy(const PolicyCard& card, std::int64_t hidden, unsigned seed) {
  std::mt19937 random(seed);
  const auto draw = [&random](std::int64_t count, float scale) {
    std::normal_distribution<float> normal(0, scale);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = normal(random);
    return values;
  };
  const auto plans = static_cast<std::int64_t>(card.plans.size());
  ModelSketch s = SketchFor(card);
  s.Weights("least", {}, {-10});
  s.Weights("most", {}, {10});
  const auto normal = [&](const std::string& input, std::int64_t width) {
    s.Op("Sub", input + "_centred", {input, s.Weights(input + "_mean", {width}, draw(width, 1))});
    s.Op("Mul", input + "_scaled",
         {input + "_centred", s.Weights(input + "_scale", {width}, draw(width, 1))});
    return s.Op("Clip", input + "_normal", {input + "_scaled", "least", "most"});
  };
  s.Op("MatMul", "of_state",
       {normal("state", StateWidth()),
        s.Weights("from_state", {StateWidth(), hidden}, draw(StateWidth() * hidden, 0.2F))});
  s.Op("MatMul", "of_plans",
       {normal("plans", PlanWidth()),
        s.Weights("from_plan", {PlanWidth(), hidden}, draw(PlanWidth() * hidden, 0.2F))});
  s.Op("Add", "bias",
       {s.Weights("plan_bias", {plans, hidden}, draw(plans * hidden, 0.1F)), "of_state"});
  s.Op("Relu", "hidden", {s.Op("Add", "sum", {"of_plans", "bias"})});
  s.Op("MatMul", "inner_product",
       {"hidden", s.Weights("inner", {hidden, hidden}, draw(hidden * hidden, 0.2F))});
  s.Op("Add", "inner_sum",
       {"inner_product", s.Weights("inner_bias", {hidden}, draw(hidden, 0.1F))});
  s.Op("Relu", "inner_hidden", {"inner_sum"});
  s.Op("MatMul", "column", {"inner_hidden", s.Weights("output", {hidden, 1}, draw(hidden, 0.2F))});
  s.Op("Squeeze", "flat", {"column", s.Shape("axis", {2})});
  s.Op("Sub", "lacking", {"valid", s.Weights("one", {}, {1})});
  s.Op("Mul", "penalty", {"lacking", s.Weights("much", {}, {1e9F})});
  s.Op("Add", "scores", {"flat", "penalty"});
  s.Output("scores", {1, plans});
  return s.Bytes();
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_POLICY_POLICY_FILES_H_
