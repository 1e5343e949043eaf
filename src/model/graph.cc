#include "model/graph.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <queue>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "model/graph_impl.h"
#include "model/random_nodes.h"
#include "model/value_hints.h"

namespace cleave {
namespace fs = std::filesystem;
namespace {

std::string Describe(const onnx::NodeProto& node, int index) {
  return absl::StrCat("node ", index, " (", node.op_type(),
                      node.name().empty() ? "" : absl::StrCat(" '", node.name(), "'"), ")");
}

void CollectCaptured(const onnx::GraphProto& graph, std::set<std::string>& captured) {
  std::set<std::string> defined;
  for (const auto& input : graph.input()) defined.insert(input.name());
  for (const auto& tensor : graph.initializer()) defined.insert(tensor.name());
  for (const auto& node : graph.node()) defined.insert(node.output().begin(), node.output().end());
  std::set<std::string> used;
  for (const auto& node : graph.node()) {
    used.insert(node.input().begin(), node.input().end());
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) CollectCaptured(attribute.g(), used);
      for (const auto& subgraph : attribute.graphs()) CollectCaptured(subgraph, used);
    }
  }
  for (const auto& output : graph.output()) used.insert(output.name());
  for (const std::string& name : used) {
    if (!name.empty() && !defined.contains(name)) captured.insert(name);
  }
}

// Returns every tensor that a node needs, each once, including those that its subgraphs capture.
std::vector<std::string> NeededTensors(const onnx::NodeProto& node) {
  std::vector<std::string> needed;
  std::set<std::string> seen;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && seen.insert(name).second) needed.push_back(name);
  };
  for (const std::string& input : node.input()) add(input);
  std::set<std::string> captured;
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g()) CollectCaptured(attribute.g(), captured);
    for (const auto& subgraph : attribute.graphs()) CollectCaptured(subgraph, captured);
  }
  for (const std::string& name : captured) add(name);
  return needed;
}

absl::StatusOr<TensorSpec> ReadSpec(const onnx::ValueInfoProto& info, absl::string_view role,
                                    const std::string& origin) {
  const std::string what = absl::StrCat(origin, ": ", role, " '", info.name(), "'");
  if (!info.type().has_tensor_type()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": is no tensor, expected one"));
  }
  const auto& type = info.type().tensor_type();
  const std::optional<DataType> dtype = FromOnnxElementType(type.elem_type());
  if (!dtype.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": found element type ", type.elem_type(),
                                                   ", expected a number, bool or string"));
  }
  TensorSpec spec{info.name(), *dtype, {}};
  for (const auto& dim : type.shape().dim()) {
    // Older converters write -1 for a dimension that is free.
    const bool known = dim.has_dim_value() && dim.dim_value() != -1;
    if (known && (dim.dim_value() < 0 || dim.dim_value() > (std::int64_t{1} << 31))) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": found a dimension of ", dim.dim_value()));
    }
    spec.shape.push_back(known ? dim.dim_value() : -1);
  }
  return spec;
}

std::vector<std::string> SymbolsOf(const onnx::ValueInfoProto& info) {
  std::vector<std::string> symbols;
  for (const auto& dim : info.type().tensor_type().shape().dim()) {
    // Some converters write these for dimensions that have no name.
    const bool named = dim.has_dim_param() && dim.dim_param() != "?" && dim.dim_param() != "None";
    symbols.push_back(named ? dim.dim_param() : std::string());
  }
  return symbols;
}

ModelMetadata MetadataOf(const onnx::ModelProto& model) {
  ModelMetadata metadata;
  metadata.producer = model.producer_name();
  metadata.domain = model.domain();
  metadata.description = model.doc_string();
  metadata.graph_name = model.graph().name();
  metadata.graph_description = model.graph().doc_string();
  metadata.version = model.model_version();
  for (const auto& entry : model.metadata_props()) metadata.entries[entry.key()] = entry.value();
  return metadata;
}

void DigestFile(Sha256& sha, const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string block(std::size_t{1} << 20, '\0');
  while (in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    sha.Update({block.data(), static_cast<std::size_t>(in.gcount())});
  }
}

// Fills the structure of an Impl from a parsed file and checks it meanwhile.
class Builder {
 public:
  Builder(const onnx::ModelProto& model, const std::string& origin, Graph::Impl& impl)
      : graph_(model.graph()), random_(model), origin_(origin), impl_(impl) {}

  absl::Status Build() {
    CLEAVE_RETURN_IF_ERROR(ReadInitializers());
    CLEAVE_RETURN_IF_ERROR(ReadInterface());
    CLEAVE_RETURN_IF_ERROR(ReadDefinitions());
    CLEAVE_RETURN_IF_ERROR(Sort());
    AddNodes();
    return FindOutputs();
  }

