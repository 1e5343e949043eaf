#include "model/insert_bottleneck.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "model/graph_impl.h"

namespace cleave {
namespace {

// From this opset on, an Add broadcasts without an attribute.
constexpr std::int64_t kLeastOpset = 7;
// Up to this IR version, every initializer is listed among the graph's inputs, too.
constexpr std::int64_t kLastIrWithWeightInputs = 3;

struct Part {
  std::string prefix;  // Of its names.
  std::string input;   // The model's tensor that it reads.
  std::string output;
};

void AppendWeights(const onnx::GraphProto& from, const std::string& prefix, bool as_inputs,
                   onnx::GraphProto& to) {
  for (const onnx::TensorProto& weights : from.initializer()) {
    onnx::TensorProto& copy = *to.add_initializer();
    copy = weights;
    copy.set_name(prefix + weights.name());
    if (!as_inputs) continue;
    onnx::ValueInfoProto& input = *to.add_input();
    input.set_name(copy.name());
    auto& type = *input.mutable_type()->mutable_tensor_type();
    type.set_elem_type(copy.data_type());
    for (const std::int64_t size : copy.dims())
      type.mutable_shape()->add_dim()->set_dim_value(size);
  }
}

// Appends the nodes and weights of a part to the model.
absl::Status Append(absl::string_view bytes, const Part& part, onnx::ModelProto& model) {
  CLEAVE_ASSIGN_OR_RETURN(const onnx::ModelProto read, ParseModel(bytes, part.prefix));
  const onnx::GraphProto& graph = read.graph();
  if (graph.input_size() != 1 || graph.output_size() != 1) {
    return FieldError(
        part.prefix,
        absl::StrCat(graph.input_size(), " inputs and ", graph.output_size(), " outputs"),
        "one of each");
  }
  CLEAVE_RETURN_IF_ERROR(RefuseExternalData(read, part.prefix));
  AppendWeights(graph, part.prefix, model.ir_version() <= kLastIrWithWeightInputs,
                *model.mutable_graph());
  const auto name_of = [&](const std::string& name) {
    if (name == graph.input(0).name()) return part.input;
    if (name == graph.output(0).name()) return part.output;
    return part.prefix + name;
  };
  for (const onnx::NodeProto& node : graph.node()) {
    onnx::NodeProto& copy = *model.mutable_graph()->add_node();
    copy = node;
    copy.set_name(part.prefix + node.name());
    for (std::string& input : *copy.mutable_input()) input = name_of(input);
    for (std::string& output : *copy.mutable_output()) output = name_of(output);
  }
  return absl::OkStatus();
}

absl::Status CheckTakesBottleneck(const onnx::ModelProto& model, const std::string& tensor,
                                  const std::string& origin) {
  const std::string what = absl::StrCat(origin, ": tensor '", tensor, "'");
  bool made = false;
  for (const onnx::NodeProto& node : model.graph().node()) {
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      if (!attribute.has_g() && attribute.graphs_size() == 0) continue;
      return FieldError(absl::StrCat(origin, ": node '", node.name(), "'"), "a subgraph",
                        "a model without any");
    }
    for (const std::string& output : node.output()) {
      made = made || output == tensor;
      if (output.starts_with("bottleneck.")) {
        return FieldError(origin, "a bottleneck", "a model that has none yet");
      }
    }
  }
  if (!made) return FieldError(what, "no node that makes it", "a tensor computed from the input");
  for (const onnx::ValueInfoProto& output : model.graph().output()) {
    if (output.name() == tensor) return FieldError(what, "an output", "a tensor before those");
  }
  for (const onnx::OperatorSetIdProto& opset : model.opset_import()) {
    const bool own = opset.domain().empty() || opset.domain() == "ai.onnx";
    if (own && opset.version() < kLeastOpset) {
      return FieldError(origin + ": opset", absl::StrCat(opset.version()),
                        absl::StrCat("at least ", kLeastOpset));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> InsertBottleneck(absl::string_view file, absl::string_view tensor,
                                             const Bottleneck& bottleneck,
                                             const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(onnx::ModelProto model, ParseModel(file, origin));
  const std::string name(tensor);
  CLEAVE_RETURN_IF_ERROR(CheckTakesBottleneck(model, name, origin));
  const std::string decoded = "bottleneck.tensor";
  const std::string latent(kLatentName);
  onnx::GraphProto before;
  before.mutable_node()->Swap(model.mutable_graph()->mutable_node());
  for (onnx::NodeProto& node : *before.mutable_node()) {
    std::replace(node.mutable_input()->begin(), node.mutable_input()->end(), name, decoded);
    const bool makes =
        std::find(node.output().begin(), node.output().end(), name) != node.output().end();
    model.mutable_graph()->add_node()->Swap(&node);
    if (!makes) continue;
    CLEAVE_RETURN_IF_ERROR(
        Append(bottleneck.encoder, {"bottleneck.encoder.", name, latent}, model));
    CLEAVE_RETURN_IF_ERROR(
        Append(bottleneck.decoder, {"bottleneck.decoder.", latent, decoded}, model));
  }
  std::string bytes;
  if (!model.SerializeToString(&bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": with its bottleneck the model has more than 2 GiB"));
  }
  return bytes;
}

}  // namespace cleave
