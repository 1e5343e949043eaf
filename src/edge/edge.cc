#include "cleave/edge.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/private_folder.h"
#include "core/status_macros.h"
#include "edge/access_list.h"
#include "edge/admission.h"
#include "edge/cost_estimator.h"
#include "edge/model_counters.h"
#include "edge/path_redactor.h"
#include "edge/profile_store.h"
#include "edge/push_store.h"
#include "edge/repository.h"
#include "wire/server.h"

namespace cleave {
namespace {

// A connection that is closed while frames of its client are unread is reset, and an answer that
// was just sent can be lost with it, so the last answers get this time to arrive.
constexpr absl::Duration kLinger = absl::Milliseconds(200);
// Calls get so long to send their answers once their work has ended.
constexpr std::int64_t kLastAnswersUs = 500'000;

// The folder for pushed models; nothing where it would be in a cache folder that is not this user's
// own.
std::optional<std::string> PushFolder(const EdgeOptions& options) {
  if (!options.push_dir.empty()) return options.push_dir;
  if (!options.allow_push || !MakePrivateFolder(CacheDir()).ok()) return std::nullopt;
  return absl::StrCat(CacheDir(), "/pushed");
}

PushStore::Options PushOptionsOf(const EdgeOptions& options) {
  return {.allow = options.allow_push,
          .folder = PushFolder(options),
          .max_bytes = options.max_push_bytes,
          .max_models = options.max_pushed,
          .max_total_bytes = options.max_pushed_bytes,
          .try_model = options.before_push};
}

// Besides those that run or wait in the queue, calls are checked and refused.
constexpr int kThreadsToRefuse = 8;

ServerOptions ServerOptionsOf(const EdgeOptions& options) {
  ServerOptions server;
  server.listen = options.listen;
  server.tls = options.tls;
  server.insecure = options.insecure;
  server.max_message_bytes = options.max_message_bytes;
  server.version = CLEAVE_VERSION;
  server.max_calls = options.max_calls;
  server.max_call_bytes = options.max_call_bytes;
  server.infer_threads = options.workers + options.queue_capacity + kThreadsToRefuse;
  server.message_timeout_us = options.message_timeout_us;
  server.call_timeout_us = options.call_timeout_us;
  server.idle_timeout_us = options.idle_timeout_us;
  return server;
}

RunKind::Decoding DecodingOf(const InferCall& call) {
  using enum RunKind::Decoding;
  if (!call.images.empty()) return kPictures;
  if (call.frames.empty()) return kNone;
  return std::any_of(call.frames.begin(), call.frames.end(),
                     [](const auto& frame) { return CodecRate(frame.info.encoding).has_value(); })
             ? kCodecFrames
             : kFrames;
}

// The folders whose names no peer learns.
std::vector<std::string> FoldersOf(const EdgeOptions& options) {
  namespace fs = std::filesystem;
  std::error_code failed;
  std::vector<std::string> folders = {CacheDir(), fs::temp_directory_path(failed).string(),
                                      fs::current_path(failed).string()};
  if (!options.push_dir.empty()) folders.push_back(options.push_dir);
  std::vector<std::string> files = {options.tls.certificate, options.tls.key, options.tls.ca,
                                    options.token_file};
  files.insert(files.end(), options.models.begin(), options.models.end());
  for (const std::string& file : files) {
    if (file.empty()) continue;
    const bool is_folder = fs::is_directory(file, failed);
    folders.push_back(is_folder ? file : fs::path(file).parent_path().string());
  }
  if (const char* home = std::getenv("HOME")) folders.emplace_back(home);
  std::erase(folders, "");
  return folders;
}

class EdgeImpl final : public Edge, private EdgeHandler {
 public:
  EdgeImpl(EdgeOptions options, CandidateSpec cuts, RuntimeOptions runtime)
      : options_(std::move(options)),
        admission_({options_.workers, options_.queue_capacity, options_.weights}, clock_),
        repository_({std::move(cuts), runtime, options_.shapes, options_.on_progress,
                     options_.before_load}),
        profiles_(std::move(runtime), admission_, {options_.max_message_bytes, options_.max_batch}),
        pushes_(PushOptionsOf(options_), repository_),
        redactor_(FoldersOf(options_)) {}
  ~EdgeImpl() override { Shutdown(); }

  absl::Status Open() {
    CLEAVE_ASSIGN_OR_RETURN(
        access_, AccessList::Open({options_.token_file, [this](const auto& read) {
                                     Emit(Ended(EventOf(EdgeEventKind::kAccess, "", {}), read));
                                   }}));
    CLEAVE_RETURN_IF_ERROR(repository_.Load(options_.models));
    for (const auto& [name, why] : repository_.Refused()) {
      Emit(Ended(EventOf(EdgeEventKind::kLoad, name, {}), why));
    }
    for (const auto& [name, why] : repository_.RefusedCodecs()) {
      Emit(Ended(EventOf(EdgeEventKind::kCodec, name, {}), why));
    }
    CLEAVE_ASSIGN_OR_RETURN(server_, WireServer::Start(ServerOptionsOf(options_), *this));
    return absl::OkStatus();
  }

