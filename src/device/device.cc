#include "cleave/device.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "codec/image.h"
#include "codec/picture.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "device/account.h"
#include "device/confidence.h"
#include "device/device_impl.h"
#include "device/edge_link.h"
#include "device/local_model.h"
#include "device/named_tensors.h"
#include "device/observe.h"
#include "device/options.h"
#include "device/plan_table.h"
#include "device/plan_tables.h"
#include "device/reason_text.h"
#include "device/reply_check.h"
#include "device/timeout.h"

namespace cleave {
namespace {

void Append(std::vector<NamedTensor>& to, const std::vector<NamedTensor>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

double BytesOf(const std::vector<NamedTensor>& tensors) {
  double bytes = 0;
  for (const NamedTensor& named : tensors) bytes += static_cast<double>(named.tensor.size_bytes());
  return bytes;
}

double BytesOf(const std::vector<std::string>& files) {
  double bytes = 0;
  for (const std::string& file : files) bytes += static_cast<double>(file.size());
  return bytes;
}

// The policy in force and what the user said it is.
struct ChosenPolicy {
  std::shared_ptr<const Policy> policy;
  std::optional<FixedPlan> plan;  // That the user fixed ("edge": cut 0).
  bool local = false;             // "device"
};

// One inference under way.
struct Pass {
  std::int64_t start_us = 0;
  std::int64_t batch = 1;
  const std::vector<std::string>* pictures = nullptr;  // Where the inputs came as files.
  Observation observation;
  PlanCost cost;
  bool entropy = false;
  ChosenPolicy chosen;
  std::shared_ptr<const EdgeOffer> offer;
  const LocalExit* exit = nullptr;  // That the plan ends at.
  int boundary = 0;                 // Of the exit's chain, where `live` is.
  std::vector<NamedTensor> live;    // Empty as long as pictures are not decoded.
  std::vector<NamedTensor> early;   // Outputs that came out on the way.
};

class DeviceImpl final : public Device {
 public:
  DeviceImpl(DeviceOptions options, std::vector<Encoding> encodings,
             std::optional<ConfidenceRule> confidence, LocalModel model, const Clock& clock)
      : options_(std::move(options)),
        encodings_(std::move(encodings)),
        confidence_(confidence),
        model_(std::move(model)),
        constraints_(ConstraintsOf(options_)),
        clock_(clock) {
    const LocalExit& main = model_.main();
    slowdown_.Add(main.TimeUs(0, main.model.last_cut(), model_.batch()), model_.warm_run_us,
                  clock_.NowUs());
    encode_cost_.LearnPicture(model_.picture_us, slowdown_.factor());
  }

  void Attach(std::unique_ptr<EdgeLink> link) { link_ = std::move(link); }

  absl::StatusOr<InferenceRecord> Infer(const std::vector<NamedTensor>& inputs) override
      ABSL_LOCKS_EXCLUDED(turn_, mutex_) {
    const absl::MutexLock turn(&turn_);
    Pass pass;
    pass.start_us = clock_.NowUs();
    CLEAVE_ASSIGN_OR_RETURN(pass.batch, CheckInputs(*model_.graph, inputs));
    pass.live = inputs;
    return InferPass(pass);
  }

  absl::StatusOr<InferenceRecord> InferPictures(const std::vector<std::string>& files) override
      ABSL_LOCKS_EXCLUDED(turn_, mutex_) {
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

  absl::Status SetPolicy(const std::string& spec) override ABSL_LOCKS_EXCLUDED(mutex_) {
    CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Policy> policy, MakePolicy(spec, constraints_));
    ChosenPolicy chosen;
    chosen.plan = spec == "edge" ? FixedPlan{} : ParseFixedPlan(spec);
    chosen.local = spec == "device";
    if (chosen.plan) CLEAVE_RETURN_IF_ERROR(CheckPlan(spec, *chosen.plan));
    chosen.policy = std::move(policy);
    const absl::MutexLock lock(&mutex_);
    chosen_ = std::move(chosen);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<PlanForecast>> Explain(std::int64_t batch) override {
    if (batch < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("batch: found ", batch, ", expected at least 1"));
    }
    const EdgeView edge = View();
    const absl::MutexLock lock(&mutex_);
    const auto table = tables_.Get(edge.offer, TableTerms(batch, picture_bytes_));
    return ForecastPlans(model_, *table, ObserveNow(batch, edge), *chosen_.policy, constraints_);
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
    if (link_ != nullptr) return link_->View();
    EdgeView view;
    view.problem = "no edge given";
    return view;
  }

  Observation ObserveNow(std::int64_t batch, const EdgeView& edge) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    OwnState own;
    own.batch = batch;
    own.slowdown = {slowdown_.factor(), slowdown_.deviation()};
    if (options_.deadline_us) own.deadline_us = static_cast<double>(*options_.deadline_us);
    own.recent = history_.Get();
    return Observe(own, edge);
  }

  PlanTableTerms TableTerms(std::int64_t batch, double picture_bytes) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    PlanTableTerms terms;
    terms.batch = batch;
    terms.picture_bytes = picture_bytes;
    terms.encode = encode_cost_;
    terms.encodings = encodings_;
    terms.past_first_exit = confidence_ && !chosen_.plan && model_.exits.size() > 1;
    return terms;
  }