 private:
  absl::Status ReadInitializers() {
    for (const auto& tensor : graph_.initializer()) {
      Shape shape(tensor.dims().begin(), tensor.dims().end());
      if (const auto count = ElementCount(shape); !count.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(origin_, ": initializer '", tensor.name(),
                                                       "': ", count.status().message()));
      }
      CLEAVE_RETURN_IF_ERROR(Define(tensor.name(), "initializer"));
      impl_.initializers.insert(tensor.name());
      impl_.initializer_shapes[tensor.name()] = std::move(shape);
    }
    for (const auto& tensor : graph_.sparse_initializer()) {
      const std::string& name = tensor.values().name();
      CLEAVE_RETURN_IF_ERROR(Define(name, "initializer"));
      impl_.initializers.insert(name);
      impl_.initializer_shapes[name] = Shape(tensor.dims().begin(), tensor.dims().end());
    }
    return absl::OkStatus();
  }

  absl::Status ReadInterface() {
    for (const auto& info : graph_.value_info()) impl_.declared[info.name()] = info;
    for (const auto& info : graph_.input()) {
      if (impl_.initializers.contains(info.name())) continue;
      CLEAVE_ASSIGN_OR_RETURN(TensorSpec spec, ReadSpec(info, "input", origin_));
      CLEAVE_RETURN_IF_ERROR(Define(info.name(), "input"));
      impl_.declared[info.name()] = info;
      impl_.inputs.push_back(std::move(spec));
      impl_.input_symbols.push_back(SymbolsOf(info));
    }
    absl::Status left_out;
    for (const auto& info : graph_.output()) {
      absl::StatusOr<TensorSpec> spec = ReadSpec(info, "output", origin_);
      if (!spec.ok()) spec = InPlaceOfMaps(info.name(), spec.status());
      if (!spec.ok()) {
        impl_.left_out.emplace_back(spec.status().message());
        left_out.Update(spec.status());
        impl_.outputs_changed = true;
        continue;
      }
      if (spec->name == info.name()) {
        impl_.declared[info.name()] = info;
        impl_.output_symbols.push_back(SymbolsOf(info));
      } else {
        impl_.outputs_changed = true;
        impl_.output_symbols.emplace_back(spec->shape.size());
      }
      outputs_.insert(spec->name);
      impl_.outputs.push_back(*std::move(spec));
    }
    if (impl_.outputs.empty()) CLEAVE_RETURN_IF_ERROR(left_out);
    if (impl_.inputs.empty() || impl_.outputs.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(origin_, ": found ", impl_.inputs.size(),
                                                     " inputs and ", impl_.outputs.size(),
                                                     " outputs, expected at least one of each"));
    }
    return absl::OkStatus();
  }

  // Classifiers of scikit-learn end in maps from class to score; the tensor of the scores, which
  // these are made of, takes their place. Else `why` is returned.
  absl::StatusOr<TensorSpec> InPlaceOfMaps(const std::string& output, const absl::Status& why) {
    for (const auto& node : graph_.node()) {
      if (node.op_type() != "ZipMap" || node.output_size() != 1 || node.input_size() != 1) continue;
      if (node.output(0) == output) return TensorSpec{node.input(0), DataType::kFloat32, {-1, -1}};
    }
    return why;
  }

  absl::Status ReadDefinitions() {
    for (int i = 0; i < graph_.node_size(); ++i) {
      for (const std::string& output : graph_.node(i).output()) {
        if (output.empty()) continue;
        CLEAVE_RETURN_IF_ERROR(Define(output, Describe(graph_.node(i), i)));
        file_producer_[output] = i;
      }
    }
    return absl::OkStatus();
  }

  absl::Status Define(const std::string& tensor, const std::string& by) {
    if (defined_.insert(tensor).second) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(origin_, ": tensor '", tensor, "' is defined twice, the second time by ", by));
  }

  // Sorts by Kahn's algorithm, in the file's order where the choice is free.
  absl::Status Sort() {
    const int count = graph_.node_size();
    needed_.resize(count);
    std::vector<int> missing(count, 0);
    std::vector<std::vector<int>> consumers(count);
    for (int i = 0; i < count; ++i) {
      needed_[i] = NeededTensors(graph_.node(i));
      std::set<int> producers;
      for (const std::string& tensor : needed_[i]) {
        if (!defined_.contains(tensor)) {
          return absl::InvalidArgumentError(absl::StrCat(origin_, ": ", Describe(graph_.node(i), i),
                                                         ": input '", tensor,
                                                         "' is defined nowhere"));
        }
        if (const auto found = file_producer_.find(tensor); found != file_producer_.end()) {
          producers.insert(found->second);
        }
      }
      missing[i] = static_cast<int>(producers.size());
      for (const int producer : producers) consumers[producer].push_back(i);
    }
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (int i = 0; i < count; ++i) {
      if (missing[i] == 0) ready.push(i);
    }
    while (!ready.empty()) {
      const int node = ready.top();
      ready.pop();
      impl_.proto_index.push_back(node);
      for (const int consumer : consumers[node]) {
        if (--missing[consumer] == 0) ready.push(consumer);
      }
    }
    return static_cast<int>(impl_.proto_index.size()) == count ? absl::OkStatus()
                                                               : CycleError(missing);
  }

  absl::Status CycleError(const std::vector<int>& missing) const {
    // Walking back through unsorted producers must come to a node twice: that one is on a cycle.
    int node =
        static_cast<int>(std::find_if(missing.begin(), missing.end(), [](int m) { return m > 0; }) -
                         missing.begin());
    std::set<int> visited;
    while (visited.insert(node).second) {
      for (const std::string& tensor : needed_[node]) {
        const auto found = file_producer_.find(tensor);
        if (found != file_producer_.end() && missing[found->second] > 0) {
          node = found->second;
          break;
        }
      }
    }
    return absl::InvalidArgumentError(absl::StrCat(origin_, ": the graph has a cycle through ",
                                                   Describe(graph_.node(node), node)));
  }

  void AddNodes() {
    for (const TensorSpec& input : impl_.inputs) {
      impl_.input_ids.push_back(impl_.TensorId(input.name, -1));
    }
    for (const int index : impl_.proto_index) {
      const onnx::NodeProto& proto = graph_.node(index);
      const int id = static_cast<int>(impl_.nodes.size());
      // What makes an output runs once, in its place, also where it is the same in every run.
      const bool copied = !random_.Contains(proto) && !MakesOutput(proto);
      GraphNode node{proto.name(), proto.op_type(), {}, {}, copied};
      for (const std::string& tensor : needed_[index]) {
        if (impl_.IsConstant(tensor)) continue;
        node.constant = false;
        node.inputs.push_back(impl_.TensorId(tensor, -1));
      }
      for (const std::string& tensor : proto.output()) {
        if (tensor.empty()) continue;
        if (node.constant) {
          impl_.constant_producer.emplace(tensor, id);
        } else {
          node.outputs.push_back(impl_.TensorId(tensor, id));
        }
      }
      if (node.constant) LearnConstantShape(proto);
      impl_.nodes.push_back(std::move(node));
      impl_.node_inputs.push_back(needed_[index]);
      impl_.operands.emplace_back(proto.input().begin(), proto.input().end());
    }
  }

  bool MakesOutput(const onnx::NodeProto& node) const {
    return std::any_of(node.output().begin(), node.output().end(),
                       [&](const std::string& tensor) { return outputs_.contains(tensor); });
  }

  // Weights that are Constant nodes, or dequantized, count multiply-accumulates like any other.
  void LearnConstantShape(const onnx::NodeProto& node) {
    if (node.output_size() == 0) return;
    for (const auto& attribute : node.attribute()) {
      if (node.op_type() == "Constant" && attribute.name() == "value" && attribute.has_t()) {
        impl_.initializer_shapes[node.output(0)] =
            Shape(attribute.t().dims().begin(), attribute.t().dims().end());
      }
    }
    const bool keeps_shape = node.op_type() == "DequantizeLinear" || node.op_type() == "Cast" ||
                             node.op_type() == "Identity";
    if (!keeps_shape || node.input_size() == 0) return;
    if (const auto found = impl_.initializer_shapes.find(node.input(0));
        found != impl_.initializer_shapes.end()) {
      impl_.initializer_shapes[node.output(0)] = Shape(found->second);
    }
  }

  absl::Status FindOutputs() {
    for (const TensorSpec& output : impl_.outputs) {
      const auto found = impl_.tensor_ids.find(output.name);
      if (found == impl_.tensor_ids.end()) {
        return absl::InvalidArgumentError(absl::StrCat(
            origin_, ": output '", output.name,
            impl_.IsConstant(output.name) ? "' is a weight, expected something that a node computes"
                                          : "' is produced by no node"));
      }
      impl_.output_ids.push_back(found->second);
    }
    return absl::OkStatus();
  }

  const onnx::GraphProto& graph_;
  RandomNodes random_;
  const std::string& origin_;
  Graph::Impl& impl_;
  std::set<std::string> defined_;
  std::set<std::string, std::less<>> outputs_;
  std::map<std::string, int> file_producer_;
  std::vector<std::vector<std::string>> needed_;
};

