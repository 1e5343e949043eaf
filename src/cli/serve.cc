#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "app/audit_log.h"
#include "app/self_check.h"
#include "app/serve_log.h"
#include "app/trial_load.h"
#include "cleave/edge.h"
#include "cli/commands.h"
#include "cli/shape_flag.h"
#include "cli/stop_signals.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "metrics/edge_monitor.h"

namespace cleave::cli {
namespace {

struct ServeFlags {
  EdgeOptions options;
  std::string max_message = "64MiB";
  std::string max_push = "1GiB";
  std::string drain = "10s";
  std::string max_call_bytes;
  std::string message_timeout = "60s";
  std::string call_timeout = "300s";
  std::string idle_timeout = "600s";
  std::string max_pushed_bytes = "4GiB";
  std::string push_time = "60s";
  std::string push_memory = "2GiB";
  std::string self_check = "10s";
  std::string metrics;
  app::AuditLogOptions audit;
  bool audit_inferences = false;
  std::vector<std::string> weights;
  ShapeFlag shape;
  bool json_log = false;
  bool verbose = false;
};

absl::Status ReadWeights(const std::vector<std::string>& texts,
                         std::map<std::string, double>& weights) {
  for (const std::string& text : texts) {
    const std::size_t at = text.rfind('=');
    double weight = 0;
    if (at == std::string::npos || !absl::SimpleAtod(text.substr(at + 1), &weight)) {
      return FieldError("--weight", absl::StrCat("'", text, "'"), "CLIENT=NUMBER");
    }
    weights[text.substr(0, at)] = weight;
  }
  return absl::OkStatus();
}

absl::Status ReadLimits(const ServeFlags& flags, EdgeOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(options.max_message_bytes, ParseBytes(flags.max_message));
  CLEAVE_ASSIGN_OR_RETURN(options.max_push_bytes, ParseBytes(flags.max_push));
  CLEAVE_ASSIGN_OR_RETURN(options.max_pushed_bytes, ParseBytes(flags.max_pushed_bytes));
  CLEAVE_ASSIGN_OR_RETURN(options.drain_us, ParseDurationUs(flags.drain));
  CLEAVE_ASSIGN_OR_RETURN(options.message_timeout_us, ParseDurationUs(flags.message_timeout));
  CLEAVE_ASSIGN_OR_RETURN(options.call_timeout_us, ParseDurationUs(flags.call_timeout));
  CLEAVE_ASSIGN_OR_RETURN(options.idle_timeout_us, ParseDurationUs(flags.idle_timeout));
  if (!flags.max_call_bytes.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(options.max_call_bytes, ParseBytes(flags.max_call_bytes));
  }
  return ReadWeights(flags.weights, options.weights);
}

// Each connection is a file to the system, and the soft limit is often 1024.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Whoever is told what the edge does: its log, and its audit and its metrics where there are some.
void Watch(EdgeOptions& options, const std::shared_ptr<app::ServeLog>& log,
           const std::shared_ptr<app::AuditLog>& audit,
           const std::shared_ptr<metrics::EdgeMonitor>& monitor) {
  options.on_event = [log, audit, monitor](const EdgeEvent& event) {
    log->Event(event);
    if (audit) audit->Add(event);
    if (monitor) monitor->metrics().Add(event);
  };
  options.on_call = [audit, monitor](const EdgeCall& call) {
    if (audit) audit->Add(call);
    if (monitor) monitor->metrics().Add(call);
  };
  options.on_progress = [log](const std::string& model, int done, int total) {
    log->Progress(model, done, total);
  };
}

absl::Status Serve(ServeFlags flags) {
  EdgeOptions& options = flags.options;
  CLEAVE_RETURN_IF_ERROR(ReadLimits(flags, options));
  CLEAVE_ASSIGN_OR_RETURN(const std::int64_t self_check_us, ParseDurationUs(flags.self_check));
  app::TrialLoad::Limits push_limits;
  CLEAVE_ASSIGN_OR_RETURN(push_limits.time_us, ParseDurationUs(flags.push_time));
  CLEAVE_ASSIGN_OR_RETURN(push_limits.memory_bytes, ParseBytes(flags.push_memory));
  CLEAVE_ASSIGN_OR_RETURN(const ShapeRequest inputs, flags.shape.Parse());
  options.shapes = inputs.shapes;
  IgnoreBrokenPipes();
  RaiseFileLimit();
  StopSignals signals;
  const auto log = std::make_shared<app::ServeLog>(
      app::ServeLogOptions{.form = flags.json_log ? app::ServeLogOptions::Form::kJson
                                                  : app::ServeLogOptions::Form::kText,
                           .detail = flags.verbose ? app::ServeLogOptions::Detail::kEveryRequest
                                                   : app::ServeLogOptions::Detail::kEventsOnly});
  const app::TrialLoad how{.cuts = options.cuts,
                           .threads = options.threads,
                           .provider = options.provider,
                           .shapes = flags.shape.texts};
  std::shared_ptr<metrics::EdgeMonitor> monitor;
  if (!flags.metrics.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(monitor, metrics::EdgeMonitor::Start(flags.metrics, CLEAVE_VERSION));
  }
  std::shared_ptr<app::AuditLog> audit;
  if (!flags.audit.path.empty()) {
    if (flags.audit_inferences) flags.audit.detail = app::AuditLogOptions::Detail::kInferencesToo;
    CLEAVE_ASSIGN_OR_RETURN(audit, app::AuditLog::Open(flags.audit));
  }
  Watch(options, log, audit, monitor);
  options.before_load = [trial = how](const std::string& file) mutable {
    trial.model = file;
    return app::TryLoading(trial);
  };
  options.before_push = [trial = how, push_limits](const std::string& file) mutable {
    trial.model = file;
    trial.limits = push_limits;
    return app::TryLoading(trial);
  };
  const std::string host = options.listen.substr(0, options.listen.rfind(':'));
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Edge> edge, Edge::Start(std::move(options)));
  signals.Ready();
  const std::string where = absl::StrCat(host, ":", edge->port());
  std::cout << "listening on " << where << std::endl;
  if (monitor) {
    monitor->Attach(*edge);
    std::cout << "metrics on " << metrics::UrlOf(flags.metrics, monitor->port()) << std::endl;
  }
  log->Plain("listening", absl::StrCat("listening on ", where));
  std::atomic<bool> stuck = false;
  {
    const app::SelfCheck check(
        {.target = app::OwnAddress(host, edge->port()), .period_us = self_check_us}, [&stuck] {
          stuck = true;
          kill(getpid(), SIGTERM);
        });
    signals.Wait();
  }
  edge->Shutdown();
  if (monitor) monitor->Detach();
  log->Plain("stopped", "stopped");
  if (!stuck) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat(where, " accepts no connections any more (no file descriptors left?)"));
}

