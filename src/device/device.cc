#include "cleave/device.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "device/account.h"
#include "device/device_impl.h"
#include "device/edge_link.h"
#include "device/local_model.h"
#include "device/named_tensors.h"
#include "device/plan_table.h"
#include "device/reply_check.h"
#include "device/timeout.h"

namespace cleave {
namespace {

constexpr double kFirstEncodeUsPerByte = 0.0003;
constexpr double kEncodeGain = 0.1;
constexpr double kEncodeStaleRatio = 1.25;
constexpr std::size_t kMostTables = 64;

Constraints ConstraintsOf(const DeviceOptions& options) {
  Constraints constraints;
  constraints.no_raw_input = options.no_raw_input;
  if (options.max_device_us) {
    constraints.max_device_us = static_cast<double>(*options.max_device_us);
  }
  return constraints;
}

void Append(std::vector<NamedTensor>& to, const std::vector<NamedTensor>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// Why an inference did not even try the edge.
std::string ProblemText(const std::string& problem) {
  for (const absl::string_view known : {"edge unavailable", "digest mismatch", "the edge "}) {
    if (absl::StartsWith(problem, known)) return problem;
  }
  return absl::StrCat("edge unavailable: ", problem);
}

// The policy in force and what the user said it is.
struct ChosenPolicy {
  std::shared_ptr<const Policy> policy;
  std::optional<int> cut;  // That the user fixed ("edge": 0).
  bool local = false;      // "device"
};

// One inference under way.
struct Pass {
  std::int64_t start_us = 0;
  std::int64_t batch = 1;
  Observation observation;
  PlanCost cost;
  ChosenPolicy chosen;
  std::shared_ptr<const EdgeOffer> offer;
  std::vector<NamedTensor> live;   // The tensors of the cut.
  std::vector<NamedTensor> early;  // Outputs that came out on the way.
};

class DeviceImpl final : public Device {
 public:
  DeviceImpl(DeviceOptions options, LocalModel model, const Clock& clock)
      : options_(std::move(options)),
        model_(std::move(model)),
        constraints_(ConstraintsOf(options_)),
        clock_(clock) {
    slowdown_.Add(model_.profile.TimeUs(0, model_.chain->segments(), model_.table.batch),
                  model_.warm_run_us, clock_.NowUs());
  }

  void Attach(std::unique_ptr<EdgeLink> link) { link_ = std::move(link); }

  absl::StatusOr<InferenceRecord> Infer(const std::vector<NamedTensor>& inputs) override
      ABSL_LOCKS_EXCLUDED(turn_, mutex_) {
    const absl::MutexLock turn(&turn_);
    Pass pass;
    pass.start_us = clock_.NowUs();
    CLEAVE_ASSIGN_OR_RETURN(pass.batch, CheckInputs(*model_.graph, inputs));
    InferenceRecord record;
    record.id = next_id_++;
    Decide(pass, record);
    CLEAVE_RETURN_IF_ERROR(RunHead(inputs, pass, record));
    if (record.where != Where::kDevice && !RunRemoteTail(pass, record)) {
      record.where = Where::kDevice;
      CLEAVE_RETURN_IF_ERROR(RunLocalTail(pass, record));
    }
    record.latency_us = clock_.NowUs() - pass.start_us;
    record.deadline_missed = options_.deadline_us && record.latency_us > *options_.deadline_us;
    return record;
  }

  absl::Status SetPolicy(const std::string& spec) override ABSL_LOCKS_EXCLUDED(mutex_) {
    CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Policy> policy, MakePolicy(spec, constraints_));
    ChosenPolicy chosen;
    chosen.cut = spec == "edge" ? std::optional<int>(0) : FixedCut(spec);
    chosen.local = spec == "device";
    if (chosen.cut &&
        !std::binary_search(model_.candidates.begin(), model_.candidates.end(), *chosen.cut)) {
      return absl::InvalidArgumentError(
          absl::StrCat("policy: found '", spec, "', expected one of the ", model_.candidates.size(),
                       " candidate cuts (see cleave inspect)"));
    }
    chosen.policy = std::move(policy);
    const absl::MutexLock lock(&mutex_);
    chosen_ = std::move(chosen);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<CutForecast>> Explain(std::int64_t batch) override {
    if (batch < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("batch: found ", batch, ", expected at least 1"));
    }
    const EdgeView edge = View();
    const absl::MutexLock lock(&mutex_);
    return ForecastPlans(model_, *Table(batch, edge.offer), Observe(batch, edge), *chosen_.policy,
                         constraints_);
  }

  const std::vector<TensorSpec>& inputs() const override { return model_.graph->inputs(); }
  const std::vector<TensorSpec>& outputs() const override { return model_.graph->outputs(); }
  std::vector<int> candidate_cuts() const override { return model_.candidates; }
  int last_cut() const override { return model_.last_cut(); }
  bool edge_usable() const override { return View().usable; }
  std::string edge_problem() const override { return View().problem; }

 private:
  EdgeView View() const {
    if (link_ != nullptr) return link_->View();
    EdgeView view;
    view.problem = "no edge given";
    return view;
  }

  Observation Observe(std::int64_t batch, const EdgeView& edge) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Observation observation;
    observation.batch = batch;
    observation.link = edge.link;
    observation.device_slowdown = {slowdown_.factor(), slowdown_.deviation()};
    observation.edge_slowdown = edge.slowdown;
    observation.edge_queue_us = edge.queue_us;
    observation.edge_age_us = edge.queue_age_us;
    observation.edge_usable = edge.usable;
    if (options_.deadline_us) {
      observation.deadline_us = static_cast<double>(*options_.deadline_us);
    }
    return observation;
  }