  int port() const override { return server_->port(); }

  EdgeStatistics statistics() const override {
    const AdmissionLoad load = admission_.Load();
    const CallsInFlight calls = server_->in_flight();
    EdgeStatistics now;
    now.port = server_->port();
    now.queued = load.queued;
    now.queue_capacity = options_.queue_capacity;
    now.running = load.running;
    now.workers = options_.workers;
    now.utilization = load.utilization;
    now.expected_wait_us = load.expected_wait_us;
    now.calls_in_flight = calls.calls;
    now.call_bytes_in_flight = calls.bytes;
    now.uptime_us = clock_.NowUs() - started_us_;
    now.draining = draining_;
    now.models = ServedNames();
    return now;
  }

  void Shutdown() override {
    const absl::MutexLock lock(&shutdown_mutex_);
    if (!server_ || draining_.exchange(true)) return;
    const std::int64_t end_us = clock_.NowUs() + options_.drain_us;
    server_->SetHealth(WireServer::Health::kNotServing);
    Emit({.kind = EdgeEventKind::kDrain});
    admission_.Close();
    admission_.WaitIdle(options_.drain_us);
    admission_.Abort();
    absl::SleepFor(kLinger);
    server_->Shutdown(std::min(kLastAnswersUs, std::max<std::int64_t>(0, end_us - clock_.NowUs())));
  }

 private:
  bool Ready() override { return !draining_; }
  bool ModelReady(const std::string& name) override {
    return Ready() && repository_.Find(name).ok();
  }

  absl::StatusOr<ModelInfo> GetModel(const std::string& name) override {
    CLEAVE_ASSIGN_OR_RETURN(const auto model, repository_.Find(name));
    return model->info();
  }

  std::vector<std::string> ServedNames() const {
    std::vector<std::string> names;
    for (const auto& model : repository_.All()) names.push_back(model->name());
    return names;
  }

  absl::StatusOr<std::vector<ModelCounts>> GetCounts(const std::string& name) override {
    if (!name.empty()) CLEAVE_RETURN_IF_ERROR(repository_.Find(name).status());
    return counters_.Of(name.empty() ? ServedNames() : std::vector<std::string>{name});
  }

  absl::StatusOr<std::vector<ModelIndexEntry>> GetIndex() override {
    std::vector<ModelIndexEntry> index = repository_.Index();
    for (ModelIndexEntry& entry : index) entry.problem = redactor_.Redact(entry.problem);
    return index;
  }

  absl::Status LoadModel(const std::string& name, const CallContext& context) override {
    absl::Status status = repository_.Reload(name);
    Emit(Ended(EventOf(EdgeEventKind::kLoad, name, context), status));
    return status;
  }

  absl::Status UnloadModel(const std::string& name, const CallContext& context) override {
    absl::Status status = repository_.Unload(name);
    Emit(Ended(EventOf(EdgeEventKind::kUnload, name, context), status));
    return status;
  }

  absl::Status CheckHead(const InferHead& head, const CallContext& context) override {
    EdgeEvent event = EventOf(EdgeEventKind::kError, head.model, context);
    event.exit = head.exit;
    event.cut = head.cut.value_or(0);
    absl::Status checked = CheckHeadOfModel(head, event.named);
    if (!checked.ok()) Emit(Ended(event, checked));
    return checked;
  }

  absl::Status CheckHeadOfModel(const InferHead& head, EdgeEvent::Named& named) const {
    CLEAVE_ASSIGN_OR_RETURN(const auto model, repository_.Find(head.model));
    named = EdgeEvent::Named::kModel;
    CLEAVE_ASSIGN_OR_RETURN(const std::int64_t batch, model->CheckHead(head));
    named = EdgeEvent::Named::kStart;
    return CheckBatch(head.model, batch);
  }

  absl::Status CheckBatch(const std::string& model, std::int64_t batch) const {
    if (batch <= options_.max_batch) return absl::OkStatus();
    return FieldError(absl::StrCat("model '", model, "'"), absl::StrCat("a batch of ", batch),
                      absl::StrCat("at most ", options_.max_batch, " (--max-batch)"));
  }

  absl::StatusOr<InferReply> Infer(const InferCall& call, const CallContext& context) override {
    EdgeEvent event = EventOf(EdgeEventKind::kInfer, call.model, context);
    event.exit = call.exit;
    event.cut = call.cut.value_or(0);
    absl::StatusOr<InferReply> reply = RunTail(call, context, event);
    if (!reply.ok()) {
      event.kind = GetExpectedWait(reply.status()).has_value() ? EdgeEventKind::kRefused
                                                               : EdgeEventKind::kError;
    }
    Emit(Ended(event, reply.status()));
    return reply;
  }