absl::Status Fill(const onnx::ModelProto& model, const std::string& origin, Graph::Impl& impl) {
  if (!model.has_graph() || model.graph().node_size() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": found no graph with nodes, expected an ONNX model"));
  }
  impl.uses_half = UsesHalf(model);
  impl.value_hints = FindValueHints(model.graph());
  impl.metadata = MetadataOf(model);
  CLEAVE_RETURN_IF_ERROR(Builder(model, origin, impl).Build());
  return ReadExits(model, origin, impl);
}

}  // namespace

int Graph::Impl::TensorId(const std::string& tensor, int made_by) {
  const auto [entry, added] = tensor_ids.emplace(tensor, static_cast<int>(tensor_names.size()));
  if (added) {
    tensor_names.push_back(tensor);
    producer.push_back(made_by);
  }
  return entry->second;
}

bool Graph::Impl::IsConstant(const std::string& tensor) const {
  return initializers.contains(tensor) || constant_producer.contains(tensor);
}

Graph::Graph(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Graph::~Graph() = default;

absl::StatusOr<std::shared_ptr<const Graph>> Graph::Load(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->folder = fs::absolute(path).parent_path().string();
  impl->name = fs::path(path).stem().string();
  CLEAVE_ASSIGN_OR_RETURN(const onnx::ModelProto model, ParseModel(bytes, path));
  CLEAVE_ASSIGN_OR_RETURN(const std::set<std::string> external,
                          CheckExternalData(model, impl->folder, path));
  CLEAVE_RETURN_IF_ERROR(Fill(model, path, *impl));
  Sha256 sha;
  sha.Update(bytes);
  for (const std::string& file : external) {
    DigestFile(sha, (fs::path(impl->folder) / file).string());
  }
  impl->digest = sha.HexDigest();
  return std::shared_ptr<const Graph>(new Graph(std::move(impl)));
}

absl::StatusOr<std::shared_ptr<const Graph>> Graph::FromBytes(absl::string_view bytes,
                                                              const std::string& origin) {
  auto impl = std::make_unique<Impl>();
  impl->name = origin;
  impl->bytes = std::string(bytes);
  CLEAVE_ASSIGN_OR_RETURN(const onnx::ModelProto model, ParseModel(bytes, origin));
  CLEAVE_RETURN_IF_ERROR(RefuseExternalData(model, origin));
  CLEAVE_RETURN_IF_ERROR(Fill(model, origin, *impl));
  impl->digest = Sha256Hex(bytes);
  return std::shared_ptr<const Graph>(new Graph(std::move(impl)));
}

const std::string& Graph::path() const { return impl_->path; }
const std::string& Graph::folder() const { return impl_->folder; }
const std::string& Graph::name() const { return impl_->name; }
const std::string& Graph::origin() const { return path().empty() ? name() : path(); }
const std::string& Graph::digest() const { return impl_->digest; }
const std::vector<TensorSpec>& Graph::inputs() const { return impl_->inputs; }
const std::vector<std::string>& Graph::left_out() const { return impl_->left_out; }
bool Graph::outputs_are_the_files() const { return !impl_->outputs_changed; }
bool Graph::uses_half() const { return impl_->uses_half; }
const std::vector<std::vector<std::string>>& Graph::input_symbols() const {
  return impl_->input_symbols;
}
const std::vector<std::vector<std::string>>& Graph::output_symbols() const {
  return impl_->output_symbols;
}
const ModelMetadata& Graph::metadata() const { return impl_->metadata; }
const ValueHints& Graph::value_hints() const { return impl_->value_hints; }
const std::vector<TensorSpec>& Graph::outputs() const { return impl_->outputs; }
const std::vector<GraphNode>& Graph::nodes() const { return impl_->nodes; }
const std::vector<std::string>& Graph::tensor_names() const { return impl_->tensor_names; }
const std::vector<int>& Graph::input_ids() const { return impl_->input_ids; }
const std::vector<int>& Graph::output_ids() const { return impl_->output_ids; }
const std::map<std::string, Shape>& Graph::initializer_shapes() const {
  return impl_->initializer_shapes;
}

int Graph::FindTensor(absl::string_view name) const {
  const auto found = impl_->tensor_ids.find(std::string(name));
  return found == impl_->tensor_ids.end() ? -1 : found->second;
}

}  // namespace cleave