  std::shared_ptr<const PlanTable> Table(std::int64_t batch,
                                         const std::shared_ptr<const EdgeOffer>& offer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (tables_.size() > kMostTables) tables_.clear();
    CachedTable& cached = tables_[batch];
    const double ratio = encode_us_per_byte_ / cached.encode_us_per_byte;
    const bool fresh = cached.table != nullptr && cached.offer == offer &&
                       ratio < kEncodeStaleRatio && ratio > 1 / kEncodeStaleRatio;
    if (!fresh) {
      cached = {offer, encode_us_per_byte_,
                MakePlanTable(model_, offer.get(), encode_us_per_byte_, batch)};
    }
    return cached.table;
  }

  // Leaves in record.where where the inference is meant to run.
  void Decide(Pass& pass, InferenceRecord& record) ABSL_LOCKS_EXCLUDED(mutex_) {
    const EdgeView edge = View();
    std::shared_ptr<const PlanTable> table;
    {
      const absl::MutexLock lock(&mutex_);
      pass.chosen = chosen_;
      pass.observation = Observe(pass.batch, edge);
      table = Table(pass.batch, edge.offer);
    }
    pass.offer = edge.offer;
    const Decision decision = pass.chosen.policy->Decide(*table, pass.observation);
    pass.cost = table->plans[decision.index];
    record.plan = pass.cost.plan;
    record.predicted_us = decision.predicted_us;
    record.reason = std::string(ReasonName(decision.reason));
    if (link_ != nullptr) {
      record.link_up_bps = edge.link.up_bps();
    } else if (!pass.chosen.local) {
      record.reason = "no edge given";
    }
    record.link_rtt_us = edge.link.rtt_us.mean;
    record.link_age_us = edge.link.age_us;
    record.device_slowdown = pass.observation.device_slowdown.mean;
    record.edge_slowdown = pass.observation.edge_slowdown.mean;
    if (pass.cost.remote()) {
      record.where = pass.cost.plan.cut == 0 ? Where::kEdge : Where::kSplit;
      SkipEdgeIfTooLate(pass, record);
    } else if (link_ != nullptr && !pass.chosen.local) {
      NoteWhyLocal(pass, edge, *table, record);
    }
    if (record.where == Where::kDevice) pass.cost = table->plans.back();
    record.timeline.decide_us = clock_.NowUs() - pass.start_us;
  }

  void NoteWhyLocal(const Pass& pass, const EdgeView& edge, const PlanTable& table,
                    InferenceRecord& record) const {
    if (!edge.usable) {
      record.fallback = ProblemText(edge.problem);
    } else if (pass.chosen.cut && *pass.chosen.cut != model_.last_cut() &&
               !HasCut(table, *pass.chosen.cut)) {
      record.fallback = absl::StrCat("the edge does not take cut ", *pass.chosen.cut);
    }
  }

