#include "learn/bottleneck_task.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/input_preprocessing.h"
#include "core/check.h"
#include "core/named_tensors.h"
#include "core/status_macros.h"
#include "learn/bottleneck_pictures.h"
#include "model/operators.h"
#include "runtime/options.h"

namespace cleave {
namespace {

// Rounding in another order makes less than this of a tensor's largest magnitude; a wrong operator
// makes far more.
constexpr double kMostNodeError = 2e-3;

absl::StatusOr<Preprocessing> HowOf(const Graph& graph, const TensorSpec& input) {
  const std::string what = absl::StrCat(graph.origin(), ": input '", input.name, "'");
  CLEAVE_RETURN_IF_ERROR(CheckTakesPictures(input, what));
  return PreprocessingFor(input, graph.path(), {});
}

}  // namespace

absl::StatusOr<BottleneckTask> BottleneckTask::Open(const BottleneckOptions& options) {
  BottleneckTask task;
  CLEAVE_ASSIGN_OR_RETURN(task.graph_, Graph::Load(options.model));
  const Graph& graph = *task.graph_;
  if (graph.inputs().size() != 1) {
    return FieldError(options.model, absl::StrCat(graph.inputs().size(), " inputs"),
                      "one, a picture");
  }
  if (graph.exit_count() != 1) {
    return FieldError(options.model, absl::StrCat(graph.exit_count(), " exits"), "a single one");
  }
  CLEAVE_ASSIGN_OR_RETURN(task.table_, BuildCutTable(graph, options.inputs));
  CLEAVE_RETURN_IF_ERROR(task.FindCut(options));
  CLEAVE_ASSIGN_OR_RETURN(task.codecs_, CodecFile::OfModel(options.model, graph.digest()));
  if (task.codecs_->Find(task.tensor_.name) == nullptr) {
    return FieldError(CodecFile::PathFor(options.model),
                      absl::StrCat("no codec of '", task.tensor_.name, "'"),
                      "one (cleave codec fit makes it)");
  }
  if (task.codec().block_side != BlockLayout::kBlockSide) {
    return FieldError(absl::StrCat("the codec of '", task.tensor_.name, "'"),
                      "blocks of a single position", "blocks of 4 x 4");
  }
  CLEAVE_ASSIGN_OR_RETURN(task.how_, HowOf(graph, task.table_.inputs.specs.front()));
  CLEAVE_RETURN_IF_ERROR(task.MakeTail(options));
  return task;
}

absl::Status BottleneckTask::FindCut(const BottleneckOptions& options) {
  const std::string what = absl::StrCat(options.model, ": cut ", options.cut);
  const int last = static_cast<int>(table_.cuts.size()) - 1;
  if (options.cut < 1 || options.cut >= last) {
    return FieldError(what, "the input, the output or no cut",
                      absl::StrCat("1 to ", last - 1, " (cleave inspect --cuts all)"));
  }
  const CutInfo& cut = table_.cuts[static_cast<std::size_t>(options.cut)];
  if (!cut.obstacle.empty()) return FieldError(what, cut.obstacle, "a cut without an obstacle");
  if (cut.tensors.size() != 1) {
    return FieldError(what, absl::StrCat(cut.tensors.size(), " tensors"), "one");
  }
  tensor_ = cut.tensors.front();
  if (tensor_.dtype != DataType::kFloat32 || tensor_.shape.size() != 4 || tensor_.shape[0] != 1) {
    return FieldError(what,
                      absl::StrCat(DataTypeName(tensor_.dtype), " ", ShapeString(tensor_.shape)),
                      "FP32 of 1 x channels x height x width");
  }
  CutList cuts{table_.order, {}};
  for (const CutInfo& info : table_.cuts) cuts.cuts.push_back(info.cut);
  CLEAVE_ASSIGN_OR_RETURN(chain_,
                          Chain::Create(graph_, cuts, {0, options.cut, last}, RuntimeOptions()));
  return absl::OkStatus();
}

absl::Status BottleneckTask::MakeTail(const BottleneckOptions& options) {
  const CutInfo& cut = table_.cuts[static_cast<std::size_t>(options.cut)];
  const std::vector<int> nodes(table_.order.begin() + cut.cut.prefix_nodes, table_.order.end());
  std::vector<std::string> outputs;
  for (const TensorSpec& output : table_.cuts.back().tensors) {
    const int id = graph_->FindTensor(output.name);
    const bool in_tail = std::any_of(nodes.begin(), nodes.end(), [&](int node) {
      const std::vector<int>& made = graph_->nodes()[static_cast<std::size_t>(node)].outputs;
      return std::find(made.begin(), made.end(), id) != made.end();
    });
    if (in_tail && output.dtype == DataType::kFloat32) outputs.push_back(output.name);
  }
  const std::map<std::string, TensorType> types = {
      {tensor_.name, {tensor_.dtype, tensor_.shape, {}}}};
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes,
                          graph_->ExtractModel(nodes, {tensor_.name}, outputs, types));
  CLEAVE_ASSIGN_OR_RETURN(OperatorGraph read,
                          ReadOperators(bytes, graph_->folder(), options.model));
  CLEAVE_ASSIGN_OR_RETURN(tail_, TorchGraph::Create(std::move(read), options.model));

  CLEAVE_ASSIGN_OR_RETURN(const Tensor input,
                          ShowPicture(options.training.front(), how_, ShownPart()));
  CLEAVE_ASSIGN_OR_RETURN(const Observed observed, Observe(input));
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<NodeError> errors,
      CompareWithRuntime(bytes, graph_->folder(), {{tensor_.name, observed.tensor}}));
  for (const NodeError& error : errors) {
    worst_node_ = std::max(worst_node_, error.relative);
    if (error.relative <= kMostNodeError) continue;
    return absl::InternalError(absl::StrCat(options.model, ": tensor '", error.tensor,
                                            "': LibTorch differs from ONNX Runtime by ",
                                            error.relative, " of its largest magnitude"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Observed> BottleneckTask::Observe(const Tensor& input) const {
  CLEAVE_ASSIGN_OR_RETURN(ChainResult head,
                          chain_->Run(0, 1, {{graph_->inputs().front().name, input}}));
  Observed observed;
  observed.tensor = head.tensors.front().tensor;
  observed.early = std::move(head.early_outputs);
  CLEAVE_ASSIGN_OR_RETURN(observed.outputs, RunToOutputs(*chain_, 1, head.tensors, observed.early));
  return observed;
}

}  // namespace cleave
