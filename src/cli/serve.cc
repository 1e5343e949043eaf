#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/serve_log.h"
#include "app/trial_load.h"
#include "cleave/edge.h"
#include "cli/commands.h"
#include "cli/shape_flag.h"
#include "cli/stop_signals.h"
#include "core/status_macros.h"
#include "core/units.h"

namespace cleave::cli {
namespace {

struct ServeFlags {
  EdgeOptions options;
  std::string max_message = "64MiB";
  std::string max_push = "1GiB";
  std::string drain = "10s";
  ShapeFlag shape;
  bool json_log = false;
  bool verbose = false;
};

absl::Status Serve(ServeFlags flags) {
  EdgeOptions& options = flags.options;
  CLEAVE_ASSIGN_OR_RETURN(options.max_message_bytes, ParseBytes(flags.max_message));
  CLEAVE_ASSIGN_OR_RETURN(options.max_push_bytes, ParseBytes(flags.max_push));
  CLEAVE_ASSIGN_OR_RETURN(options.drain_us, ParseDurationUs(flags.drain));
  CLEAVE_ASSIGN_OR_RETURN(const ShapeRequest inputs, flags.shape.Parse());
  options.shapes = inputs.shapes;
  IgnoreBrokenPipes();
  StopSignals signals;
  const auto log = std::make_shared<app::ServeLog>(
      app::ServeLogOptions{.form = flags.json_log ? app::ServeLogOptions::Form::kJson
                                                  : app::ServeLogOptions::Form::kText,
                           .detail = flags.verbose ? app::ServeLogOptions::Detail::kEveryRequest
                                                   : app::ServeLogOptions::Detail::kEventsOnly});
  options.on_event = [log](const EdgeEvent& event) { log->Event(event); };
  options.on_progress = [log](const std::string& model, int done, int total) {
    log->Progress(model, done, total);
  };
  options.before_load =
      [trial = app::TrialLoad{.cuts = options.cuts,
                              .threads = options.threads,
                              .provider = options.provider,
                              .shapes = flags.shape.texts}](const std::string& file) mutable {
        trial.model = file;
        return app::TryLoading(trial);
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