  void SkipEdgeIfTooLate(const Pass& pass, InferenceRecord& record) const {
    if (!options_.deadline_us) return;
    WaitTerms terms = TermsOfWait(pass);
    terms.remaining_us =
        *terms.remaining_us - pass.cost.head_us * pass.observation.device_slowdown.mean;
    const std::int64_t budget_us = RemoteTimeoutUs(terms);
    if (static_cast<double>(budget_us) >= RemotePartUs(pass)) return;
    record.where = Where::kDevice;
    record.fallback =
        absl::StrCat("deadline: leaves ", FormatDuration(static_cast<double>(budget_us)),
                     " for an answer expected in ", FormatDuration(RemotePartUs(pass)));
  }

  double RemotePartUs(const Pass& pass) const {
    const Prediction prediction = Predict(pass.cost, pass.observation);
    return prediction.total_us() - prediction.head_us;
  }

  WaitTerms TermsOfWait(const Pass& pass) const {
    WaitTerms terms;
    terms.remote_us = RemotePartUs(pass) + 2 * pass.observation.link.TransferDeviationUs(
                                                   pass.cost.bytes_up, pass.cost.bytes_down);
    terms.tail_on_device_us = pass.cost.tail_on_device_us;
    terms.device_slowdown = pass.observation.device_slowdown;
    if (options_.deadline_us) {
      terms.remaining_us =
          static_cast<double>(pass.start_us + *options_.deadline_us - clock_.NowUs());
    }
    terms.user_chose_plan = pass.chosen.cut.has_value();
    terms.remote_timeout_us = options_.remote_timeout_us;
    return terms;
  }

  // Runs up to the decided cut; to the end where the device does it all.
  absl::Status RunHead(const std::vector<NamedTensor>& inputs, Pass& pass, InferenceRecord& record)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const int boundary = model_.chain->BoundaryOf(pass.cost.plan.cut);
    if (boundary == 0) {
      const bool plain = pass.offer != nullptr && pass.offer->plain;
      pass.live = plain ? inputs : PickTensors(model_.chain->LiveTensors(0), inputs);
      return absl::OkStatus();
    }
    CLEAVE_ASSIGN_OR_RETURN(ChainResult head, Run(0, boundary, inputs, pass.batch));
    record.timeline.head_us = head.run_us;
    pass.early = std::move(head.early_outputs);
    pass.live = std::move(head.tensors);
    if (record.where != Where::kDevice) return absl::OkStatus();
    return Finish(pass, pass.live, record);
  }

  absl::Status RunLocalTail(Pass& pass, InferenceRecord& record) ABSL_LOCKS_EXCLUDED(mutex_) {
    const int boundary = model_.chain->BoundaryOf(pass.cost.plan.cut);
    CLEAVE_ASSIGN_OR_RETURN(ChainResult tail,
                            Run(boundary, model_.chain->segments(), pass.live, pass.batch));
    record.timeline.tail_us = tail.run_us;
    Append(pass.early, tail.early_outputs);
    return Finish(pass, tail.tensors, record);
  }