  absl::StatusOr<InferenceRecord> InferPass(Pass& pass) ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    InferenceRecord record;
    record.id = next_id_++;
    Decide(pass, record);
    const bool sends_picture = record.where != Where::kDevice && IsPicture(pass.cost.plan.encoding);
    if (!sends_picture) CLEAVE_RETURN_IF_ERROR(Prepare(pass, record));
    bool done = false;
    if (confidence_) {
      CLEAVE_ASSIGN_OR_RETURN(done, TryEarlyExits(pass, record));
    }
    if (!done) CLEAVE_RETURN_IF_ERROR(RunPlan(pass, record));
    record.latency_us = clock_.NowUs() - pass.start_us;
    record.deadline_missed = options_.deadline_us && record.latency_us > *options_.deadline_us;
    const absl::MutexLock lock(&mutex_);
    history_.Add(record.predicted_us, static_cast<double>(record.latency_us),
                 record.deadline_missed, pass.cost.remote());
    return record;
  }

  absl::Status RunPlan(Pass& pass, InferenceRecord& record) ABSL_LOCKS_EXCLUDED(mutex_) {
    CLEAVE_RETURN_IF_ERROR(RunHead(pass, record));
    if (record.where == Where::kDevice || RunRemoteTail(pass, record)) return absl::OkStatus();
    record.where = Where::kDevice;
    if (pass.live.empty()) CLEAVE_RETURN_IF_ERROR(Prepare(pass, record));
    return RunToEnd(pass, record.timeline.tail_us, record);
  }

  // Pictures to the model's input.
  absl::Status Prepare(Pass& pass, InferenceRecord& record) ABSL_LOCKS_EXCLUDED(mutex_) {
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
    const absl::MutexLock lock(&mutex_);
    encode_cost_.LearnPicture(
        static_cast<double>(record.timeline.prepare_us) / static_cast<double>(pass.batch),
        slowdown_.factor());
    return absl::OkStatus();
  }

