#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "runtime/chain.h"
#include "runtime/ort_session.h"

namespace cleave {
namespace fs = std::filesystem;
namespace {

constexpr absl::string_view kNodePrefix = "cleave_node_";
constexpr absl::string_view kEventSuffix = "_kernel_time";

// A folder that goes when it does: ONNX Runtime writes its profile nowhere but to a file.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "cleave-XXXXXX").string();
    if (const char* made = mkdtemp(pattern.data()); made != nullptr) path_ = made;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The type names of ONNX Runtime's profiles.
std::optional<DataType> ParseProfileType(const std::string& name) {
  static const auto& types = *new std::map<std::string, DataType>{
      {"float", DataType::kFloat32},     {"float16", DataType::kFloat16},
      {"bfloat16", DataType::kBFloat16}, {"double", DataType::kFloat64},
      {"int8", DataType::kInt8},         {"int16", DataType::kInt16},
      {"int32", DataType::kInt32},       {"int64", DataType::kInt64},
      {"uint8", DataType::kUint8},       {"uint16", DataType::kUint16},
      {"uint32", DataType::kUint32},     {"uint64", DataType::kUint64},
      {"bool", DataType::kBool}};
  const auto found = types.find(name);
  if (found == types.end()) return std::nullopt;
  return found->second;
}

std::string Origin(const Graph& graph) {
  return graph.path().empty() ? graph.name() : graph.path();
}

// Runs bytes of a model once without optimization. With `profile_prefix`, ONNX Runtime profiles the
// run.
struct PlainRun {
  std::unique_ptr<ort::Session> session;
  std::vector<ort::ValuePtr> outputs;
};

absl::StatusOr<PlainRun> RunPlainly(const Graph& graph, absl::string_view bytes,
                                    const std::vector<NamedTensor>& inputs,
                                    const std::string& profile_prefix) {
  CLEAVE_ASSIGN_OR_RETURN(Ort::SessionOptions options,
                          ort::MakeSessionOptions({}, ort::Arena::kOwn));
  options.SetGraphOptimizationLevel(ORT_DISABLE_ALL);
  options.DisableCpuMemArena();
  if (!profile_prefix.empty()) options.EnableProfiling(profile_prefix.c_str());
  PlainRun run;
  CLEAVE_ASSIGN_OR_RETURN(run.session, ort::Session::FromBytes(bytes, graph.folder(),
                                                               std::move(options), Origin(graph)));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ort::ValuePtr> values,
                          ort::BindInputs(run.session->inputs(), inputs, Origin(graph)));
  CLEAVE_ASSIGN_OR_RETURN(run.outputs, run.session->Run(values, Ort::RunOptions()));
  return run;
}

// Reads one node's event: the type and shape of each of its outputs, in the node's order.
void ReadNodeEvent(const Graph& graph, const nlohmann::json& event,
                   std::map<std::string, TensorSpec>& specs) {
  const std::string name = event.value("name", "");
  int index = -1;
  if (!absl::StartsWith(name, kNodePrefix) || !absl::EndsWith(name, kEventSuffix) ||
      !absl::SimpleAtoi(
          name.substr(kNodePrefix.size(), name.size() - kNodePrefix.size() - kEventSuffix.size()),
          &index) ||
      index < 0 || index >= static_cast<int>(graph.nodes().size())) {
    return;
  }
  const auto args = event.find("args");
  if (args == event.end() || !args->contains("output_type_shape")) return;
  const nlohmann::json& outputs = (*args)["output_type_shape"];
  const std::vector<int>& ids = graph.nodes()[index].outputs;
  if (outputs.size() != ids.size()) return;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!outputs[i].is_object() || outputs[i].size() != 1) continue;
    const auto entry = outputs[i].begin();
    const std::optional<DataType> dtype = ParseProfileType(entry.key());
    if (!dtype || !entry.value().is_array()) continue;
    const std::string& tensor = graph.tensor_names()[ids[i]];
    specs[tensor] = {tensor, *dtype, entry.value().get<Shape>()};
  }
}

