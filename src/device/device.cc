#include "cleave/device.h"

#include <atomic>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "device/confidence.h"
#include "device/decider.h"
#include "device/detections.h"
#include "device/device_impl.h"
#include "device/edge_link.h"
#include "device/hedged_tail.h"
#include "device/in_flight.h"
#include "device/inference.h"
#include "device/local_model.h"
#include "device/local_runner.h"
#include "device/options.h"
#include "device/own_estimates.h"
#include "device/processor_queue.h"
#include "device/record.h"
#include "device/remote_caller.h"
#include "device/timeout.h"
#include "device/verifier.h"

namespace cleave {
namespace {

class DeviceImpl final : public Device {
 public:
  DeviceImpl(DeviceOptions options, std::optional<ConfidenceRule> confidence, LocalModel model,
             const Clock& clock)
      : options_(std::move(options)),
        model_(std::move(model)),
        clock_(clock),
        own_(clock),
        book_(model_),
        decider_(model_, options_, own_, book_, clock),
        runner_(model_, confidence, own_, book_, clock),
        verifier_(options_.edge.verify_share, options_.runtime.seed),
        in_flight_(options_.stream) {
    const LocalExit& main = model_.main();
    own_.AddRun(main.TimeUs(0, main.model.last_cut(), model_.shapes()), model_.warm_run_us);
    own_.LearnPicture(model_.picture_us);
  }

  void Attach(std::unique_ptr<EdgeLink> link) {
    link_ = std::move(link);
    caller_.emplace(model_, options_.edge.model, *link_, own_, book_, clock_);
    if (options_.deadline.max_miss) {
      hedged_.emplace(options_.edge.remote_timeout_us, runner_, *caller_, own_, clock_);
    }
  }

  absl::StatusOr<InferenceRecord> Infer(const std::vector<NamedTensor>& inputs) override {
    return in_flight_.RunHere([&]() -> absl::StatusOr<InferenceRecord> {
      CLEAVE_ASSIGN_OR_RETURN(InferenceRequest request, RequestOf(inputs));
      request.id = next_id_++;
      return Run(std::move(request));
    });
  }

  absl::StatusOr<InferenceRecord> InferPictures(const std::vector<std::string>& files) override {
    return in_flight_.RunHere([&]() -> absl::StatusOr<InferenceRecord> {
      CLEAVE_ASSIGN_OR_RETURN(InferenceRequest request, RequestOf(files));
      request.id = next_id_++;
      return Run(std::move(request));
    });
  }

  using Device::InferAsync;

  absl::Status InferAsync(std::vector<NamedTensor> inputs, InferenceDone done,
                          const CancelToken& cancel) override {
    return Start(std::move(inputs), std::move(done), cancel);
  }

  absl::Status InferPicturesAsync(std::vector<std::string> files, InferenceDone done,
                                  const CancelToken& cancel) override {
    return Start(std::move(files), std::move(done), cancel);
  }

  absl::Status SetPolicy(const std::string& spec) override { return decider_.SetPolicy(spec); }

  absl::StatusOr<std::vector<PlanForecast>> Explain(std::int64_t batch) override {
    CLEAVE_ASSIGN_OR_RETURN(const InputShapes shapes,
                            WithBatch(*model_.graph, model_.shapes(), batch));
    return decider_.Forecast(shapes, View());
  }

  const std::vector<TensorSpec>& inputs() const override { return model_.graph->inputs(); }
  std::vector<TensorSpec> profiled_inputs() const override {
    return model_.main().model.table.inputs.specs;
  }
  std::vector<std::string> shape_guesses() const override {
    return model_.main().model.table.inputs.guesses;
  }
  std::vector<std::string> warnings() const override { return model_.warnings; }
  std::vector<std::optional<int>> batch_axes() const override {
    std::vector<std::optional<int>> axes;
    for (std::size_t i = 0; i < inputs().size(); ++i) axes.push_back(BatchAxis(*model_.graph, i));
    return axes;
  }
  const std::vector<TensorSpec>& outputs() const override { return model_.main().outputs(); }
  std::vector<std::string> exits() const override { return model_.graph->exits(); }
  std::vector<int> candidate_cuts() const override { return model_.main().model.candidates; }
  int last_cut() const override { return model_.main().model.last_cut(); }
  bool edge_usable() const override { return View().value_or(EdgeView()).usable; }
  std::string edge_problem() const override {
    const std::optional<EdgeView> view = View();
    return view ? view->problem : kNoEdge;
  }

 private:
  // Nothing where no edge was given.
  std::optional<EdgeView> View() const {
    if (link_ == nullptr) return std::nullopt;
    EdgeView view = link_->View();
    if (hedged_ && hedged_->overdue()) {
      view.usable = false;
      view.problem = "edge unavailable: its answer to an earlier inference is overdue";
    }
    return view;
  }

