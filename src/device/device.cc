#include "cleave/device.h"

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/status_macros.h"
#include "device/confidence.h"
#include "device/decider.h"
#include "device/device_impl.h"
#include "device/edge_link.h"
#include "device/hedged_tail.h"
#include "device/local_model.h"
#include "device/local_runner.h"
#include "device/options.h"
#include "device/own_estimates.h"
#include "device/pass.h"
#include "device/remote_caller.h"
#include "device/timeout.h"

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
        decider_(model_, options_, own_, clock),
        runner_(model_, confidence, own_, clock) {
    const LocalExit& main = model_.main();
    own_.AddRun(main.TimeUs(0, main.model.last_cut(), model_.batch()), model_.warm_run_us);
    own_.LearnPicture(model_.picture_us);
  }

  void Attach(std::unique_ptr<EdgeLink> link) {
    link_ = std::move(link);
    caller_.emplace(model_, options_.edge_model, *link_, own_, clock_);
    if (options_.max_miss) hedged_.emplace(options_, runner_, *caller_, own_, clock_);
  }

  absl::StatusOr<InferenceRecord> Infer(const std::vector<NamedTensor>& inputs) override
      ABSL_LOCKS_EXCLUDED(turn_) {
    const absl::MutexLock turn(&turn_);
    Pass pass;
    pass.start_us = clock_.NowUs();
    CLEAVE_ASSIGN_OR_RETURN(pass.batch, CheckInputs(*model_.graph, inputs));
    pass.live = inputs;
    return InferPass(pass);
  }

  absl::StatusOr<InferenceRecord> InferPictures(const std::vector<std::string>& files) override
      ABSL_LOCKS_EXCLUDED(turn_) {
    const absl::MutexLock turn(&turn_);
    if (!model_.pictures) {
      return absl::InvalidArgumentError(
          "pictures: the model takes none, expected one FP32 input of four dimensions");
    }
    Pass pass;
    pass.start_us = clock_.NowUs();
    pass.batch = static_cast<std::int64_t>(files.size());
    CLEAVE_RETURN_IF_ERROR(model_.graph->InputsAtBatch(pass.batch).status());
    pass.pictures = &files;
    return InferPass(pass);
  }

  absl::Status SetPolicy(const std::string& spec) override { return decider_.SetPolicy(spec); }

  absl::StatusOr<std::vector<PlanForecast>> Explain(std::int64_t batch) override {
    if (batch < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("batch: found ", batch, ", expected at least 1"));
    }
    return decider_.Forecast(batch, View());
  }

  const std::vector<TensorSpec>& inputs() const override { return model_.graph->inputs(); }
  const std::vector<TensorSpec>& outputs() const override { return model_.main().outputs(); }
  std::vector<std::string> exits() const override { return model_.graph->exits(); }
  std::vector<int> candidate_cuts() const override { return model_.main().model.candidates; }
  int last_cut() const override { return model_.main().model.last_cut(); }
  bool edge_usable() const override { return View().usable; }
  std::string edge_problem() const override { return View().problem; }

 private:
  EdgeView View() const {
    EdgeView view;
    view.problem = kNoEdge;
    if (link_ != nullptr) view = link_->View();
    if (hedged_ && hedged_->overdue()) {
      view.usable = false;
      view.problem = "edge unavailable: its answer to an earlier inference is overdue";
    }
    return view;
  }

  absl::StatusOr<InferenceRecord> InferPass(Pass& pass) ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_) {
    InferenceRecord record;
    record.id = next_id_++;
    decider_.Decide(View(), link_ != nullptr, pass, record);
    const bool sends_picture = record.where != Where::kDevice && IsPicture(pass.cost.plan.encoding);
    if (!sends_picture) CLEAVE_RETURN_IF_ERROR(runner_.Prepare(pass, record));
    CLEAVE_ASSIGN_OR_RETURN(const bool done, runner_.TryEarlyExits(pass, record));
    bool told_later = false;
    if (!done) {
      CLEAVE_ASSIGN_OR_RETURN(told_later, RunPlan(pass, record));
    }
    record.latency_us = clock_.NowUs() - pass.start_us;
    record.deadline_missed = options_.deadline_us && record.latency_us > *options_.deadline_us;
    if (told_later) return record;
    own_.AddInference(record.predicted_us, static_cast<double>(record.latency_us),
                      record.deadline_missed, pass.cost.remote());
    return record;
  }

  // Whether OwnEstimates will be told later how the inference went.
  absl::StatusOr<bool> RunPlan(Pass& pass, InferenceRecord& record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_) {
    CLEAVE_RETURN_IF_ERROR(runner_.RunHead(pass, record));
    if (record.where == Where::kDevice) return false;
    if (pass.hedge && hedged_) {
      const HedgedTail::Outcome outcome = hedged_->Run(pass, record);
      if (outcome.answered) return outcome.told_later;
    } else if (RunRemoteTail(pass, record)) {
      return false;
    }
    record.where = Where::kDevice;
    if (pass.live.empty()) CLEAVE_RETURN_IF_ERROR(runner_.Prepare(pass, record));
    CLEAVE_RETURN_IF_ERROR(runner_.RunToEnd(pass, record.timeline.tail_us, record));
    return false;
  }

  // False when the edge did not finish it: the record then says why.
  bool RunRemoteTail(const Pass& pass, InferenceRecord& record) const {
    const std::int64_t timeout_us = RemoteTimeoutUs(TermsOfWait(pass, options_, clock_.NowUs()));
    if (timeout_us <= 0) {
      record.fallback = "deadline: the head took too long to wait for the edge";
      return false;
    }
    const absl::StatusOr<RemoteRequest> request = caller_->Make(pass, record.id);
    if (!request.ok()) return EnterNotSent(request.status(), record);
    return EnterAnswer(*request, caller_->Ask(*request, timeout_us), record);
  }

  const DeviceOptions options_;
  const LocalModel model_;
  const Clock& clock_;
  OwnEstimates own_;
  Decider decider_;
  const LocalRunner runner_;

  absl::Mutex turn_;  // Held through one inference.
  std::int64_t next_id_ ABSL_GUARDED_BY(turn_) = 0;

  std::unique_ptr<EdgeLink> link_;
  std::optional<RemoteCaller> caller_;  // Where there is a link.
  std::optional<HedgedTail> hedged_;    // And a share of misses to keep.
};

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> OpenDevice(const std::string& model_path,
                                                   DeviceOptions options,
                                                   const DeviceSurroundings& surroundings) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_ASSIGN_OR_RETURN(LocalModel model, LocalModel::Load(model_path, options));
  CLEAVE_RETURN_IF_ERROR(CheckAccuracyBar(model, options));
  CLEAVE_RETURN_IF_ERROR(CheckConfidenceExit(model, options));
  if (options.edge_model.empty()) options.edge_model = model.graph->name();
  const GreetingTerms terms = TermsFor(model, model_path, options);
  CLEAVE_ASSIGN_OR_RETURN(const auto confidence, ConfidenceRule::Parse(options.exit_confidence));
  auto device =
      std::make_unique<DeviceImpl>(options, confidence, std::move(model), *surroundings.clock);
  CLEAVE_RETURN_IF_ERROR(device->SetPolicy(options.policy));
  const auto say = [&](const std::string& what, double share) {
    if (options.on_progress) options.on_progress(what, share);
  };
  if (options.edge.empty()) {
    say("ready", 1);
    return device;
  }
  say("greeting the edge", 0);
  ClientOptions client_options;
  client_options.target = options.edge;
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<EdgeClient> client, surroundings.connect(client_options));
  auto link = std::make_unique<EdgeLink>(std::move(client), terms, *surroundings.clock,
                                         options.seed, surroundings.timing);
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
