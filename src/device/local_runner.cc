#include "device/local_runner.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/image.h"
#include "codec/picture.h"
#include "core/status_macros.h"
#include "device/named_tensors.h"

namespace cleave {
namespace {

void Append(std::vector<NamedTensor>& to, const std::vector<NamedTensor>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

absl::Status Finish(const Pass& pass, InferenceRecord& record) {
  for (const TensorSpec& spec : pass.exit->outputs()) {
    const Tensor* tensor = FindTensor(pass.live, spec.name);
    if (tensor == nullptr) tensor = FindTensor(pass.early, spec.name);
    if (tensor == nullptr) {
      return absl::InternalError(absl::StrCat("output '", spec.name, "': the run gave none"));
    }
    record.outputs.push_back({spec.name, *tensor});
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LocalRunner::Prepare(Pass& pass, InferenceRecord& record) const {
  if (pass.pictures == nullptr) return absl::OkStatus();
  const std::int64_t start_us = clock_.NowUs();
  std::vector<Tensor> items;
  for (const std::string& file : *pass.pictures) {
    const std::string origin = absl::StrCat("picture ", items.size());
    CLEAVE_ASSIGN_OR_RETURN(Tensor item, ImageToTensor(file, *model_.pictures, origin));
    items.push_back(std::move(item));
  }
  CLEAVE_ASSIGN_OR_RETURN(Tensor stacked, StackBatch(items));
  pass.live = {{model_.graph->inputs().front().name, std::move(stacked)}};
  CLEAVE_RETURN_IF_ERROR(CheckInputs(*model_.graph, pass.live).status());
  record.timeline.prepare_us = clock_.NowUs() - start_us;
  own_.LearnPicture(static_cast<double>(record.timeline.prepare_us) /
                    static_cast<double>(pass.batch));
  return absl::OkStatus();
}

absl::Status LocalRunner::RunTo(int cut, Pass& pass, std::int64_t& spent_us) const {
  const int boundary = pass.exit->chain().BoundaryOf(cut);
  if (boundary == pass.boundary) return absl::OkStatus();
  CLEAVE_ASSIGN_OR_RETURN(ChainResult run,
                          Run(*pass.exit, pass.boundary, boundary, pass.live, pass.batch));
  spent_us += run.run_us;
  Append(pass.early, run.early_outputs);
  pass.live = std::move(run.tensors);
  pass.boundary = boundary;
  return absl::OkStatus();
}

absl::Status LocalRunner::RunToEnd(Pass& pass, std::int64_t& spent_us,
                                   InferenceRecord& record) const {
  CLEAVE_RETURN_IF_ERROR(RunTo(pass.exit->model.last_cut(), pass, spent_us));
  return Finish(pass, record);
}

absl::Status LocalRunner::RunHead(Pass& pass, InferenceRecord& record) const {
  if (record.where == Where::kDevice) return RunToEnd(pass, record.timeline.head_us, record);
  if (pass.hedge) CLEAVE_RETURN_IF_ERROR(KeepForHedge(pass, record));
  CLEAVE_RETURN_IF_ERROR(RunTo(pass.cost.plan.cut, pass, record.timeline.head_us));
  if (pass.boundary == 0 && !pass.plain_edge()) {
    pass.live = PickTensors(pass.exit->chain().LiveTensors(0), pass.live);
  }
  return absl::OkStatus();
}

absl::Status LocalRunner::KeepForHedge(Pass& pass, InferenceRecord& record) const {
  const int cut = pass.exit->chain().boundaries()[pass.hedge->from.boundary];
  CLEAVE_RETURN_IF_ERROR(RunTo(cut, pass, record.timeline.head_us));
  pass.hedge->live = pass.live;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NamedTensor>> LocalRunner::RunHedge(Pass& pass,
                                                               const CancelToken& cancel,
                                                               InferenceRecord& record) const {
  HedgePlan& hedge = *pass.hedge;
  if (hedge.live.empty()) {
    CLEAVE_RETURN_IF_ERROR(Prepare(pass, record));
    hedge.live = pass.live;
  }
  const Chain& chain = hedge.exit->chain();
  CLEAVE_ASSIGN_OR_RETURN(ChainResult run, Run(*hedge.exit, hedge.from.other, chain.segments(),
                                               hedge.live, pass.batch, cancel));
  std::vector<std::string> names;
  for (const TensorSpec& spec : hedge.exit->outputs()) names.push_back(spec.name);
  std::vector<NamedTensor> outputs = PickTensors(names, run.tensors);
  if (outputs.size() == names.size()) return outputs;
  return absl::InternalError(
      absl::StrCat("exit ", hedge.cost.plan.exit, ": the run gave not all of its outputs"));
}

absl::StatusOr<bool> LocalRunner::TryEarlyExits(Pass& pass, InferenceRecord& record) const {
  if (!confidence_ || pass.cost.plan.exit != model_.graph->exit_count() - 1) return false;
  for (const LocalExit& early : model_.exits) {
    if (&early == pass.exit || early.model.fork.last_cut > pass.cost.plan.cut) break;
    CLEAVE_RETURN_IF_ERROR(RunTo(early.model.fork.last_cut, pass, record.timeline.head_us));
    const int from = early.chain().BoundaryOf(early.model.fork.cut);
    CLEAVE_ASSIGN_OR_RETURN(ChainResult branch,
                            Run(early, from, early.chain().segments(), pass.live, pass.batch));
    record.timeline.head_us += branch.run_us;
    CLEAVE_ASSIGN_OR_RETURN(const double confidence,
                            confidence_->OfBatch(branch.tensors.front().tensor));
    record.confidence = confidence;
    if (!confidence_->Sure(confidence)) continue;
    record.outputs = std::move(branch.tensors);
    record.plan = {early.model.exit(), early.model.last_cut(), Encoding::kFp32};
    record.where = Where::kDevice;
    record.accuracy.reset();
    record.reason = "confident";
    return true;
  }
  return false;
}

absl::StatusOr<ChainResult> LocalRunner::Run(const LocalExit& exit, int from, int to,
                                             const std::vector<NamedTensor>& tensors,
                                             std::int64_t batch, const CancelToken& cancel) const {
  const std::int64_t start_us = clock_.NowUs();
  CLEAVE_ASSIGN_OR_RETURN(ChainResult done, exit.chain().Run(from, to, tensors, cancel));
  done.run_us = std::max(done.run_us, clock_.NowUs() - start_us);
  own_.AddRun(exit.profile.TimeUs(from, to, batch), static_cast<double>(done.run_us));
  return done;
}

}  // namespace cleave
