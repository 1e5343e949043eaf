#include "edge/served_model.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

// The platform name that the protocol's servers use for ONNX files.
constexpr char kPlatform[] = "onnxruntime_onnx";

CutList ListOf(const CutTable& table) {
  CutList list;
  list.order = table.order;
  for (const CutInfo& info : table.cuts) list.cuts.push_back(info.cut);
  return list;
}

// The shapes of one cut at two batch sizes, as one: -1 where they differ.
std::vector<TensorSpec> Merge(std::vector<TensorSpec> specs,
                              const std::vector<TensorSpec>& others) {
  for (std::size_t i = 0; i < specs.size() && i < others.size(); ++i) {
    Shape& shape = specs[i].shape;
    const Shape& other = others[i].shape;
    for (std::size_t d = 0; d < shape.size() && d < other.size(); ++d) {
      if (shape[d] != other[d]) shape[d] = -1;
    }
  }
  return specs;
}

std::string NamesOf(const std::vector<TensorSpec>& specs) {
  return absl::StrJoin(specs, ", ", [](std::string* out, const TensorSpec& spec) {
    absl::StrAppend(out, "'", spec.name, "' ", DataTypeName(spec.dtype), " ",
                    ShapeString(spec.shape));
  });
}

bool Fits(const Shape& found, const Shape& expected) {
  return std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
                    [](std::int64_t a, std::int64_t b) { return b < 0 || a == b; });
}

absl::Status CheckInputs(const std::string& where, const std::vector<NamedTensor>& inputs,
                         const std::vector<TensorSpec>& expected) {
  if (inputs.size() != expected.size()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": found ", inputs.size(),
                                                   " inputs, expected ", expected.size(), ": ",
                                                   NamesOf(expected)));
  }
  for (const NamedTensor& input : inputs) {
    const auto spec =
        std::find_if(expected.begin(), expected.end(),
                     [&](const TensorSpec& candidate) { return candidate.name == input.name; });
    if (spec == expected.end()) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": found an input '",
                                                     input.name.substr(0, 256), "', expected ",
                                                     NamesOf(expected)));
    }
    if (input.tensor.dtype() != spec->dtype || !Fits(input.tensor.shape(), spec->shape)) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": input '", input.name, "': found ",
                       DataTypeName(input.tensor.dtype()), " ", ShapeString(input.tensor.shape()),
                       ", expected ", DataTypeName(spec->dtype), " ", ShapeString(spec->shape)));
    }
  }
  return absl::OkStatus();
}

// Along the first dimension that the model leaves open.
std::int64_t BatchOf(const std::vector<NamedTensor>& inputs,
                     const std::vector<TensorSpec>& expected) {
  for (const TensorSpec& spec : expected) {
    if (spec.shape.empty() || spec.shape.front() >= 0) continue;
    for (const NamedTensor& input : inputs) {
      if (input.name == spec.name) return input.tensor.shape().front();
    }
  }
  return 1;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const ServedModel>> ServedModel::Create(
    const std::string& name, std::shared_ptr<const Graph> graph, const Options& options) {
  const std::int64_t batch = std::max<std::int64_t>(1, graph->fixed_batch());
  CLEAVE_ASSIGN_OR_RETURN(const CutTable table, BuildCutTable(*graph, batch));
  const std::vector<int> boundaries = SelectCandidates(table, options.cuts);

  std::shared_ptr<ServedModel> model(new ServedModel);
  for (const int cut : boundaries) {
    model->inputs_of_cut_[cut] = table.cuts[static_cast<std::size_t>(cut)].tensors;
  }
  if (graph->fixed_batch() == 0) {
    CLEAVE_ASSIGN_OR_RETURN(const CutTable doubled, BuildCutTable(*graph, 2 * batch));
    for (auto& [cut, specs] : model->inputs_of_cut_) {
      specs = Merge(std::move(specs), doubled.cuts[static_cast<std::size_t>(cut)].tensors);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(model->chain_, Chain::Create(std::move(graph), ListOf(table), boundaries,
                                                       options.runtime, options.on_progress));
  model->inputs_of_cut_.erase(boundaries.back());
  model->info_ = {name,
                  model->chain_->graph().digest(),
                  kPlatform,
                  model->chain_->graph().inputs(),
                  model->chain_->graph().outputs(),
                  {boundaries.begin(), boundaries.end() - 1}};
  return model;
}

absl::Status ServedModel::CheckDigest(const std::string& digest) const {
  if (digest == info_.digest) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("model '", info_.name, "': found digest ",
                                                    digest.substr(0, 64), ", expected ",
                                                    info_.digest));
}

absl::StatusOr<Tail> ServedModel::Check(const InferCall& call) const {
  if (call.digest) CLEAVE_RETURN_IF_ERROR(CheckDigest(*call.digest));
  Tail tail;
  tail.cut = call.cut.value_or(0);
  const auto expected = inputs_of_cut_.find(tail.cut);
  if (expected == inputs_of_cut_.end()) {
    return absl::InvalidArgumentError(absl::StrCat("model '", info_.name, "': found cut ", tail.cut,
                                                   ", expected one of ",
                                                   absl::StrJoin(info_.cuts, ", ")));
  }
  CLEAVE_RETURN_IF_ERROR(CheckInputs(absl::StrCat("model '", info_.name, "' at cut ", tail.cut),
                                     call.inputs, expected->second));
  for (const std::string& output : call.outputs) {
    if (std::none_of(info_.outputs.begin(), info_.outputs.end(),
                     [&](const TensorSpec& spec) { return spec.name == output; })) {
      return absl::InvalidArgumentError(absl::StrCat("model '", info_.name, "': found an output '",
                                                     output.substr(0, 256), "', expected of ",
                                                     NamesOf(info_.outputs)));
    }
  }
  tail.from = chain_->BoundaryOf(tail.cut);
  tail.batch = BatchOf(call.inputs, expected->second);
  return tail;
}

absl::StatusOr<ServedModel::Result> ServedModel::Run(const Tail& tail, const InferCall& call,
                                                     const CancelToken& cancel) const {
  CLEAVE_ASSIGN_OR_RETURN(ChainResult run,
                          chain_->Run(tail.from, chain_->segments(), call.inputs, cancel));
  Result result;
  result.compute_us = run.run_us;
  std::vector<NamedTensor> all = std::move(run.tensors);
  for (NamedTensor& early : run.early_outputs) {
    const bool known = std::any_of(all.begin(), all.end(),
                                   [&](const NamedTensor& one) { return one.name == early.name; });
    if (!known) all.push_back(std::move(early));
  }
  if (call.outputs.empty()) {
    result.outputs = std::move(all);
    return result;
  }
  for (const std::string& name : call.outputs) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const NamedTensor& one) { return one.name == name; });
    if (found == all.end()) {
      return absl::InvalidArgumentError(absl::StrCat("model '", info_.name, "': output '", name,
                                                     "' comes before cut ", tail.cut));
    }
    result.outputs.push_back(std::move(*found));
  }
  return result;
}

}  // namespace cleave
