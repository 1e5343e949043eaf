#include "app/detector_cuts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/detector.h"
#include "codec/input_preprocessing.h"
#include "core/check.h"
#include "core/named_tensors.h"
#include "core/status_macros.h"
#include "detect/decode.h"

namespace cleave::app {
namespace {

constexpr int kQuarters = 4;
constexpr std::size_t kRank = 4;
constexpr double kLeastScore = 0.02;

const CutInfo& InfoOf(const CutTable& table, int cut) {
  return table.cuts[static_cast<std::size_t>(cut)];
}

bool IsReadable(const TensorSpec& spec) {
  return spec.dtype == DataType::kFloat32 && spec.shape.size() == kRank;
}

// Why a filter cannot be asked at this cut; empty where it can.
std::string WhyNot(const Graph& graph, const CutTable& table, int cut) {
  if (cut <= 0 || cut + 1 >= static_cast<int>(table.cuts.size())) return "no inner cut";
  const CutInfo& info = InfoOf(table, cut);
  if (!info.obstacle.empty()) return info.obstacle;
  if (std::none_of(info.tensors.begin(), info.tensors.end(), IsReadable)) {
    return "a cut without a tensor of FP32 with height and width";
  }
  return OutputsBefore(graph, table, cut).empty() ? "" : "a cut behind the model's first output";
}

}  // namespace

std::vector<int> FilterCuts(const Graph& graph, const CutTable& table) {
  std::vector<int> best(kQuarters - 1, -1);
  for (const CutInfo& info : table.cuts) {
    const int cut = info.cut.index;
    if (table.total_macs <= 0 || !WhyNot(graph, table, cut).empty()) continue;
    const auto quarter = static_cast<std::size_t>(kQuarters * info.macs_before / table.total_macs);
    if (info.macs_before == 0 || quarter >= best.size()) continue;
    if (best[quarter] < 0 || info.elements <= InfoOf(table, best[quarter]).elements) {
      best[quarter] = cut;
    }
  }
  std::erase(best, -1);
  return best;
}

absl::StatusOr<DetectorCuts> DetectorCuts::Open(const DetectorCutsOptions& options) {
  DetectorCuts detector;
  CLEAVE_ASSIGN_OR_RETURN(detector.graph_, Graph::Load(options.model));
  const Graph& graph = *detector.graph_;
  if (graph.exit_count() > 1) {
    return FieldError(options.model, "a model with early exits", "a detector without");
  }
  ExitModelsOptions build;
  build.inputs = options.inputs;
  build.inputs.batch.reset();
  build.cuts = {.kind = CandidateSpec::Kind::kCount, .count = 1};
  build.runtime = options.runtime;
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ExitModel> tables,
                          BuildExitTables(detector.graph_, build));
  const CutTable& table = tables.back().table;
  if (options.cut) {
    const std::string why = WhyNot(graph, table, *options.cut);
    if (!why.empty()) return FieldError(absl::StrCat("cut ", *options.cut), why, "one of a filter");
    detector.cuts_ = {*options.cut};
  } else {
    detector.cuts_ = FilterCuts(graph, table);
  }
  if (detector.cuts_.empty()) {
    return FieldError(options.model, "no cut at which a filter can be asked",
                      "one with a tensor of FP32 with height and width before the first output");
  }
  for (const int cut : detector.cuts_) {
    const std::vector<std::string>& names = InfoOf(table, cut).cut.tensors;
    build.cuts.tensors.insert(names.begin(), names.end());
  }
  CLEAVE_ASSIGN_OR_RETURN(detector.exits_, BuildExitModels(detector.graph_, build));
  const std::vector<TensorSpec>& inputs = detector.table().inputs.specs;
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<DetectionHead> head,
                          HeadOfModel(options.model, inputs, detector.table().cuts.back().tensors));
  if (!head || inputs.size() != 1 || !TakesPictures(inputs.front())) {
    return FieldError(options.model, "no detector of pictures",
                      "one (\"detections\" in its sidecar says what its outputs are)");
  }
  detector.head_ = *head;
  CLEAVE_ASSIGN_OR_RETURN(detector.how_, PreprocessingFor(inputs.front(), options.model, {}));
  return detector;
}

std::vector<TensorSpec> DetectorCuts::ReadableTensors(int cut) const {
  std::vector<TensorSpec> readable = InfoOf(table(), cut).tensors;
  std::erase_if(readable, [](const TensorSpec& spec) { return !IsReadable(spec); });
  return readable;
}

double DetectorCuts::ShareOfWork(int cut) const {
  return static_cast<double>(InfoOf(table(), cut).macs_before) /
         static_cast<double>(table().total_macs);
}

absl::StatusOr<DetectorCuts::Run> DetectorCuts::RunPicture(const Tensor& input) const {
  const Chain& chain = *exits_.back().chain;
  Run run;
  std::vector<NamedTensor> live = {{graph_->inputs().front().name, input}};
  int at = 0;
  for (const int cut : cuts_) {
    const int boundary = chain.BoundaryOf(cut);
    CLEAVE_ASSIGN_OR_RETURN(ChainResult stretch, chain.Run(at, boundary, live));
    at = boundary;
    live = std::move(stretch.tensors);
    std::vector<Tensor>& readable = run.readable.emplace_back();
    for (const TensorSpec& spec : ReadableTensors(cut)) {
      const Tensor* tensor = FindTensor(live, spec.name);
      if (tensor == nullptr) return FieldError(spec.name, "no tensor", "one at its cut");
      readable.push_back(*tensor);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(run.outputs, RunToOutputs(chain, at, live, {}));
  return run;
}

absl::StatusOr<std::vector<Detection>> DetectorCuts::Find(const std::vector<NamedTensor>& outputs,
                                                          const DetectionHead& head) const {
  DetectionInput input;
  input.size = {how_.width, how_.height};
  InputToPicture itself;
  itself.upright = input.size;
  input.pictures = {itself};
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::vector<Detection>> found, Decode(outputs, head, input));
  return std::move(found.front());
}

DetectionHead DetectorCuts::BoxesHead() const {
  DetectionHead head = head_;
  head.score_threshold = std::min(head.score_threshold, kLeastScore);
  head.suppression = DetectionHead::Suppression::kNone;
  head.most = kMostDetections;
  return head;
}

}  // namespace cleave::app
