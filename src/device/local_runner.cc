#include "device/local_runner.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/image.h"
#include "codec/picture.h"
#include "core/named_tensors.h"
#include "core/status_macros.h"

namespace cleave {

absl::StatusOr<PreparedInput> LocalRunner::Prepare(const InferenceRequest& request) const {
  if (!request.has_pictures()) return PreparedInput{request.tensors};
  const std::int64_t start_us = clock_.NowUs();
  std::vector<Tensor> items;
  for (const std::string& file : request.pictures) {
    const std::string origin = absl::StrCat("picture ", items.size());
    CLEAVE_ASSIGN_OR_RETURN(Tensor item, ImageToTensor(file, *model_.pictures, origin));
    items.push_back(std::move(item));
  }
  CLEAVE_ASSIGN_OR_RETURN(Tensor stacked, StackBatch(items));
  PreparedInput input;
  input.tensors = {{model_.graph->inputs().front().name, std::move(stacked)}};
  CLEAVE_RETURN_IF_ERROR(CheckInputs(*model_.graph, input.tensors).status());
  input.prepare_us = clock_.NowUs() - start_us;
  own_.LearnPicture(static_cast<double>(input.prepare_us) / static_cast<double>(request.batch));
  return input;
}

absl::StatusOr<ChainProgress> LocalRunner::RunTo(const LocalExit& exit, int boundary,
                                                 const InferenceRequest& request,
                                                 ChainProgress from) const {
  if (boundary == from.boundary) return from;
  CLEAVE_ASSIGN_OR_RETURN(ChainResult run, Run(exit, from.boundary, boundary, from.live,
                                               request.shapes, request.cancel));
  ChainProgress to = std::move(from);
  to.boundary = boundary;
  to.live = std::move(run.tensors);
  to.early.insert(to.early.end(), run.early_outputs.begin(), run.early_outputs.end());
  to.run_us += run.run_us;
  return to;
}

absl::StatusOr<HeadRun> LocalRunner::RunHead(const InferenceRequest& request,
                                             const Decided& decided) const {
  HeadRun head;
  if (!decided.sends_pictures() || model_.filter) {
    CLEAVE_ASSIGN_OR_RETURN(PreparedInput input, Prepare(request));
    head.prepare_us = input.prepare_us;
    head.progress.live = std::move(input.tensors);
  }
  if (model_.filter) CLEAVE_RETURN_IF_ERROR(AskFilter(request, decided, head));
  if (head.answer) return head;
  CLEAVE_ASSIGN_OR_RETURN(EarlyExits early,
                          TryEarlyExits(request, decided, std::move(head.progress)));
  head.confidence = early.confidence;
  head.confident = early.answer.has_value();
  head.answer = std::move(early.answer);
  head.progress = std::move(early.progress);
  if (head.answer) return head;
  const Chain& chain = decided.exit->chain();
  if (decided.hedge && decided.where != Where::kDevice) {
    CLEAVE_ASSIGN_OR_RETURN(head.progress, RunTo(*decided.exit, decided.hedge->from.boundary,
                                                 request, std::move(head.progress)));
    head.hedge_live = head.progress.live;
  }
  CLEAVE_ASSIGN_OR_RETURN(head.progress,
                          RunTo(*decided.exit, chain.BoundaryOf(decided.cost.plan.cut), request,
                                std::move(head.progress)));
  if (decided.where == Where::kDevice) {
    CLEAVE_ASSIGN_OR_RETURN(head.answer, AnswerOnDevice(decided, head.progress));
    own_.finite().Learn(head.answer->outputs);
  } else if (head.progress.boundary == 0 && !decided.plain_edge()) {
    head.progress.live = PickTensors(chain.LiveTensors(0), head.progress.live);
  }
  return head;
}

absl::Status LocalRunner::AskFilter(const InferenceRequest& request, const Decided& decided,
                                    HeadRun& head) const {
  const Chain& chain = decided.exit->chain();
  const int asked = chain.BoundaryOf(model_.filter->cut());
  const int planned = chain.BoundaryOf(decided.cost.plan.cut);
  CLEAVE_ASSIGN_OR_RETURN(head.progress, RunTo(*decided.exit, std::min(asked, planned), request,
                                               std::move(head.progress)));
  ChainProgress at_filter = head.progress;
  CLEAVE_ASSIGN_OR_RETURN(at_filter, RunTo(*decided.exit, asked, request, std::move(at_filter)));
  CLEAVE_ASSIGN_OR_RETURN(head.filter, model_.filter->Ask(at_filter.live, request.id));
  head.progress.run_us = at_filter.run_us;
  if (head.filtered()) {
    head.answer.emplace();
    head.answer->plan = {decided.plan.exit, model_.filter->cut(), Encoding::kFp32};
  } else if (planned < asked) {
    head.deeper = std::move(at_filter);
  }
  return absl::OkStatus();
}

absl::StatusOr<LocalRunner::EarlyExits> LocalRunner::TryEarlyExits(const InferenceRequest& request,
                                                                   const Decided& decided,
                                                                   ChainProgress progress) const {
  EarlyExits looked;
  looked.progress = std::move(progress);
  const Plan& plan = decided.cost.plan;
  if (!confidence_ || plan.exit != model_.graph->exit_count() - 1) return looked;
  for (const LocalExit& early : model_.exits) {
    if (&early == decided.exit || early.model.fork.last_cut > plan.cut) break;
    CLEAVE_ASSIGN_OR_RETURN(
        looked.progress,
        RunTo(*decided.exit, decided.exit->chain().BoundaryOf(early.model.fork.last_cut), request,
              std::move(looked.progress)));
    const int from = early.chain().BoundaryOf(early.model.fork.cut);
    CLEAVE_ASSIGN_OR_RETURN(ChainResult branch,
                            Run(early, from, early.chain().segments(), looked.progress.live,
                                request.shapes, request.cancel));
    looked.progress.run_us += branch.run_us;
    CLEAVE_ASSIGN_OR_RETURN(const double confidence,
                            confidence_->OfBatch(branch.tensors.front().tensor));
    looked.confidence = confidence;
    if (!confidence_->Sure(confidence)) continue;
    looked.answer.emplace();
    looked.answer->outputs = std::move(branch.tensors);
    looked.answer->plan = {early.model.exit(), early.model.last_cut(), Encoding::kFp32};
    break;
  }
  return looked;
}

HedgeRun LocalRunner::RunHedge(const InferenceRequest& request, const Decided& decided,
                               const HeadRun& head, const CancelToken& cancel) const {
  HedgeRun run;
  if (head.hedge_live.empty()) {
    absl::StatusOr<PreparedInput> input = Prepare(request);
    if (!input.ok()) {
      run.outputs = input.status();
      return run;
    }
    run.input = *std::move(input);
  }
  const std::vector<NamedTensor>& live = run.input ? run.input->tensors : head.hedge_live;
  run.outputs = RunHedgeFrom(live, *decided.hedge, request.shapes, cancel);
  run.finished_us = clock_.NowUs() - request.start_us;
  return run;
}

absl::StatusOr<std::vector<NamedTensor>> LocalRunner::RunHedgeFrom(
    const std::vector<NamedTensor>& live, const HedgePlan& hedge, const InputShapes& shapes,
    const CancelToken& cancel) const {
  CLEAVE_ASSIGN_OR_RETURN(
      ChainResult run,
      Run(*hedge.exit, hedge.from.other, hedge.exit->chain().segments(), live, shapes, cancel));
  std::vector<std::string> names;
  for (const TensorSpec& spec : hedge.exit->outputs()) names.push_back(spec.name);
  std::vector<NamedTensor> outputs = PickTensors(names, run.tensors);
  if (outputs.size() == names.size()) return outputs;
  return absl::InternalError(
      absl::StrCat("exit ", hedge.cost.plan.exit, ": the run gave not all of its outputs"));
}

absl::StatusOr<Answer> LocalRunner::RunTail(const InferenceRequest& request, const Decided& decided,
                                            const HeadRun& head, Unanswered unanswered) const {
  ChainProgress progress = head.deeper.value_or(head.progress);
  if (progress.live.empty()) {
    if (!unanswered.input) {
      CLEAVE_ASSIGN_OR_RETURN(unanswered.input, Prepare(request));
      unanswered.time.prepare_us = unanswered.input->prepare_us;
    }
    progress.live = std::move(unanswered.input->tensors);
  }
  progress.run_us = 0;
  const int last = decided.exit->chain().BoundaryOf(decided.exit->model.last_cut());
  CLEAVE_ASSIGN_OR_RETURN(progress, RunTo(*decided.exit, last, request, std::move(progress)));
  CLEAVE_ASSIGN_OR_RETURN(Answer answer, AnswerOnDevice(decided, progress));
  own_.finite().Learn(answer.outputs);
  answer.fallback = std::move(unanswered.fallback);
  answer.hedge = unanswered.hedge;
  answer.verification = unanswered.verification;
  answer.time = unanswered.time;
  answer.time.tail_us = progress.run_us;
  return answer;
}

absl::StatusOr<ChainResult> LocalRunner::Run(const LocalExit& exit, int from, int to,
                                             const std::vector<NamedTensor>& tensors,
                                             const InputShapes& shapes,
                                             const CancelToken& cancel) const {
  const std::int64_t start_us = clock_.NowUs();
  const bool measured = exit.profile.Has(shapes);
  CLEAVE_ASSIGN_OR_RETURN(ChainResult done, exit.chain().Run(from, to, tensors, cancel,
                                                             measured ? Chain::Report::kNothing
                                                                      : Chain::Report::kLiveTypes));
  done.run_us = std::max(done.run_us, clock_.NowUs() - start_us);
  if (measured) {
    own_.AddRun(exit.profile.TimeUs(from, to, shapes), static_cast<double>(done.run_us));
    return done;
  }
  // A run at shapes that nobody has measured says nothing of the machine, but all of the shapes.
  const std::shared_ptr<const ShapeCosts> costs = book_.Get(shapes);
  const double slowdown = own_.State().slowdown.mean;
  if (KnowsSegments(exit, from, to, shapes, costs.get())) {
    own_.AddRun(SegmentsUs(exit, from, to, shapes, costs.get()), static_cast<double>(done.run_us));
  }
  book_.AddRun(exit, from, shapes, done, slowdown);
  return done;
}

}  // namespace cleave
