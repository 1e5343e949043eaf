#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cleave/edge.h"
#include "cli/commands.h"
#include "cli/stop_signals.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "core/units.h"

namespace cleave::cli {
namespace {

struct ServeFlags {
  EdgeOptions options;
  std::string max_message = "64MiB";
  std::string max_push = "1GiB";
  std::string drain = "10s";
  bool json_log = false;
  bool verbose = false;
};

// Logs lines for people, or one JSON object per line, on stderr. Names and errors may come from a
// peer, so none may take more than its part of one line.
class ServeLog {
 public:
  ServeLog(bool json, bool verbose) : json_(json), verbose_(verbose) {
    logger_ = std::make_shared<spdlog::logger>("serve",
                                               std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger_->set_pattern(json ? "%v" : "%Y-%m-%d %H:%M:%S.%e %l %v");
    logger_->flush_on(spdlog::level::info);
  }

  void Event(const EdgeEvent& event) {
    const bool routine =
        event.kind == EdgeEventKind::kInfer || event.kind == EdgeEventKind::kRefused;
    if (routine && !json_ && !verbose_) return;
    if (json_) {
      Json({{"event", std::string(EdgeEventKindName(event.kind))},
            {"model", Shortened(event.model)},
            {"exit", event.exit ? nlohmann::json(*event.exit) : nlohmann::json(nullptr)},
            {"cut", event.cut},
            {"batch", event.batch},
            {"queue_us", event.queue_us},
            {"compute_us", event.compute_us},
            {"error", Shortened(event.error)}});
    } else if (!event.error.empty()) {
      logger_->warn("{} {}: {}", std::string(EdgeEventKindName(event.kind)), Printable(event.model),
                    Printable(event.error));
    } else if (event.kind == EdgeEventKind::kInfer) {
      logger_->info("infer {}{} at cut {}, batch {}: {} in the queue, {} at work",
                    Printable(event.model),
                    event.exit ? absl::StrCat(" to exit ", *event.exit) : "", event.cut,
                    event.batch, FormatDuration(static_cast<double>(event.queue_us)),
                    FormatDuration(static_cast<double>(event.compute_us)));
    } else {
      logger_->info("{} {}", std::string(EdgeEventKindName(event.kind)), Printable(event.model));
    }
  }

  void Progress(const std::string& model, int done, int total) {
    if (json_) {
      Json({{"event", "load"}, {"model", Shortened(model)}, {"done", done}, {"total", total}});
    } else if (isatty(STDERR_FILENO) != 0) {
      std::cerr << "\rloading " << Printable(model) << ": " << done << "/" << total << " segments"
                << (done == total ? "\n" : "") << std::flush;
    } else if (done == total) {
      logger_->info("loaded {}: {} segments", Printable(model), total);
    }
  }

  void Plain(const std::string& event, const std::string& text) {
    if (json_) {
      Json({{"event", event}, {"text", text}});
    } else {
      logger_->info(text);
    }
  }

 private:
  void Json(nlohmann::json line) {
    line["time_us"] = std::chrono::duration_cast<std::chrono::microseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
    // A peer's model name may hold anything.
    logger_->info(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }

  const bool json_;
  const bool verbose_;
  std::shared_ptr<spdlog::logger> logger_;
};

absl::Status Serve(ServeFlags flags) {
  EdgeOptions& options = flags.options;
  CLEAVE_ASSIGN_OR_RETURN(options.max_message_bytes, ParseBytes(flags.max_message));
  CLEAVE_ASSIGN_OR_RETURN(options.max_push_bytes, ParseBytes(flags.max_push));
  CLEAVE_ASSIGN_OR_RETURN(options.drain_us, ParseDurationUs(flags.drain));
  IgnoreBrokenPipes();
  StopSignals signals;
  const auto log = std::make_shared<ServeLog>(flags.json_log, flags.verbose);
  options.on_event = [log](const EdgeEvent& event) { log->Event(event); };
  options.on_progress = [log](const std::string& model, int done, int total) {
    log->Progress(model, done, total);
  };
  const std::string host = options.listen.substr(0, options.listen.rfind(':'));
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Edge> edge, Edge::Start(std::move(options)));
  signals.Ready();
  const std::string where = absl::StrCat(host, ":", edge->port());
  std::cout << "listening on " << where << std::endl;
  log->Plain("listening", absl::StrCat("listening on ", where));
  signals.Wait();
  edge->Shutdown();
  log->Plain("stopped", "stopped");
  return absl::OkStatus();
}

}  // namespace

void AddServe(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "serve",
      "Serve models to devices: an Open Inference Protocol server that can start a model "
      "at any of its cuts");
  const auto flags = std::make_shared<ServeFlags>();
  EdgeOptions& options = flags->options;
  command->add_option(
      "models,--models", options.models,
      "ONNX files of the models to serve, or folders whose *.onnx files are all served");
  command->add_option("--listen", options.listen, "Address to listen on; port 0 takes any free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
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
  command->add_flag("--allow-push", options.allow_push, "Accept models that devices send");
  command
      ->add_option("--push-dir", options.push_dir,
                   "Folder in which pushed models are kept (default: the cache folder)")
      ->type_name("DIR");
  command
      ->add_option("--max-push", flags->max_push,
                   "Size of the largest pushed model that is accepted")
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_option("--drain", flags->drain, "Time that running requests get to end at shutdown")
      ->type_name("DURATION")
      ->capture_default_str();
  command->add_flag("--json-log", flags->json_log, "Log one JSON object per line");
  command->add_flag("-v,--verbose", flags->verbose,
                    "Log every request (by default only errors and other events)");
  command->callback([flags, &action] { action = [flags] { return Serve(*flags); }; });
}

}  // namespace cleave::cli
