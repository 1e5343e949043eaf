#include "model/scorer_graph.h"

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <initializer_list>
#include <span>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::int64_t kIrVersion = 8;
constexpr std::int64_t kOpset = 13;

using Sizes = std::initializer_list<std::int64_t>;

absl::Status CheckSize(absl::string_view field, const std::vector<float>& values,
                       std::int64_t expected) {
  return CheckCount(absl::StrCat("scorer: ", field), values.size(),
                    static_cast<std::size_t>(expected));
}

absl::Status CheckPositive(absl::string_view field, std::int64_t value) {
  if (value >= 1) return absl::OkStatus();
  return FieldError(absl::StrCat("scorer: ", field), value, "at least 1");
}

// Transposes rows x columns to columns x rows, in which MatMul wants a layer's weights.
std::vector<float> Transposed(const std::vector<float>& values, std::int64_t rows,
                              std::int64_t columns) {
  std::vector<float> out(values.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      out[static_cast<std::size_t>(c * rows + r)] =
          values[static_cast<std::size_t>(r * columns + c)];
    }
  }
  return out;
}

class Builder {
 public:
  explicit Builder(absl::string_view name) {
    model_.set_ir_version(kIrVersion);
    model_.set_producer_name("cleave");
    model_.add_opset_import()->set_version(kOpset);
    graph().set_name(std::string(name));
  }

  onnx::GraphProto& graph() { return *model_.mutable_graph(); }
  onnx::ModelProto& model() { return model_; }

  std::string Input(const std::string& name, Sizes shape) {
    Declare(name, shape, *graph().add_input());
    return name;
  }
  void Output(const std::string& name, Sizes shape) { Declare(name, shape, *graph().add_output()); }

  std::string Constant(const std::string& name, Sizes shape, std::span<const float> values) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t size : shape) tensor.add_dims(size);
    // The bytes are little-endian, as this machine is.
    tensor.set_raw_data(values.data(), values.size_bytes());
    return name;
  }
  std::string Scalar(const std::string& name, float value) {
    return Constant(name, {}, std::span(&value, 1));
  }
  std::string Axis(const std::string& name, std::int64_t axis) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_dims(1);
    tensor.add_int64_data(axis);
    return name;
  }

  std::string Op(const char* op, const std::string& output,
                 std::initializer_list<std::string> inputs) {
    onnx::NodeProto& node = *graph().add_node();
    node.set_op_type(op);
    node.set_name(output);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return output;
  }

 private:
  static void Declare(const std::string& name, Sizes shape, onnx::ValueInfoProto& out) {
    out.set_name(name);
    auto& tensor = *out.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t size : shape) tensor.mutable_shape()->add_dim()->set_dim_value(size);
  }

  onnx::ModelProto model_;
};

std::string Normalize(Builder& b, const std::string& input, const std::vector<float>& mean,
                      const std::vector<float>& scale) {
  const auto width = static_cast<std::int64_t>(mean.size());
  const std::string centred =
      b.Op("Sub", input + "_centred", {input, b.Constant(input + "_mean", {width}, mean)});
  const std::string scaled =
      b.Op("Mul", input + "_scaled", {centred, b.Constant(input + "_scale", {width}, scale)});
  return b.Op("Clip", input + "_normal", {scaled, "least", "most"});
}

