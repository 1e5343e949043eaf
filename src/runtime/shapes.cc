#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "runtime/chain.h"
#include "runtime/ort_session.h"
#include "runtime/picture_size.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr absl::string_view kNodePrefix = "cleave_node_";
constexpr absl::string_view kKernelSuffix = "_kernel_time";

// A temporary folder, which is removed with the object.
class TemporaryFolder {
 public:
  static absl::StatusOr<TemporaryFolder> Make() {
    std::error_code error;
    std::string path = (fs::temp_directory_path(error) / "cleave-shapes-XXXXXX").string();
    if (error || mkdtemp(path.data()) == nullptr) {
      return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be made"));
    }
    return TemporaryFolder(std::move(path));
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Parses a type as ONNX Runtime's profile spells it.
std::optional<DataType> ParseProfileType(const std::string& text) {
  static const std::map<std::string, DataType>& types = *new std::map<std::string, DataType>{
      {"float", DataType::kFloat32},     {"float16", DataType::kFloat16},
      {"bfloat16", DataType::kBFloat16}, {"double", DataType::kFloat64},
      {"int8", DataType::kInt8},         {"int16", DataType::kInt16},
      {"int32", DataType::kInt32},       {"int64", DataType::kInt64},
      {"uint8", DataType::kUint8},       {"uint16", DataType::kUint16},
      {"uint32", DataType::kUint32},     {"uint64", DataType::kUint64},
      {"bool", DataType::kBool},         {"string", DataType::kString}};
  const auto found = types.find(text);
  if (found == types.end()) return std::nullopt;
  return found->second;
}

// Adds the outputs of one kernel's event: [{"float":[1,32,112,112]}, ...]; only present outputs are
// listed.
void ReadEvent(const Graph& graph, const json& event, std::map<std::string, TensorSpec>& specs) {
  const std::string name = event.value("name", "");
  absl::string_view index_text = name;
  std::size_t index = 0;
  if (!absl::ConsumePrefix(&index_text, kNodePrefix) ||
      !absl::ConsumeSuffix(&index_text, kKernelSuffix) || !absl::SimpleAtoi(index_text, &index) ||
      index >= graph.nodes().size()) {
    return;
  }
  const std::vector<int>& outputs = graph.nodes()[index].outputs;
  const auto args = event.find("args");
  if (args == event.end() || !args->contains("output_type_shape")) return;
  const json& shapes = (*args)["output_type_shape"];
  if (!shapes.is_array() || shapes.size() != outputs.size()) return;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!shapes[i].is_object() || shapes[i].size() != 1) continue;
    const auto entry = shapes[i].begin();
    const std::optional<DataType> dtype = ParseProfileType(entry.key());
    if (!dtype || !entry.value().is_array()) continue;
    const std::string& tensor = graph.tensor_names()[outputs[i]];
    specs[tensor] = {tensor, *dtype, entry.value().get<Shape>()};
  }
}

absl::Status ReadProfile(const Graph& graph, const std::string& path,
                         std::map<std::string, TensorSpec>& specs) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const json events = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!events.is_array()) {
    return absl::InternalError(absl::StrCat(path, ": ONNX Runtime's profile is not a JSON list"));
  }
  try {
    for (const json& event : events) {
      if (event.is_object()) ReadEvent(graph, event, specs);
    }
  } catch (const json::exception& error) {
    return absl::InternalError(absl::StrCat(path, ": ", error.what()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Ort::SessionOptions> ProbeOptions() {
  RuntimeOptions runtime;
  runtime.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  CLEAVE_ASSIGN_OR_RETURN(Ort::SessionOptions options,
                          ort::MakeSessionOptions(runtime, ort::Arena::kOwn));
  options.SetGraphOptimizationLevel(ORT_DISABLE_ALL);
  options.DisableCpuMemArena();
  options.DisableMemPattern();
  options.AddConfigEntry("session.disable_prepacking", "1");
  return options;
}

// Runs the model once with `extra` as outputs besides its own, and reports what these outputs were.
absl::Status RunProbe(const Graph& graph, const std::vector<NamedTensor>& inputs,
                      const std::vector<std::string>& extra, const std::string& profile_folder,
                      std::map<std::string, TensorSpec>& specs) {
  const std::string& what = graph.origin();
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, graph.InstrumentedModel(extra));
  CLEAVE_ASSIGN_OR_RETURN(Ort::SessionOptions options, ProbeOptions());
  if (!profile_folder.empty()) options.EnableProfiling((profile_folder + "/run").c_str());
  CLEAVE_ASSIGN_OR_RETURN(const auto session,
                          ort::Session::FromBytes(bytes, graph.folder(), std::move(options), what));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ort::ValuePtr> bound,
                          ort::BindInputs(session->inputs(), inputs, what));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ort::ValuePtr> outputs,
                          session->Run(bound, Ort::RunOptions()));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = session->outputs()[i].name;
    const absl::StatusOr<Tensor> tensor = ort::ToTensor(outputs[i], name);
    if (tensor.ok()) specs[name] = {name, tensor->dtype(), tensor->shape()};
  }
  if (profile_folder.empty()) return absl::OkStatus();
  CLEAVE_ASSIGN_OR_RETURN(const std::string profile, session->EndProfiling());
  return ReadProfile(graph, profile, specs);
}

std::vector<std::string> MissingTensors(const Graph& graph,
                                        const std::map<std::string, TensorSpec>& specs) {
  std::vector<std::string> missing;
  for (const GraphNode& node : graph.nodes()) {
    if (node.constant) continue;
    for (const int id : node.outputs) {
      const std::string& name = graph.tensor_names()[id];
      if (!specs.contains(name)) missing.push_back(name);
    }
  }
  return missing;
}