  absl::StatusOr<InferReply> RunTail(const InferCall& call, const CallContext& context,
                                     EdgeEvent& event) {
    CLEAVE_ASSIGN_OR_RETURN(const auto model, repository_.Find(call.model));
    event.named = EdgeEvent::Named::kModel;
    CLEAVE_ASSIGN_OR_RETURN(const Tail tail, model->Check(call));
    event.named = EdgeEvent::Named::kStart;
    event.batch = tail.batch;
    CLEAVE_RETURN_IF_ERROR(CheckBatch(call.model, tail.batch));
    const RunKind kind{call.model,    tail.exit,        tail.cut,
                       tail.elements, DecodingOf(call), tail.batch};
    InferReply reply;
    {
      Admission::Request request;
      request.client = context.client();
      request.expected_us = costs_.ExpectedUs(kind);
      request.deadline_us = context.deadline_us;
      request.cancel = context.cancel;
      request.expectation_out_of_date = costs_.IsOutOfDate(kind);
      CLEAVE_ASSIGN_OR_RETURN(const Admission::Permit permit, admission_.Enter(request));
      reply.queue_us = event.queue_us = permit.queue_us();
      const std::int64_t start_us = clock_.NowUs();
      absl::StatusOr<ServedModel::Result> ran = model->Run(tail, call, context.cancel);
      if (absl::IsCancelled(ran.status())) {
        costs_.ObserveBrokenOff(kind, static_cast<double>(clock_.NowUs() - start_us));
      }
      CLEAVE_ASSIGN_OR_RETURN(ServedModel::Result result, std::move(ran));
      reply.compute_us = event.compute_us = result.compute_us;
      reply.decode_us = event.decode_us = result.decode_us;
      reply.outputs = std::move(result.outputs);
    }
    costs_.Observe(kind, static_cast<double>(reply.decode_us + reply.compute_us));
    reply.model = call.model;
    reply.id = call.id;
    reply.digest = model->digest();
    reply.wait_us = admission_.ExpectedWaitUs(context.client());
    return reply;
  }

  EdgeStatus GetStatus() override {
    const AdmissionLoad load = admission_.Load();
    EdgeStatus status;
    status.queued = load.queued;
    status.running = load.running;
    status.queue_capacity = options_.queue_capacity;
    status.expected_wait_us = load.expected_wait_us;
    status.utilization = load.utilization;
    status.uptime_us = clock_.NowUs() - started_us_;
    status.draining = draining_;
    status.completed = load.completed;
    status.refused = load.refused;
    for (const auto& model : repository_.All()) {
      status.models.push_back({model->name(), model->digest(), "", {}, {}, model->info().cuts});
    }
    return status;
  }

  std::int64_t ExpectedWaitUs(const std::string& client) override {
    return admission_.ExpectedWaitUs(client);
  }

  absl::StatusOr<std::string> GetProfile(const std::string& name, const std::string& digest,
                                         int exit, const ProfileQuery& query,
                                         const CallContext& context) override {
    CLEAVE_ASSIGN_OR_RETURN(const auto model, repository_.Find(name));
    if (!digest.empty()) CLEAVE_RETURN_IF_ERROR(model->CheckDigest(digest));
    CLEAVE_RETURN_IF_ERROR(model->CheckExit(exit));
    absl::StatusOr<std::string> json = profiles_.Get(*model, exit, query, context);
    Emit(Ended(EventOf(EdgeEventKind::kProfile, name, context), json.status()));
    return json;
  }

  absl::StatusOr<PushDecision> BeginPush(const PushOffer& offer,
                                         const CallContext& context) override {
    absl::StatusOr<PushDecision> decision = pushes_.Begin(offer);
    if (!decision.ok()) {
      Emit(Ended(EventOf(EdgeEventKind::kPush, offer.name, context), decision.status()));
    }
    return decision;
  }

  absl::Status FinishPush(const PushOffer& offer, std::string bytes,
                          const CallContext& context) override {
    absl::Status status = pushes_.Finish(offer, bytes);
    counters_.KeepOnly(ServedNames());
    Emit(Ended(EventOf(EdgeEventKind::kPush, offer.name, context), status));
    return status;
  }

  absl::StatusOr<std::string> Authorize(const Credentials& credentials,
                                        Permission needed) override {
    return access_->Authorize(credentials, needed);
  }

  absl::Status ForPeer(const absl::Status& status) override { return redactor_.Redact(status); }

  void OnCallEnd(const EdgeCall& call) override {
    if (options_.on_call) options_.on_call(call);
  }