  absl::StatusOr<InputShapes> CheckPictures(const std::vector<std::string>& files) const {
    if (!model_.pictures) {
      return absl::InvalidArgumentError(
          "pictures: the model takes none, expected one FP32, FP16 or UINT8 input of four "
          "dimensions");
    }
    return WithBatch(*model_.graph, model_.shapes(), static_cast<std::int64_t>(files.size()));
  }

  InferenceRequest NewRequest() const {
    InferenceRequest request;
    request.start_us = clock_.NowUs();
    request.deadline_us = options_.deadline.deadline_us;
    return request;
  }

  absl::StatusOr<InferenceRequest> RequestOf(const std::vector<NamedTensor>& inputs) const {
    InferenceRequest request = NewRequest();
    CLEAVE_ASSIGN_OR_RETURN(request.shapes, CheckInputs(*model_.graph, inputs));
    request.batch = BatchOf(*model_.graph, request.shapes);
    request.tensors = inputs;
    return request;
  }

  absl::StatusOr<InferenceRequest> RequestOf(const std::vector<std::string>& files) const {
    InferenceRequest request = NewRequest();
    CLEAVE_ASSIGN_OR_RETURN(request.shapes, CheckPictures(files));
    request.batch = static_cast<std::int64_t>(files.size());
    request.pictures = files;
    return request;
  }

  // The inputs live until the inference has ended.
  template <typename Inputs>
  absl::Status Start(Inputs inputs, InferenceDone done, const CancelToken& cancel) {
    const auto held = std::make_shared<const Inputs>(std::move(inputs));
    CLEAVE_ASSIGN_OR_RETURN(InferenceRequest request, RequestOf(*held));
    request.cancel = CancelToken::Under(cancel);
    request.id = next_id_++;
    return in_flight_.Start([this, request, held] { return Run(request); }, std::move(done),
                            request.cancel);
  }

  static ProcessorQueue::Place PlaceOf(const InferenceRequest& request) {
    const std::int64_t due_us = request.deadline_us ? request.start_us + *request.deadline_us
                                                    : std::numeric_limits<std::int64_t>::max();
    return {due_us, request.start_us, request.id};
  }

  absl::StatusOr<InferenceRecord> Run(InferenceRequest request) {
    ProcessorQueue::Turn turn(processor_, PlaceOf(request));
    // With one in flight nothing is waited for.
    if (options_.stream.max_in_flight > 1) request.wait_us = clock_.NowUs() - request.start_us;
    if (request.cancel.cancelled()) return absl::CancelledError("inference: cancelled");
    const Decided decided = decider_.Decide(request, View());
    CLEAVE_ASSIGN_OR_RETURN(HeadRun head, runner_.RunHead(request, decided));
    CLEAVE_ASSIGN_OR_RETURN(Answer answer, AnswerAfter(request, decided, head, turn));
    if (!head.filtered()) {
      CLEAVE_ASSIGN_OR_RETURN(answer, WithDetections(model_, request, std::move(answer)));
    }
    // One that the filter ended says nothing of the plan that was decided.
    const bool nothing_to_learn = answer.learned_later || head.filtered();
    InferenceRecord record =
        AssembleRecord(request, decided, head, std::move(answer), clock_.NowUs());
    if (nothing_to_learn) return record;
    own_.AddInference({.predicted_us = record.predicted_us,
                       .latency_us = static_cast<double>(record.latency_us - request.wait_us),
                       .missed = record.deadline_missed,
                       .remote = decided.cost.remote()});
    return record;
  }

  // `turn` is given up while the edge works and the device does not.
  absl::StatusOr<Answer> AnswerAfter(const InferenceRequest& request, const Decided& decided,
                                     const HeadRun& head, ProcessorQueue::Turn& turn) {
    if (head.answer) return *head.answer;
    EdgeOutcome outcome = decided.hedge && hedged_ ? hedged_->Run(request, decided, head)
                                                   : AskEdge(request, decided, head, turn);
    if (auto* answer = std::get_if<Answer>(&outcome)) return std::move(*answer);
    const std::int64_t asked_us = clock_.NowUs();
    turn.Take();
    Unanswered unanswered = std::get<Unanswered>(std::move(outcome));
    if (options_.stream.max_in_flight > 1) {
      unanswered.time.wait_us += clock_.NowUs() - asked_us;
    }
    return runner_.RunTail(request, decided, head, std::move(unanswered));
  }