// ONNX Runtime's profile tells the types that a kernel ran with, and the CPU runs half precision in
// single precision. The types of outputs are those of the model.
absl::Status CorrectTypes(const Graph& graph, std::map<std::string, TensorSpec>& specs) {
  std::vector<std::string> names;
  names.reserve(specs.size());
  for (const auto& [name, spec] : specs) names.push_back(name);
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, graph.InstrumentedModel(names));
  CLEAVE_ASSIGN_OR_RETURN(Ort::SessionOptions options, ProbeOptions());
  CLEAVE_ASSIGN_OR_RETURN(
      const auto session,
      ort::Session::FromBytes(bytes, graph.folder(), std::move(options), graph.origin()));
  for (const ort::Port& port : session->outputs()) {
    const auto spec = specs.find(port.name);
    if (spec != specs.end() && port.dtype) spec->second.dtype = *port.dtype;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, TensorSpec>> Probe(const Graph& graph,
                                                        const std::vector<TensorSpec>& inputs) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> tensors,
                          RandomInputs(inputs, 1, graph.value_hints()));
  std::map<std::string, TensorSpec> specs;
  for (const TensorSpec& input : inputs) specs[input.name] = input;
  CLEAVE_ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Make());
  CLEAVE_RETURN_IF_ERROR(RunProbe(graph, tensors, {}, folder.path(), specs));
  // Few tensors are left: those that ONNX Runtime inlined, and types that its profile does not
  // tell.
  const std::vector<std::string> missing = MissingTensors(graph, specs);
  if (!missing.empty()) CLEAVE_RETURN_IF_ERROR(RunProbe(graph, tensors, missing, "", specs));
  if (graph.uses_half()) CLEAVE_RETURN_IF_ERROR(CorrectTypes(graph, specs));
  return specs;
}

bool SameShapes(const ResolvedInputs& a, const ResolvedInputs& b) {
  return ShapesOf(a.specs) == ShapesOf(b.specs);
}

// Runs the model at the first guess that it takes. A guess at which it ran before, as `known` says,
// is not tried again.
absl::StatusOr<ProbedShapes> ProbeGuesses(const Graph& graph, const ShapeRequest& request,
                                          const ProbedShapes* known = nullptr) {
  absl::Status refused;
  std::string guesses;
  for (int attempt = 0; attempt < kGuessAttempts; ++attempt) {
    CLEAVE_ASSIGN_OR_RETURN(ResolvedInputs inputs, ResolveInputs(graph, request, attempt));
    if (known != nullptr && SameShapes(inputs, known->inputs)) return *known;
    auto tensors = Probe(graph, inputs.specs);
    if (tensors.ok()) return ProbedShapes{std::move(inputs), *std::move(tensors)};
    if (inputs.guesses.empty()) return tensors.status();
    if (attempt > 0) continue;
    refused = tensors.status();
    guesses = absl::StrJoin(inputs.guesses, "; ");
  }
  return absl::Status(refused.code(), absl::StrCat(refused.message(), " (", guesses, ")"));
}

}  // namespace

absl::StatusOr<ProbedShapes> ProbeShapes(const Graph& graph, ShapeRequest request) {
  CLEAVE_RETURN_IF_ERROR(TakePictureSize(graph, request));
  return ProbeGuesses(graph, request);
}

absl::StatusOr<ModelShapes> ProbeModel(const Graph& graph, const ShapeRequest& request) {
  CLEAVE_ASSIGN_OR_RETURN(ProbedShapes asked, ProbeShapes(graph, request));
  absl::StatusOr<ProbedShapes> alone = ProbeGuesses(graph, ShapeRequest(), &asked);
  ModelShapes shapes{std::move(asked), std::nullopt};
  if (alone.ok() && !SameShapes(alone->inputs, shapes.asked.inputs)) {
    shapes.alone = *std::move(alone);
  }
  return shapes;
}

absl::StatusOr<CutTable> TableOf(const Graph& graph, const CutList& cuts,
                                 const ModelShapes& shapes) {
  const auto make = [&](const ProbedShapes& probed) {
    return MakeCutTable(graph, cuts, probed.inputs, probed.tensors);
  };
  CLEAVE_ASSIGN_OR_RETURN(CutTable table, make(shapes.asked));
  if (shapes.alone) {
    CLEAVE_ASSIGN_OR_RETURN(CutTable alone, make(*shapes.alone));
    table.chosen_by = std::make_shared<const CutTable>(std::move(alone));
  }
  return table;
}

absl::StatusOr<std::map<std::string, TensorSpec>> ProbeShapes(const Graph& graph,
                                                              std::int64_t batch) {
  ShapeRequest request;
  request.batch = batch;
  CLEAVE_ASSIGN_OR_RETURN(ProbedShapes probed, ProbeShapes(graph, request));
  return std::move(probed.tensors);
}

absl::StatusOr<CutTable> BuildCutTable(const Graph& graph, const ShapeRequest& request,
                                       const CutOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const CutList cuts, EnumerateCuts(graph, options));
  CLEAVE_ASSIGN_OR_RETURN(const ModelShapes shapes, ProbeModel(graph, request));
  return TableOf(graph, cuts, shapes);
}

absl::StatusOr<CutTable> BuildCutTable(const Graph& graph, std::int64_t batch,
                                       const CutOptions& options) {
  ShapeRequest request;
  request.batch = batch;
  return BuildCutTable(graph, request, options);
}

}  // namespace cleave
