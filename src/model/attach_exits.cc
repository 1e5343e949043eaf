#include "model/attach_exits.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "model/graph_impl.h"

namespace cleave {
namespace {

constexpr std::size_t kLeastRank = 2;
constexpr std::size_t kMostRank = 4;
// The model's own exit counts, too; each exit costs those who load it memory.
constexpr std::size_t kMaxExits = 64;
// From this opset on, ReduceMean takes its axes as an input, no longer as an attribute.
constexpr std::int64_t kReduceMeanByInput = 18;
// Up to this IR version, every initializer is listed among the graph's inputs, too.
constexpr std::int64_t kLastIrWithWeightInputs = 3;

// Says whether the head of the cut computes the model's first output.
bool ReachesOutput(const Graph& graph, const CutTable& table, const CutInfo& cut) {
  const int output = graph.output_ids().front();
  return std::any_of(
      table.order.begin(), table.order.begin() + cut.cut.prefix_nodes, [&](int node) {
        const std::vector<int>& outputs = graph.nodes()[static_cast<std::size_t>(node)].outputs;
        return std::find(outputs.begin(), outputs.end(), output) != outputs.end();
      });
}

std::string SpecText(const TensorSpec& tensor) {
  return absl::StrCat("'", tensor.name, "' of ", DataTypeName(tensor.dtype), " ",
                      ShapeString(tensor.shape));
}

absl::StatusOr<ExitPlace> FindPlace(const Graph& graph, const CutTable& table, int index) {
  const std::string what = absl::StrCat(graph.origin(), ": cut ", index);
  const int last = static_cast<int>(table.cuts.size()) - 1;
  if (index < 1 || index >= last) {
    return FieldError(what,
                      index == 0 || index == last ? "the model's input or output" : "no such cut",
                      absl::StrCat("1 to ", last - 1, " (cleave inspect --cuts all)"));
  }
  const CutInfo& cut = table.cuts[static_cast<std::size_t>(index)];
  if (cut.tensors.size() != 1) {
    return FieldError(what, absl::StrCat(cut.tensors.size(), " tensors"), "one");
  }
  if (ReachesOutput(graph, table, cut)) {
    return FieldError(
        what, absl::StrCat("a place behind the output '", graph.outputs().front().name, "'"),
        "one before it, as it is the last exit");
  }
  const TensorSpec& tensor = cut.tensors.front();
  const std::size_t rank = tensor.shape.size();
  if (tensor.dtype != DataType::kFloat32 || rank < kLeastRank || rank > kMostRank) {
    return FieldError(what, SpecText(tensor), "FP32 of 2, 3 or 4 dimensions");
  }
  if (tensor.shape.front() != table.batch) {
    return FieldError(what, SpecText(tensor), absl::StrCat("the batch, ", table.batch, ", first"));
  }
  return ExitPlace{index, tensor};
}

void CollectNames(const onnx::GraphProto& graph, std::set<std::string>& names) {
  for (const auto& info : graph.input()) names.insert(info.name());
  for (const auto& info : graph.output()) names.insert(info.name());
  for (const auto& info : graph.value_info()) names.insert(info.name());
  for (const auto& tensor : graph.initializer()) names.insert(tensor.name());
  for (const auto& tensor : graph.sparse_initializer()) names.insert(tensor.values().name());
  for (const onnx::NodeProto& node : graph.node()) {
    names.insert(node.name());
    names.insert(node.output().begin(), node.output().end());
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) CollectNames(attribute.g(), names);
      for (const auto& subgraph : attribute.graphs()) CollectNames(subgraph, names);
    }
  }
}

// Appends heads to a model.
class Attacher {
 public:
  explicit Attacher(onnx::ModelProto& model) : model_(model), graph_(*model.mutable_graph()) {
    CollectNames(graph_, taken_);
    for (const auto& opset : model.opset_import()) {
      if (opset.domain().empty() || opset.domain() == "ai.onnx") opset_ = opset.version();
    }
  }

  // Returns the name of the head's output.
  std::string Attach(const ExitHead& head, int number) {
    std::string exit = Free(absl::StrCat("exit", number));
    const std::string pooled = Pool(head, exit);
    const auto features = static_cast<std::int64_t>(head.weights.size()) / head.classes;
    const std::string weights = AddFloats(exit + ".weight", {head.classes, features}, head.weights);
    const std::string bias = AddFloats(exit + ".bias", {head.classes}, head.bias);
    onnx::NodeProto& gemm = AddNode("Gemm", exit, {pooled, weights, bias});
    AddInt(gemm, "transB", 1);
    return exit;
  }