  static EdgeEvent EventOf(EdgeEventKind kind, const std::string& model,
                           const CallContext& context) {
    EdgeEvent event;
    event.kind = kind;
    event.peer = context.peer;
    event.identity = context.identity;
    event.model = model;
    return event;
  }

  static EdgeEvent Ended(EdgeEvent event, const absl::Status& status) {
    event.code = status.code();
    event.error = std::string(status.message());
    return event;
  }

  void Emit(const EdgeEvent& event) {
    counters_.Add(event);
    if (!options_.on_event) return;
    const absl::MutexLock lock(&event_mutex_);
    options_.on_event(event);
  }

  const EdgeOptions options_;
  const Clock& clock_ = Clock::Steady();
  const std::int64_t started_us_ = clock_.NowUs();
  std::atomic<bool> draining_ = false;
  absl::Mutex shutdown_mutex_;
  absl::Mutex event_mutex_;
  CostEstimator costs_;
  Admission admission_;
  Repository repository_;
  ProfileStore profiles_;
  PushStore pushes_;
  ModelCounters counters_;
  const PathRedactor redactor_;
  std::unique_ptr<AccessList> access_;
  std::unique_ptr<WireServer> server_;
};

}  // namespace

absl::string_view EdgeEventKindName(EdgeEventKind kind) {
  switch (kind) {
    case EdgeEventKind::kInfer:
      return "infer";
    case EdgeEventKind::kRefused:
      return "refused";
    case EdgeEventKind::kError:
      return "error";
    case EdgeEventKind::kProfile:
      return "profile";
    case EdgeEventKind::kPush:
      return "push";
    case EdgeEventKind::kLoad:
      return "load";
    case EdgeEventKind::kUnload:
      return "unload";
    case EdgeEventKind::kCodec:
      return "codec";
    case EdgeEventKind::kAccess:
      return "access";
    case EdgeEventKind::kDrain:
      return "drain";
  }
  return "unknown";
}

absl::string_view RefusalName(Refusal refusal) {
  switch (refusal) {
    case Refusal::kQueueFull:
      return "queue_full";
    case Refusal::kDisplaced:
      return "displaced";
    case Refusal::kLate:
      return "late";
    case Refusal::kBudget:
      return "budget";
    case Refusal::kTooLarge:
      return "too_large";
    case Refusal::kSlow:
      return "slow";
    case Refusal::kShutdown:
      return "shutdown";
    case Refusal::kUnauthenticated:
      return "unauthenticated";
    case Refusal::kPermission:
      return "permission";
  }
  return "unknown";
}

absl::Status EdgeOptions::Validate() const {
  const auto at_least = [](const char* field, std::int64_t found, std::int64_t least) {
    if (found >= least) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": found ", found, ", expected ", least, " or more"));
  };
  if (models.empty() && !allow_push) {
    return absl::InvalidArgumentError("models: found none, expected a file or a folder");
  }
  CLEAVE_RETURN_IF_ERROR(at_least("threads", threads, 1));
  CLEAVE_RETURN_IF_ERROR(at_least("workers", workers, 1));
  CLEAVE_RETURN_IF_ERROR(at_least("queue", queue_capacity, 0));
  CLEAVE_RETURN_IF_ERROR(at_least("drain", drain_us, 0));
  CLEAVE_RETURN_IF_ERROR(at_least("max_push_bytes", max_push_bytes, 0));
  CLEAVE_RETURN_IF_ERROR(CandidateSpec::Parse(cuts).status());
  CLEAVE_RETURN_IF_ERROR(at_least("max_batch", max_batch, 1));
  CLEAVE_RETURN_IF_ERROR(at_least("max_pushed", max_pushed, 1));
  CLEAVE_RETURN_IF_ERROR(at_least("max_pushed_bytes", max_pushed_bytes, 0));
  for (const auto& [client, weight] : weights) {
    if (weight > 0 && std::isfinite(weight)) continue;
    return FieldError(absl::StrCat("weights: ", client), weight, "a finite number above 0");
  }
  return ServerOptionsOf(*this).Validate();
}

absl::StatusOr<std::unique_ptr<Edge>> Edge::Start(EdgeOptions options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_ASSIGN_OR_RETURN(const CandidateSpec cuts, CandidateSpec::Parse(options.cuts));
  RuntimeOptions runtime;
  runtime.threads = options.threads;
  CLEAVE_ASSIGN_OR_RETURN(runtime.provider, ProviderSpec::Parse(options.provider));
  CLEAVE_RETURN_IF_ERROR(runtime.Validate());
  auto edge = std::make_unique<EdgeImpl>(std::move(options), cuts, std::move(runtime));
  CLEAVE_RETURN_IF_ERROR(edge->Open());
  return edge;
}

}  // namespace cleave