  absl::StatusOr<ChainResult> Run(int from, int to, const std::vector<NamedTensor>& tensors,
                                  std::int64_t batch) ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::int64_t start_us = clock_.NowUs();
    CLEAVE_ASSIGN_OR_RETURN(ChainResult done, model_.chain->Run(from, to, tensors));
    const std::int64_t now_us = clock_.NowUs();
    done.run_us = std::max(done.run_us, now_us - start_us);
    const absl::MutexLock lock(&mutex_);
    slowdown_.Add(model_.profile.TimeUs(from, to, batch), static_cast<double>(done.run_us), now_us);
    return done;
  }

  absl::Status Finish(const Pass& pass, const std::vector<NamedTensor>& last,
                      InferenceRecord& record) const {
    for (const TensorSpec& spec : model_.graph->outputs()) {
      const Tensor* tensor = FindTensor(last, spec.name);
      if (tensor == nullptr) tensor = FindTensor(pass.early, spec.name);
      if (tensor == nullptr) {
        return absl::InternalError(absl::StrCat("output '", spec.name, "': the run gave none"));
      }
      record.outputs.push_back({spec.name, *tensor});
    }
    return absl::OkStatus();
  }

  InferCall CallOf(const Pass& pass, std::int64_t id) const {
    InferCall call;
    call.model = options_.edge_model;
    call.id = absl::StrCat(id);
    call.inputs = pass.live;
    if (pass.offer != nullptr && pass.offer->plain) return call;
    call.cut = pass.cost.plan.cut;
    call.digest = model_.graph->digest();
    return call;
  }

  // False when the edge did not finish it: the record then says why.
  bool RunRemoteTail(const Pass& pass, InferenceRecord& record) ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::int64_t timeout_us = RemoteTimeoutUs(TermsOfWait(pass));
    if (timeout_us <= 0) {
      record.fallback = "deadline: the head took too long to wait for the edge";
      return false;
    }
    const std::int64_t sent_us = clock_.NowUs();
    const absl::StatusOr<InferExchange> done = link_->Infer(CallOf(pass, record.id), timeout_us);
    absl::Status status = done.status();
    if (status.ok()) {
      absl::StatusOr<std::vector<NamedTensor>> outputs = AssembleOutputs(
          model_.graph->outputs(), model_.table, pass.batch, pass.early, done->reply.outputs);
      if (outputs.ok()) {
        record.outputs = *std::move(outputs);
        AccountExchange(*done, clock_.NowUs() - sent_us, pass.observation.link, record);
        link_->ReportSuccess(*done, pass.cost.tail_us);
        LearnEncoding(done->exchange);
        return true;
      }
      status = outputs.status();
    }
    record.timeline.wasted_us = clock_.NowUs() - sent_us;
    record.fallback = FailureText(status, record.timeline.wasted_us);
    const Prediction prediction = Predict(pass.cost, pass.observation);
    link_->ReportFailure(
        status,
        {pass.cost.bytes_up, pass.cost.bytes_down, prediction.uplink_us + prediction.downlink_us,
         prediction.queue_us + prediction.tail_us, record.timeline.wasted_us});
    return false;
  }

  void LearnEncoding(const Exchange& exchange) ABSL_LOCKS_EXCLUDED(mutex_) {
    constexpr std::int64_t kTellingBytes = 1024;
    if (exchange.bytes_up < kTellingBytes) return;
    const absl::MutexLock lock(&mutex_);
    const double measured = static_cast<double>(exchange.serialize_us) /
                            static_cast<double>(exchange.bytes_up) / slowdown_.factor();
    encode_us_per_byte_ =
        std::max(1e-6, (1 - kEncodeGain) * encode_us_per_byte_ + kEncodeGain * measured);
  }

  struct CachedTable {
    std::shared_ptr<const EdgeOffer> offer;
    double encode_us_per_byte = 1;
    std::shared_ptr<const PlanTable> table;
  };

  const DeviceOptions options_;
  const LocalModel model_;
  const Constraints constraints_;
  const Clock& clock_;

  absl::Mutex turn_ ABSL_ACQUIRED_BEFORE(mutex_);  // Held through one inference.
  std::int64_t next_id_ ABSL_GUARDED_BY(turn_) = 0;

  absl::Mutex mutex_;  // Never held during a run or a call.
  ChosenPolicy chosen_ ABSL_GUARDED_BY(mutex_);
  SlowdownTracker slowdown_ ABSL_GUARDED_BY(mutex_);
  double encode_us_per_byte_ ABSL_GUARDED_BY(mutex_) = kFirstEncodeUsPerByte;
  std::map<std::int64_t, CachedTable> tables_ ABSL_GUARDED_BY(mutex_);

  std::unique_ptr<EdgeLink> link_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> OpenDevice(const std::string& model_path,
                                                   DeviceOptions options,
                                                   const DeviceSurroundings& surroundings) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_ASSIGN_OR_RETURN(LocalModel model, LocalModel::Load(model_path, options));
  if (options.edge_model.empty()) options.edge_model = model.graph->name();
  const GreetingTerms terms = TermsFor(model, model_path, options);
  auto device = std::make_unique<DeviceImpl>(options, std::move(model), *surroundings.clock);
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