  // The batch dimension gets the name that it has in `input`, an input of the model.
  void Describe(const std::string& exit, std::int64_t classes, const std::string& input,
                onnx::ValueInfoProto& out) const {
    out.set_name(exit);
    auto& type = *out.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    *type.mutable_shape()->add_dim() = FirstDimension(input);
    type.mutable_shape()->add_dim()->set_dim_value(classes);
  }

 private:
  onnx::TensorShapeProto::Dimension FirstDimension(const std::string& input) const {
    for (const onnx::ValueInfoProto& info : graph_.input()) {
      if (info.name() != input) continue;
      const auto& shape = info.type().tensor_type().shape();
      if (shape.dim_size() > 0) return shape.dim(0);
    }
    return {};
  }

  std::string Pool(const ExitHead& head, const std::string& exit) {
    if (head.rank == 2) return head.tensor;
    if (head.rank == 3) return MeanOfTokens(head.tensor, Free(exit + ".pool"));
    const std::string pool = Free(exit + ".pool");
    AddNode("GlobalAveragePool", pool, {head.tensor});
    std::string flat = Free(exit + ".flat");
    AddInt(AddNode("Flatten", flat, {pool}), "axis", 1);
    return flat;
  }

  std::string MeanOfTokens(const std::string& tensor, const std::string& name) {
    onnx::NodeProto& mean = AddNode("ReduceMean", name, {tensor});
    AddInt(mean, "keepdims", 0);
    if (opset_ >= kReduceMeanByInput) {
      mean.add_input(AddAxis(name + ".axes"));
    } else {
      onnx::AttributeProto& axes = *mean.add_attribute();
      axes.set_name("axes");
      axes.set_type(onnx::AttributeProto::INTS);
      axes.add_ints(1);
    }
    return name;
  }

  onnx::NodeProto& AddNode(const char* op, const std::string& output,
                           const std::vector<std::string>& inputs) {
    onnx::NodeProto& node = *graph_.add_node();
    node.set_op_type(op);
    node.set_name(output);
    node.add_output(output);
    for (const std::string& input : inputs) node.add_input(input);
    return node;
  }

  static void AddInt(onnx::NodeProto& node, const char* name, std::int64_t value) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(value);
  }

  onnx::TensorProto& AddWeights(const std::string& name, const Shape& shape, int type) {
    onnx::TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const std::int64_t size : shape) tensor.add_dims(size);
    if (model_.ir_version() <= kLastIrWithWeightInputs) {
      onnx::ValueInfoProto& input = *graph_.add_input();
      input.set_name(name);
      auto& described = *input.mutable_type()->mutable_tensor_type();
      described.set_elem_type(type);
      for (const std::int64_t size : shape) {
        described.mutable_shape()->add_dim()->set_dim_value(size);
      }
    }
    return tensor;
  }

  std::string AddFloats(const std::string& wanted, const Shape& shape,
                        const std::vector<float>& values) {
    std::string name = Free(wanted);
    onnx::TensorProto& tensor = AddWeights(name, shape, onnx::TensorProto::FLOAT);
    std::string& raw = *tensor.mutable_raw_data();
    raw.resize(values.size() * sizeof(float));
    std::memcpy(raw.data(), values.data(), raw.size());
    return name;
  }

  std::string AddAxis(const std::string& wanted) {
    std::string name = Free(wanted);
    AddWeights(name, {1}, onnx::TensorProto::INT64).add_int64_data(1);
    return name;
  }

  std::string Free(std::string name) {
    while (!taken_.insert(name).second) name.push_back('_');
    return name;
  }

  onnx::ModelProto& model_;
  onnx::GraphProto& graph_;
  std::set<std::string> taken_;
  std::int64_t opset_ = 0;
};

absl::Status CheckModel(const onnx::ModelProto& model, const std::string& origin) {
  for (const auto& entry : model.metadata_props()) {
    if (entry.key() == kExitsKey) {
      return FieldError(absl::StrCat(origin, ": metadata ", kExitsKey), entry.value(),
                        "a model without exits");
    }
  }
  const std::string& output = model.graph().output(0).name();
  if (output.find(',') != std::string::npos) {
    return FieldError(absl::StrCat(origin, ": output"), absl::StrCat("'", output, "'"),
                      absl::StrCat("a name without commas, which part the names in ", kExitsKey));
  }
  return absl::OkStatus();
}

