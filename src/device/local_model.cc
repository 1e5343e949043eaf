#include "device/local_model.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status_macros.h"
#include "device/named_tensors.h"
#include "policy/policy.h"

namespace cleave {
namespace {

CutList CutsOf(const CutTable& table) {
  CutList list;
  list.order = table.order;
  for (const CutInfo& info : table.cuts) list.cuts.push_back(info.cut);
  return list;
}

absl::StatusOr<std::vector<int>> Candidates(const CutTable& table, const DeviceOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const CandidateSpec spec, CandidateSpec::Parse(options.cuts));
  std::vector<int> candidates = SelectCandidates(table, spec);
  const std::optional<int> fixed = FixedCut(options.policy);
  if (!fixed) return candidates;
  if (*fixed >= static_cast<int>(table.cuts.size())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "policy: found '", options.policy, "', expected a cut from 0 to ", table.cuts.size() - 1));
  }
  const auto place = std::lower_bound(candidates.begin(), candidates.end(), *fixed);
  if (place == candidates.end() || *place != *fixed) candidates.insert(place, *fixed);
  return candidates;
}

std::string InputNames(const std::vector<TensorSpec>& specs) {
  return absl::StrJoin(specs, ", ", [](std::string* out, const TensorSpec& spec) {
    absl::StrAppend(out, "'", spec.name, "'");
  });
}

absl::Status CheckOne(const TensorSpec& spec, const Tensor& tensor) {
  if (tensor.dtype() != spec.dtype) {
    return absl::InvalidArgumentError(absl::StrCat("input '", spec.name, "': found type ",
                                                   DataTypeName(tensor.dtype()), ", expected ",
                                                   DataTypeName(spec.dtype)));
  }
  const Shape& shape = tensor.shape();
  bool fits = shape.size() == spec.shape.size();
  for (std::size_t i = 0; fits && i < shape.size(); ++i) {
    fits = shape[i] > 0 && (spec.shape[i] < 0 || spec.shape[i] == shape[i]);
  }
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("input '", spec.name, "': found shape ",
                                                 ShapeString(shape), ", expected ",
                                                 ShapeString(spec.shape)));
}

// The first runs of a session are slow (allocations, cold weights); they are nobody's inference.
// The time of the last.
absl::StatusOr<double> WarmUp(const LocalModel& model) {
  constexpr int kRuns = 3;
  double run_us = 0;
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> inputs,
                          RandomInputs(*model.graph, model.table.batch, 1));
  for (int i = 0; i < kRuns; ++i) {
    CLEAVE_ASSIGN_OR_RETURN(const ChainResult run,
                            model.chain->Run(0, model.chain->segments(), inputs));
    run_us = static_cast<double>(run.run_us);
  }
  return run_us;
}

absl::StatusOr<Profile> FindProfile(const LocalModel& model, const DeviceOptions& options,
                                    const RuntimeOptions& runtime) {
  if (options.profile.empty()) {
    return LoadOrMeasureProfile(*model.chain, runtime, {model.table.batch}, {}, [&](double share) {
      if (options.on_progress) {
        options.on_progress("measuring the profile", share);
      }
    });
  }
  CLEAVE_ASSIGN_OR_RETURN(Profile profile,
                          Profile::Load(options.profile, MakeProfileKey(*model.chain, runtime)));
  if (profile.batches().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.profile, ": batches: found none, expected at least one"));
  }
  return profile;
}

}  // namespace

absl::StatusOr<LocalModel> LocalModel::Load(const std::string& model_path,
                                            const DeviceOptions& options) {
  const auto say = [&](const std::string& what, double share) {
    if (options.on_progress) options.on_progress(what, share);
  };
  LocalModel model;
  RuntimeOptions runtime;
  runtime.threads = options.threads;
  CLEAVE_ASSIGN_OR_RETURN(runtime.provider, ProviderSpec::Parse(options.provider));
  CLEAVE_RETURN_IF_ERROR(runtime.Validate());

  say("reading the model", 0);
  CLEAVE_ASSIGN_OR_RETURN(model.graph, Graph::Load(model_path));
  const std::int64_t fixed = model.graph->fixed_batch();
  CLEAVE_ASSIGN_OR_RETURN(model.table,
                          BuildCutTable(*model.graph, fixed > 0 ? fixed : options.batch));
  CLEAVE_ASSIGN_OR_RETURN(model.candidates, Candidates(model.table, options));
  CLEAVE_ASSIGN_OR_RETURN(
      model.chain, Chain::Create(model.graph, CutsOf(model.table), model.candidates, runtime,
                                 [&](int done, int total) {
                                   say("building segments", static_cast<double>(done) / total);
                                 }));
  CLEAVE_ASSIGN_OR_RETURN(model.profile, FindProfile(model, options, runtime));
  CLEAVE_ASSIGN_OR_RETURN(model.warm_run_us, WarmUp(model));
  return model;
}

absl::StatusOr<std::int64_t> CheckInputs(const Graph& graph,
                                         const std::vector<NamedTensor>& inputs) {
  const std::vector<TensorSpec>& specs = graph.inputs();
  for (const NamedTensor& input : inputs) {
    const bool known = std::any_of(specs.begin(), specs.end(),
                                   [&](const TensorSpec& spec) { return spec.name == input.name; });
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", input.name, "': the model has none of this name, expected ",
                       InputNames(specs)));
    }
  }
  std::int64_t batch = graph.fixed_batch();
  const bool free_batch = batch == 0;
  for (const TensorSpec& spec : specs) {
    const Tensor* input = FindTensor(inputs, spec.name);
    if (input == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("input '", spec.name, "': missing"));
    }
    CLEAVE_RETURN_IF_ERROR(CheckOne(spec, *input));
    if (!free_batch || spec.shape.empty() || spec.shape[0] >= 0) continue;
    const std::int64_t found = input->shape()[0];
    if (batch != 0 && batch != found) {
      return absl::InvalidArgumentError(absl::StrCat("input '", spec.name, "': found batch size ",
                                                     found, ", expected ", batch,
                                                     " as the other inputs have"));
    }
    batch = found;
  }
  if (inputs.size() != specs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("inputs: found ", inputs.size(), ", expected ",
                                                   specs.size(), ": ", InputNames(specs)));
  }
  return batch > 0 ? batch : 1;
}

}  // namespace cleave