// Who may speak with the server, and how.
void AddAccess(CLI::App& command, ServeFlags& flags) {
  EdgeOptions& options = flags.options;
  command
      .add_option(
          "--tls-cert", options.tls.certificate,
          "PEM file of the server's certificate; it speaks TLS then (a renewed file is taken "
          "up without a restart)")
      ->type_name("FILE");
  command.add_option("--tls-key", options.tls.key, "PEM file of its private key")
      ->type_name("FILE");
  command
      .add_option("--tls-client-ca", options.tls.ca,
                  "PEM file of the authorities of which each client has to show a certificate")
      ->type_name("FILE");
  command
      .add_option(
          "--token-file", options.token_file,
          "File that says who may do what, as lines of IDENTITY ROLE[,ROLE] and the SHA-256 "
          "of a token, or cert:NAME (default: whoever reaches the server may use it)")
      ->type_name("FILE");
  command.add_flag("--insecure", options.insecure, "Speak plain text with other machines, too");
  command
      .add_option("--audit-log", flags.audit.path,
                  "File to which one JSON object is added for each push, profile and refusal, with "
                  "the peer and its identity")
      ->type_name("FILE");
  command.add_flag("--audit-inferences", flags.audit_inferences, "Add each inference to it, too");
}

}  // namespace