absl::StatusOr<std::map<std::string, TensorSpec>> ProbeByProfile(
    const Graph& graph, const std::vector<NamedTensor>& inputs) {
  const TemporaryFolder folder;
  if (folder.path().empty()) {
    return absl::UnavailableError(absl::StrCat(fs::temp_directory_path().string(),
                                               ": no temporary folder can be made there"));
  }
  std::map<std::string, TensorSpec> specs;
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, graph.InstrumentedModel({}));
  CLEAVE_ASSIGN_OR_RETURN(PlainRun run,
                          RunPlainly(graph, bytes, inputs, folder.path() + "/profile"));
  CLEAVE_ASSIGN_OR_RETURN(const std::string path, run.session->EndProfiling());
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const nlohmann::json events = nlohmann::json::parse(text, nullptr, false);
  if (!events.is_array()) return specs;
  for (const nlohmann::json& event : events) {
    if (event.is_object()) ReadNodeEvent(graph, event, specs);
  }
  return specs;
}

// For what the profile left out (nodes that ONNX Runtime replaced by others).
absl::Status ProbeByOutputs(const Graph& graph, const std::vector<NamedTensor>& inputs,
                            const std::vector<std::string>& tensors,
                            std::map<std::string, TensorSpec>& specs) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, graph.InstrumentedModel(tensors));
  CLEAVE_ASSIGN_OR_RETURN(const PlainRun run, RunPlainly(graph, bytes, inputs, ""));
  const std::set<std::string> wanted(tensors.begin(), tensors.end());
  for (std::size_t i = 0; i < run.outputs.size(); ++i) {
    const std::string& name = run.session->outputs()[i].name;
    if (!wanted.contains(name)) continue;
    const absl::StatusOr<Tensor> tensor = ort::ToTensor(run.outputs[i], name);
    if (tensor.ok()) specs[name] = {name, tensor->dtype(), tensor->shape()};
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<NamedTensor>> RandomInputs(const Graph& graph, std::int64_t batch,
                                                      std::uint64_t seed) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<TensorSpec> specs, graph.InputsAtBatch(batch));
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  std::vector<NamedTensor> inputs;
  for (const TensorSpec& spec : specs) {
    if (spec.dtype != DataType::kFloat32) {
      CLEAVE_ASSIGN_OR_RETURN(Tensor zeros, Tensor::Zeros(spec.dtype, spec.shape));
      inputs.push_back({spec.name, std::move(zeros)});
      continue;
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::int64_t count, ElementCount(spec.shape));
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = uniform(random);
    CLEAVE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::FromFloats(spec.shape, std::move(values)));
    inputs.push_back({spec.name, std::move(tensor)});
  }
  return inputs;
}

absl::StatusOr<std::map<std::string, TensorSpec>> ProbeShapes(const Graph& graph,
                                                              std::int64_t batch) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> inputs, RandomInputs(graph, batch, 1));
  using Specs = std::map<std::string, TensorSpec>;
  CLEAVE_ASSIGN_OR_RETURN(Specs specs, ProbeByProfile(graph, inputs));
  for (const NamedTensor& input : inputs) {
    specs[input.name] = {input.name, input.tensor.dtype(), input.tensor.shape()};
  }
  std::vector<std::string> missing;
  for (const GraphNode& node : graph.nodes()) {
    for (const int id : node.outputs) {
      const std::string& tensor = graph.tensor_names()[id];
      if (!specs.contains(tensor)) missing.push_back(tensor);
    }
  }
  if (!missing.empty()) CLEAVE_RETURN_IF_ERROR(ProbeByOutputs(graph, inputs, missing, specs));
  return specs;
}

absl::StatusOr<CutTable> BuildCutTable(const Graph& graph, std::int64_t batch,
                                       const CutOptions& options) {
  using Specs = std::map<std::string, TensorSpec>;
  CLEAVE_ASSIGN_OR_RETURN(const CutList cuts, EnumerateCuts(graph, options));
  CLEAVE_ASSIGN_OR_RETURN(const Specs specs, ProbeShapes(graph, batch));
  return MakeCutTable(graph, cuts, batch, specs);
}

}  // namespace cleave