  EdgeOutcome AskEdge(const InferenceRequest& request, const Decided& decided, const HeadRun& head,
                      ProcessorQueue::Turn& turn) const {
    const std::int64_t timeout_us = RemoteTimeoutUs(
        TermsOfWait(request, decided, options_.edge.remote_timeout_us, clock_.NowUs()));
    if (timeout_us <= 0) {
      return Unanswered{.fallback = "deadline: the head took too long to wait for the edge"};
    }
    const absl::StatusOr<RemoteRequest> remote = caller_->Make(request, decided, head);
    if (!remote.ok()) return Unanswered{.fallback = NotSentText(remote.status())};
    RemoteAnswer asked =
        caller_->Ask(*remote, timeout_us, request.cancel, [&turn] { turn.Release(); });
    return Verified(request.id, decided, *remote, std::move(asked), turn);
  }

  EdgeOutcome Verified(std::int64_t inference, const Decided& decided, const RemoteRequest& remote,
                       RemoteAnswer asked, ProcessorQueue::Turn& turn) const {
    if (verifier_.Draws(inference)) turn.Take();
    const auto verification = verifier_.Verify(inference, remote, asked);
    if (verification && !verification->agrees) {
      Unanswered unanswered{.fallback = DisagreementText(*verification)};
      unanswered.verification = verification;
      unanswered.time.wasted_us = asked.took_us;
      return unanswered;
    }
    EdgeOutcome outcome = OutcomeOf(decided, remote, std::move(asked));
    if (auto* answer = std::get_if<Answer>(&outcome)) answer->verification = verification;
    return outcome;
  }

  const DeviceOptions options_;
  const LocalModel model_;
  const Clock& clock_;
  OwnEstimates own_;
  ShapeBook book_;
  Decider decider_;
  const LocalRunner runner_;
  const Verifier verifier_;

  ProcessorQueue processor_;
  std::atomic<std::int64_t> next_id_ = 0;

  std::unique_ptr<EdgeLink> link_;
  std::optional<RemoteCaller> caller_;  // It is there where there is a link,
  std::optional<HedgedTail> hedged_;    // and this where max_miss is set as well.

  InFlight in_flight_;  // Ends before all that its inferences use.
};

}  // namespace

std::future<absl::StatusOr<InferenceRecord>> Device::InferAsync(std::vector<NamedTensor> inputs,
                                                                const CancelToken& cancel) {
  const auto promise = std::make_shared<std::promise<absl::StatusOr<InferenceRecord>>>();
  std::future<absl::StatusOr<InferenceRecord>> future = promise->get_future();
  const absl::Status started = InferAsync(
      std::move(inputs),
      [promise](absl::StatusOr<InferenceRecord> record) { promise->set_value(std::move(record)); },
      cancel);
  if (!started.ok()) promise->set_value(started);
  return future;
}

absl::StatusOr<std::unique_ptr<Device>> OpenDevice(const std::string& model_path,
                                                   DeviceOptions options,
                                                   const DeviceSurroundings& surroundings) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_ASSIGN_OR_RETURN(LocalModel model, LocalModel::Load(model_path, options));
  CLEAVE_RETURN_IF_ERROR(CheckAccuracyBar(model, options.plans));
  CLEAVE_RETURN_IF_ERROR(CheckConfidenceExit(model, options.plans));
  if (options.edge.model.empty()) options.edge.model = model.graph->name();
  const GreetingTerms terms = TermsFor(model, model_path, options);
  CLEAVE_ASSIGN_OR_RETURN(const auto confidence,
                          ConfidenceRule::Parse(options.plans.exit_confidence));
  auto device =
      std::make_unique<DeviceImpl>(options, confidence, std::move(model), *surroundings.clock);
  CLEAVE_RETURN_IF_ERROR(device->SetPolicy(options.plans.policy));
  const auto say = [&](const std::string& what, double share) {
    if (options.on_progress) options.on_progress(what, share);
  };
  if (options.edge.address.empty()) {
    say("ready", 1);
    return device;
  }
  say("greeting the edge", 0);
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<EdgeClient> client,
                          surroundings.connect(ClientOptionsOf(options.edge)));
  auto link = std::make_unique<EdgeLink>(std::move(client), terms, *surroundings.clock,
                                         options.runtime.seed, surroundings.timing,
                                         options.edge.data_budget_bps);
  link->WaitForGreeting(surroundings.wait_greeting_us, surroundings.wait_profile_us);
  device->Attach(std::move(link));
  say("ready", 1);
  return device;
}

absl::StatusOr<std::unique_ptr<Device>> Device::Open(const std::string& model_path,
                                                     DeviceOptions options) {
  return OpenDevice(model_path, std::move(options), DeviceSurroundings());
}

}  // namespace cleave