  // Leaves in record.where where the inference is meant to run.
  void Decide(Pass& pass, InferenceRecord& record) ABSL_LOCKS_EXCLUDED(mutex_) {
    const EdgeView edge = View();
    std::shared_ptr<const PlanTable> table;
    {
      const absl::MutexLock lock(&mutex_);
      pass.chosen = chosen_;
      pass.observation = ObserveNow(pass.batch, edge);
      if (pass.pictures != nullptr) picture_bytes_ = BytesOf(*pass.pictures);
      table = tables_.Get(edge.offer,
                          TableTerms(pass.batch, pass.pictures == nullptr ? 0 : picture_bytes_));
    }
    pass.offer = edge.offer;
    const Decision decision = pass.chosen.policy->Decide(*table, pass.observation);
    pass.cost = table->plans[decision.index];
    pass.entropy = decision.entropy;
    record.predicted_us = decision.predicted_us;
    record.reason = ReasonText(decision, pass.cost, constraints_, pass.observation);
    if (link_ != nullptr) {
      record.link_up_bps = edge.link.up_bps();
    } else if (!pass.chosen.local && decision.reason == Reason::kEdgeUnusable) {
      record.reason = "no edge given";
    }
    record.link_rtt_us = edge.link.rtt_us.mean;
    record.link_age_us = edge.link.age_us;
    record.device_slowdown = pass.observation.device_slowdown.mean;
    record.edge_slowdown = pass.observation.edge_slowdown.mean;
    record.plan = pass.cost.plan;
    if (pass.cost.remote()) {
      record.where = pass.cost.plan.cut == 0 ? Where::kEdge : Where::kSplit;
      SkipEdgeIfTooLate(pass, record);
    } else if (link_ != nullptr && !pass.chosen.local) {
      NoteWhyLocal(pass, edge, *table, record);
    }
    if (record.where == Where::kDevice && pass.cost.remote()) pass.cost = LocalPlan(*table, pass);
    record.accuracy = pass.cost.accuracy;
    pass.exit = &model_.exits[static_cast<std::size_t>(pass.cost.plan.exit)];
    record.timeline.decide_us = clock_.NowUs() - pass.start_us;
  }

  // The plan's exit, all on the device.
  static PlanCost LocalPlan(const PlanTable& table, const Pass& pass) {
    for (const PlanCost& cost : table.plans) {
      if (!cost.remote() && cost.plan.exit == pass.cost.plan.exit) return cost;
    }
    return table.plans.back();
  }

  absl::Status CheckPlan(const std::string& spec, const FixedPlan& plan) const {
    const int exits = static_cast<int>(model_.exits.size());
    const int exit = plan.exit.value_or(model_.main_exit);
    if (exit >= exits || (model_.only_main_exit && exit != model_.main_exit)) {
      return absl::InvalidArgumentError(absl::StrCat("policy: found '", spec, "', expected exit ",
                                                     model_.only_main_exit
                                                         ? absl::StrCat(model_.main_exit)
                                                         : absl::StrCat("0 to ", exits - 1)));
    }
    const std::vector<int>& cuts = model_.exits[static_cast<std::size_t>(exit)].model.candidates;
    if (std::binary_search(cuts.begin(), cuts.end(), plan.cut)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("policy: found '", spec,
                                                   "', expected one of the ", cuts.size(),
                                                   " candidate cuts (see cleave inspect)"));
  }

  void NoteWhyLocal(const Pass& pass, const EdgeView& edge, const PlanTable& table,
                    InferenceRecord& record) const {
    if (!edge.usable) {
      record.fallback = ProblemText(edge.problem);
    } else if (pass.chosen.plan && !HasPlan(table, *pass.chosen.plan)) {
      record.fallback = absl::StrCat("the edge does not take cut ", pass.chosen.plan->cut);
    }
  }

  void SkipEdgeIfTooLate(const Pass& pass, InferenceRecord& record) const {
    const std::optional<std::int64_t> budget_us =
        TooLateBudgetUs(TermsOfWait(pass), pass.cost, pass.observation);
    if (!budget_us) return;
    record.where = Where::kDevice;
    record.fallback = absl::StrCat(
        "deadline: leaves ", FormatDuration(static_cast<double>(*budget_us)),
        " for an answer expected in ", FormatDuration(RemotePartUs(pass.cost, pass.observation)));
  }

  WaitTerms TermsOfWait(const Pass& pass) const {
    WaitTerms terms = WaitTermsOf(pass.cost, pass.observation);
    if (options_.deadline_us) {
      terms.remaining_us =
          static_cast<double>(pass.start_us + *options_.deadline_us - clock_.NowUs());
    }
    terms.user_chose_plan = pass.chosen.plan.has_value();
    terms.remote_timeout_us = options_.remote_timeout_us;
    return terms;
  }