absl::Status CheckHead(const ExitHead& head, const std::string& what) {
  if (head.rank < kLeastRank || head.rank > kMostRank) {
    return FieldError(what, absl::StrCat(head.rank, " dimensions"), "2 to 4");
  }
  if (head.classes < 1 || static_cast<std::int64_t>(head.bias.size()) != head.classes) {
    return FieldError(what, absl::StrCat(head.bias.size(), " numbers of bias"),
                      absl::StrCat("one for each of ", head.classes, " classes"));
  }
  if (head.weights.empty() || head.weights.size() % head.bias.size() != 0) {
    return FieldError(what, absl::StrCat(head.weights.size(), " weights"),
                      absl::StrCat("a multiple of ", head.classes));
  }
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(head.weights.begin(), head.weights.end(), finite) ||
      !std::all_of(head.bias.begin(), head.bias.end(), finite)) {
    return FieldError(what, "a weight that is not finite", "finite weights");
  }
  return absl::OkStatus();
}

// Puts the added outputs before those of the graph.
void PutFirst(std::vector<onnx::ValueInfoProto> added, onnx::GraphProto& graph) {
  onnx::GraphProto outputs;
  for (onnx::ValueInfoProto& output : added) outputs.add_output()->Swap(&output);
  for (onnx::ValueInfoProto& output : *graph.mutable_output()) outputs.add_output()->Swap(&output);
  graph.mutable_output()->Swap(outputs.mutable_output());
}

}  // namespace

std::int64_t ExitPlace::features() const {
  return tensor.shape.size() == 3 ? tensor.shape[2] : tensor.shape[1];
}

absl::StatusOr<std::vector<ExitPlace>> FindExitPlaces(const Graph& graph, const CutTable& table,
                                                      const std::vector<int>& cuts) {
  if (cuts.empty()) return FieldError(graph.origin() + ": cuts", "none", "at least one");
  std::vector<int> sorted = cuts;
  std::sort(sorted.begin(), sorted.end());
  if (const auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end()) {
    return FieldError(absl::StrCat(graph.origin(), ": cut ", *twice), "it twice", "each once");
  }
  std::vector<ExitPlace> places;
  for (const int index : sorted) {
    CLEAVE_ASSIGN_OR_RETURN(ExitPlace place, FindPlace(graph, table, index));
    places.push_back(std::move(place));
  }
  return places;
}

absl::Status CheckTakesExits(const Graph& graph) {
  CLEAVE_ASSIGN_OR_RETURN(const onnx::ModelProto model, graph.impl_->Reload());
  return CheckModel(model, graph.origin());
}

absl::StatusOr<ModelWithExits> AttachExits(const Graph& graph, const std::vector<ExitHead>& heads) {
  const std::string& origin = graph.origin();
  if (heads.empty() || heads.size() >= kMaxExits) {
    return FieldError(origin + ": heads", absl::StrCat(heads.size()),
                      absl::StrCat("1 to ", kMaxExits - 1));
  }
  std::vector<std::pair<int, const ExitHead*>> by_depth;
  for (const ExitHead& head : heads) {
    const std::string what = absl::StrCat(origin, ": head at '", head.tensor, "'");
    CLEAVE_RETURN_IF_ERROR(CheckHead(head, what));
    const int id = graph.FindTensor(head.tensor);
    const int depth = id < 0 ? -1 : graph.impl_->producer[static_cast<std::size_t>(id)];
    if (depth < 0)
      return FieldError(what, "no node that gives it", "a tensor computed from the input");
    by_depth.emplace_back(depth, &head);
  }
  std::stable_sort(by_depth.begin(), by_depth.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });

  CLEAVE_ASSIGN_OR_RETURN(onnx::ModelProto model, graph.impl_->Reload());
  CLEAVE_RETURN_IF_ERROR(CheckModel(model, origin));
  ModelWithExits result;
  ForEachTensor(model, [&result](const onnx::TensorProto& tensor, const std::string&) {
    result.external_data |= tensor.data_location() == onnx::TensorProto::EXTERNAL;
  });
  Attacher attacher(model);
  std::vector<onnx::ValueInfoProto> outputs;
  for (const auto& [depth, head] : by_depth) {
    result.exits.push_back(attacher.Attach(*head, static_cast<int>(outputs.size()) + 1));
    attacher.Describe(result.exits.back(), head->classes, graph.inputs().front().name,
                      outputs.emplace_back());
  }
  result.exits.push_back(model.graph().output(0).name());
  PutFirst(std::move(outputs), *model.mutable_graph());
  onnx::StringStringEntryProto& entry = *model.add_metadata_props();
  entry.set_key(kExitsKey);
  entry.set_value(absl::StrJoin(result.exits, ","));
  if (!model.SerializeToString(&result.bytes)) {
    return absl::InvalidArgumentError(absl::StrCat(
        origin, ": with its exits the model has more than 2 GiB (weights may be external data)"));
  }
  return result;
}

}  // namespace cleave