void Write(Builder& b, const ScorerWeights& w) {
  const std::int64_t states = w.state_features;
  const std::int64_t features = w.plan_features;
  const std::int64_t plans = w.plans;
  const std::string state = b.Input("state", {1, states});
  const std::string rows = b.Input("plans", {1, plans, features});
  const std::string valid = b.Input("valid", {1, plans});
  b.Scalar("least", -w.limit);
  b.Scalar("most", w.limit);

  const std::string of_state = b.Op(
      "MatMul", "of_state",
      {Normalize(b, state, w.state_mean, w.state_scale),
       b.Constant("from_state", {states, w.hidden}, Transposed(w.from_state, w.hidden, states))});
  const std::string of_plans = b.Op(
      "MatMul", "of_plans",
      {Normalize(b, rows, w.plan_mean, w.plan_scale),
       b.Constant("from_plan", {features, w.hidden}, Transposed(w.from_plan, w.hidden, features))});
  // [A, H] + [1, H]: the state's part is added to each plan's bias only once.
  const std::string bias =
      b.Op("Add", "bias", {b.Constant("plan_bias", {plans, w.hidden}, w.plan_bias), of_state});
  const std::string hidden = b.Op("Relu", "hidden", {b.Op("Add", "sum", {of_plans, bias})});

  const std::string inner =
      b.Op("MatMul", "inner_product",
           {hidden, b.Constant("inner", {w.hidden, w.inner_hidden},
                               Transposed(w.inner, w.inner_hidden, w.hidden))});
  const std::string inner_hidden =
      b.Op("Relu", "inner_hidden",
           {b.Op("Add", "inner_sum",
                 {inner, b.Constant("inner_bias", {w.inner_hidden}, w.inner_bias)})});
  const std::string product =
      b.Op("MatMul", "output_product",
           {inner_hidden, b.Constant("output", {w.inner_hidden, 1}, w.output)});
  const std::string score =
      b.Op("Add", "score", {product, b.Constant("output_bias", {1}, w.output_bias)});

  const std::string flat = b.Op("Squeeze", "flat", {score, b.Axis("last_axis", 2)});
  const std::string lacking = b.Op("Sub", "lacking", {valid, b.Scalar("one", 1)});
  const std::string penalty =
      b.Op("Mul", "penalty", {lacking, b.Scalar("invalid_penalty", kInvalidPenalty)});
  b.Op("Add", "scores", {flat, penalty});
  b.Output("scores", {1, plans});
}

}  // namespace

absl::Status ScorerWeights::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckPositive("state_features", state_features));
  CLEAVE_RETURN_IF_ERROR(CheckPositive("plan_features", plan_features));
  CLEAVE_RETURN_IF_ERROR(CheckPositive("plans", plans));
  CLEAVE_RETURN_IF_ERROR(CheckPositive("hidden", hidden));
  CLEAVE_RETURN_IF_ERROR(CheckPositive("inner_hidden", inner_hidden));
  CLEAVE_RETURN_IF_ERROR(CheckSize("state_mean", state_mean, state_features));
  CLEAVE_RETURN_IF_ERROR(CheckSize("state_scale", state_scale, state_features));
  CLEAVE_RETURN_IF_ERROR(CheckSize("plan_mean", plan_mean, plan_features));
  CLEAVE_RETURN_IF_ERROR(CheckSize("plan_scale", plan_scale, plan_features));
  CLEAVE_RETURN_IF_ERROR(CheckSize("from_state", from_state, hidden * state_features));
  CLEAVE_RETURN_IF_ERROR(CheckSize("from_plan", from_plan, hidden * plan_features));
  CLEAVE_RETURN_IF_ERROR(CheckSize("plan_bias", plan_bias, plans * hidden));
  CLEAVE_RETURN_IF_ERROR(CheckSize("inner", inner, inner_hidden * hidden));
  CLEAVE_RETURN_IF_ERROR(CheckSize("inner_bias", inner_bias, inner_hidden));
  CLEAVE_RETURN_IF_ERROR(CheckSize("output", output, inner_hidden));
  return CheckSize("output_bias", output_bias, 1);
}

absl::StatusOr<std::string> ScorerGraph(
    absl::string_view name, const ScorerWeights& weights,
    const std::vector<std::pair<std::string, std::string>>& metadata) {
  CLEAVE_RETURN_IF_ERROR(weights.Validate());
  Builder builder(name);
  Write(builder, weights);
  for (const auto& [key, value] : metadata) {
    onnx::StringStringEntryProto& entry = *builder.model().add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  std::string bytes;
  if (!builder.model().SerializeToString(&bytes)) {
    return absl::ResourceExhaustedError(absl::StrCat(name, ": a model of more than 2 GiB"));
  }
  return bytes;
}

}  // namespace cleave