  // Runs the plan's chain on, up to a cut.
  absl::Status RunTo(int cut, Pass& pass, std::int64_t& spent_us) ABSL_LOCKS_EXCLUDED(mutex_) {
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

  absl::Status RunToEnd(Pass& pass, std::int64_t& spent_us, InferenceRecord& record)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    CLEAVE_RETURN_IF_ERROR(RunTo(pass.exit->model.last_cut(), pass, spent_us));
    return Finish(pass, record);
  }

  // Runs up to the decided cut; to the end where the device does it all.
  absl::Status RunHead(Pass& pass, InferenceRecord& record) ABSL_LOCKS_EXCLUDED(mutex_) {
    if (record.where == Where::kDevice) return RunToEnd(pass, record.timeline.head_us, record);
    CLEAVE_RETURN_IF_ERROR(RunTo(pass.cost.plan.cut, pass, record.timeline.head_us));
    const bool plain = pass.offer != nullptr && pass.offer->plain;
    if (pass.boundary == 0 && !plain) {
      pass.live = PickTensors(pass.exit->chain().LiveTensors(0), pass.live);
    }
    return absl::OkStatus();
  }

  // Looks at each early exit on the way to the plan's cut; true when one was sure and the inference
  // is done. What of the trunk was run on the way stays in `pass`.
  absl::StatusOr<bool> TryEarlyExits(Pass& pass, InferenceRecord& record)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    if (pass.cost.plan.exit != model_.graph->exit_count() - 1) return false;
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