void AddServe(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "serve",
      "Serve models to devices: an Open Inference Protocol server that can start a model "
      "at any of its cuts");
  const auto flags = std::make_shared<ServeFlags>();
  EdgeOptions& options = flags->options;
  command->add_option("models,--models", options.models,
                      "ONNX files of the models to serve, or folders whose *.onnx files "
                      "and NAME/1/model.onnx are all served");
  command
      ->add_option("--listen", options.listen,
                   "Address to listen on; port 0 takes any free one; one that other machines reach "
                   "needs --tls-cert or --insecure")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  AddAccess(*command, *flags);
  command->add_option("--threads", options.threads, "Threads that one run uses")
      ->capture_default_str();
  command->add_option("--workers", options.workers, "Number of runs at the same time")
      ->capture_default_str();
  command
      ->add_option("--queue", options.queue_capacity,
                   "Number of requests that may wait; one more is refused")
      ->capture_default_str();
  command
      ->add_option("--cuts", options.cuts,
                   "Cuts at which a request can start a model: frontier, all or a number")
      ->capture_default_str();
  command
      ->add_option("--provider", options.provider,
                   "ONNX Runtime execution provider that runs the models")
      ->type_name("NAME[:key=value,...]")
      ->capture_default_str();
  command
      ->add_option("--max-message", flags->max_message,
                   "Size of the largest request that is accepted")
      ->type_name("SIZE")
      ->capture_default_str();
  command
      ->add_option("--max-batch", options.max_batch,
                   "Largest batch of a request, or of a profile, that is accepted")
      ->capture_default_str();
  command
      ->add_option("--max-calls", options.max_calls,
                   "Number of calls at the same time; a connection may have a quarter of them, an "
                   "address half")
      ->capture_default_str();
  command
      ->add_option("--max-call-bytes", flags->max_call_bytes,
                   "Memory that calls may hold at the same time, shared out like their number "
                   "(default: eight times --max-message)")
      ->type_name("SIZE");
  command
      ->add_option("--message-timeout", flags->message_timeout,
                   "Time that a message has to arrive, and an answer to be taken")
      ->type_name("DURATION")
      ->capture_default_str();
  command
      ->add_option("--call-timeout", flags->call_timeout,
                   "Time that a call may take, its wait in the queue included")
      ->type_name("DURATION")
      ->capture_default_str();
  command
      ->add_option("--idle-timeout", flags->idle_timeout,
                   "Time after which a connection without calls is closed")
      ->type_name("DURATION")
      ->capture_default_str();
  command
      ->add_option(
          "--weight", flags->weights,
          "Share of the workers' time that a client, as its identity or else its address, gets "
          "against 1 of the others; give it again for another")
      ->type_name("CLIENT=NUMBER");
  command
      ->add_option("--self-check", flags->self_check,
                   "Time between connections to itself; where six fail in a row, the program ends "
                   "with an error")
      ->type_name("DURATION")
      ->capture_default_str();
  command
      ->add_option("--metrics", flags->metrics,
                   "Address for Prometheus (/metrics) and for health (/healthz, /readyz) over "
                   "plain HTTP (default: none)")
      ->type_name("HOST:PORT");
  command->add_flag("--allow-push", options.allow_push,
                    "Accept models, and codecs of models, that devices send");
  command
      ->add_option("--push-dir", options.push_dir,
                   "Folder in which pushed files are kept (default: the cache folder)")
      ->type_name("DIR");
  command
      ->add_option("--max-push", flags->max_push,
                   "Size of the largest pushed file that is accepted")
      ->type_name("SIZE")
      ->capture_default_str();
  command
      ->add_option("--max-pushed", options.max_pushed,
                   "Number of pushed models that are served at the same time")
      ->capture_default_str();
  command
      ->add_option("--max-pushed-bytes", flags->max_pushed_bytes,
                   "Size of the files of all pushed models together")
      ->type_name("SIZE")
      ->capture_default_str();
  command
      ->add_option("--push-time", flags->push_time,
                   "Time that loading and running a pushed model once may take")
      ->type_name("DURATION")
      ->capture_default_str();
  command->add_option("--push-memory", flags->push_memory, "Memory that it may take")
      ->type_name("SIZE")
      ->capture_default_str();
  flags->shape.AddTo(*command);
  command->add_option("--drain", flags->drain, "Time that running requests get to end at shutdown")
      ->type_name("DURATION")
      ->capture_default_str();
  command->add_flag("--json-log", flags->json_log, "Log one JSON object per line");
  command->add_flag("-v,--verbose", flags->verbose,
                    "Log every request (by default only errors and other events)");
  command->callback([flags, &action] { action = [flags] { return Serve(*flags); }; });
}

}  // namespace cleave::cli