  absl::StatusOr<ChainResult> Run(const LocalExit& exit, int from, int to,
                                  const std::vector<NamedTensor>& tensors, std::int64_t batch)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::int64_t start_us = clock_.NowUs();
    CLEAVE_ASSIGN_OR_RETURN(ChainResult done, exit.chain().Run(from, to, tensors));
    const std::int64_t now_us = clock_.NowUs();
    done.run_us = std::max(done.run_us, now_us - start_us);
    const absl::MutexLock lock(&mutex_);
    slowdown_.Add(exit.profile.TimeUs(from, to, batch), static_cast<double>(done.run_us), now_us);
    return done;
  }

  absl::Status Finish(const Pass& pass, InferenceRecord& record) const {
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

  absl::StatusOr<InferCall> CallOf(const Pass& pass, std::int64_t id) const {
    InferCall call;
    call.model = options_.edge_model;
    call.id = absl::StrCat(id);
    call.inputs = pass.live;
    const bool has_exits = !model_.graph->exits().empty();
    if (pass.offer != nullptr && pass.offer->plain) {
      if (has_exits) call.outputs = {pass.exit->outputs().front().name};
      return call;
    }
    const Plan& plan = pass.cost.plan;
    call.cut = plan.cut;
    if (has_exits) call.exit = plan.exit;
    call.digest = model_.graph->digest();
    if (IsPicture(plan.encoding)) {
      CLEAVE_RETURN_IF_ERROR(AddPictures(pass, call));
    } else if (plan.encoding != Encoding::kFp32 || pass.entropy) {
      call.encode = EncodeOptionsFor(plan.encoding, pass.batch);
      call.encode->entropy = pass.entropy;
    }
    return call;
  }

  absl::Status AddPictures(const Pass& pass, InferCall& call) const {
    call.inputs.clear();
    for (const std::string& file : *pass.pictures) {
      const std::string origin = absl::StrCat("picture ", call.images.size());
      CLEAVE_ASSIGN_OR_RETURN(
          TravellingPicture picture,
          EncodePicture(file, *model_.pictures, pass.cost.plan.encoding, origin));
      call.images.push_back(std::move(picture.file));
      call.preprocessing = picture.how;
    }
    return absl::OkStatus();
  }

  // False when the edge did not finish it: the record then says why.
  bool RunRemoteTail(const Pass& pass, InferenceRecord& record) ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::int64_t timeout_us = RemoteTimeoutUs(TermsOfWait(pass));
    if (timeout_us <= 0) {
      record.fallback = "deadline: the head took too long to wait for the edge";
      return false;
    }
    const std::int64_t sent_us = clock_.NowUs();
    const absl::StatusOr<InferCall> call = CallOf(pass, record.id);
    if (!call.ok()) return NotSent(call.status(), record);
    const std::int64_t made_us = clock_.NowUs() - sent_us;
    const absl::StatusOr<InferExchange> done = link_->Infer(*call, timeout_us);
    absl::Status status = done.status();
    if (status.ok()) {
      absl::StatusOr<std::vector<NamedTensor>> outputs =
          AssembleOutputs(pass.exit->outputs(), pass.exit->model.table, pass.batch, pass.early,
                          done->reply.outputs);
      if (outputs.ok()) {
        record.outputs = *std::move(outputs);
        AccountExchange(*done, made_us, clock_.NowUs() - sent_us, pass.observation.link, record);
        link_->ReportSuccess(*done, pass.cost.tail_us);
        LearnEncoding(pass, *call, record.timeline.encode_us);
        return true;
      }
      status = outputs.status();
    }
    if (WasNotSent(status)) return NotSent(status, record);
    record.timeline.wasted_us = clock_.NowUs() - sent_us;
    record.fallback = FailureText(status, record.timeline.wasted_us);
    const Prediction prediction = Predict(pass.cost, pass.observation);
    link_->ReportFailure(
        status,
        {pass.cost.bytes_up, pass.cost.bytes_down, prediction.uplink_us + prediction.downlink_us,
         prediction.queue_us + prediction.tail_us, record.timeline.wasted_us});
    return false;
  }

  // What cannot be encoded is nobody's fault at the edge.
  static bool NotSent(const absl::Status& status, InferenceRecord& record) {
    record.fallback = absl::StrCat("not sent: ", status.message());
    return false;
  }

  void LearnEncoding(const Pass& pass, const InferCall& call, std::int64_t took_us)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const CutInfo& cut = pass.exit->model.table.cuts[static_cast<std::size_t>(pass.cost.plan.cut)];
    const double scale = static_cast<double>(pass.batch) / static_cast<double>(model_.batch());
    const double raw_bytes =
        call.inputs.empty() ? scale * static_cast<double>(cut.bytes) : BytesOf(call.inputs);
    const absl::MutexLock lock(&mutex_);
    encode_cost_.Learn(pass.cost.plan.encoding, raw_bytes, static_cast<double>(took_us),
                       slowdown_.factor());
  }

  const DeviceOptions options_;
  const std::vector<Encoding> encodings_;
  const std::optional<ConfidenceRule> confidence_;
  const LocalModel model_;
  const Constraints constraints_;
  const Clock& clock_;

  absl::Mutex turn_ ABSL_ACQUIRED_BEFORE(mutex_);  // Held through one inference.
  std::int64_t next_id_ ABSL_GUARDED_BY(turn_) = 0;

  absl::Mutex mutex_;  // Never held during a run or a call.
  ChosenPolicy chosen_ ABSL_GUARDED_BY(mutex_);
  SlowdownTracker slowdown_ ABSL_GUARDED_BY(mutex_);
  RunHistory history_ ABSL_GUARDED_BY(mutex_);
  EncodeCost encode_cost_ ABSL_GUARDED_BY(mutex_);
  double picture_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // Of the batch last seen.
  PlanTables tables_ ABSL_GUARDED_BY(mutex_){model_};

  std::unique_ptr<EdgeLink> link_;
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
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<Encoding> encodings, EncodingsOf(options));
  CLEAVE_ASSIGN_OR_RETURN(const auto confidence, ConfidenceRule::Parse(options.exit_confidence));
  auto device = std::make_unique<DeviceImpl>(options, encodings, confidence, std::move(model),
                                             *surroundings.clock);
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
