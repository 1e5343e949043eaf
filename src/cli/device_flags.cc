#include "cli/device_flags.h"

#include <iostream>
#include <string>

#include "app/trial_load.h"
#include "cli/progress.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "metrics/device_metrics.h"

namespace cleave::cli {
void DeviceFlags::AddTo(CLI::App& command) {
  command.add_option("model", model, "ONNX file of the model")->required();
  command
      .add_option("--edge", options.edge.address,
                  "Address of the edge, which runs cleave serve (default: none)")
      ->type_name("HOST:PORT");
  command
      .add_option("--edge-model", options.edge.model,
                  "Name of the model on the edge (default: the file's name without its extension)")
      ->type_name("NAME");
  command
      .add_option(
          "--policy", options.plans.policy,
          "What chooses the plan: dynamic, device, edge, fixed:CUT[/ENCODING[/EXIT]] or the "
          "FILE.onnx of a learned policy")
      ->capture_default_str();
  command
      .add_option("--cuts", options.plans.cuts, "Cuts to choose among: frontier, all or a number")
      ->capture_default_str();
  command.add_option("--batch", options.runtime.batch, "Samples of one inference")
      ->capture_default_str();
  shape.AddTo(command);
  command.add_option("--threads", options.runtime.threads, "Threads that one run uses")
      ->capture_default_str();
  command
      .add_option("--provider", options.runtime.provider,
                  "ONNX Runtime execution provider that runs the model")
      ->type_name("NAME[:key=value,...]")
      ->capture_default_str();
  command
      .add_option("--profile,--device-profile", options.runtime.profile,
                  "Profile of this device (default: from the cache, or measured now)")
      ->type_name("FILE");
  command.add_flag("--no-raw-input", options.plans.no_raw_input,
                   "Never send the model's input to the edge");
  command
      .add_option("--max-device-ms", max_device,
                  "Longest time that the head may take on the device, in ms (default: no limit)")
      ->type_name("MS");
  command
      .add_option(
          "--deadline", deadline,
          "Deadline of each inference, in ms; a calibrated model gives the most accurate answer "
          "that is likely to be in time (default: none)")
      ->type_name("MS");
  command
      .add_option("--objective", objective,
                  "What plans are chosen for: the latency of each inference, or the throughput of "
                  "many that overlap (--in-flight)")
      ->type_name("latency|throughput")
      ->capture_default_str();
  command
      .add_option("--max-latency", max_latency,
                  "With --objective throughput: choose among plans that answer within this time, "
                  "in ms (default: no limit)")
      ->type_name("MS");
  CLI::Option* least =
      command
          .add_option(
              "--min-accuracy", min_accuracy,
              "Use only plans of at least this calibrated accuracy: 0.8 or 80% (default: no limit)")
          ->type_name("SHARE");
  command
      .add_option("--accuracy-drop", accuracy_drop,
                  "Use only plans whose calibrated accuracy is at most this much below the best: "
                  "0.01 or 1% (default: no limit)")
      ->type_name("SHARE")
      ->excludes(least);
  command
      .add_option("--encodings", options.plans.encodings,
                  "Encodings in which tensors may be sent: all, or a list such as fp32,q8,jpeg")
      ->capture_default_str();
  command
      .add_option("--exit", options.plans.exit,
                  "Use only plans that end at this exit of a multi-branch model, counted from 0 "
                  "(default: any)")
      ->type_name("K");
  filter_option_ = command
                       .add_option("--filter", filter,
                                   "End inferences on the device whose pictures show nothing, by "
                                   "this filter (cleave filter fit makes one; without FILE: the "
                                   "one beside the model)")
                       ->type_name("FILE")
                       ->expected(0, 1);
}

void DeviceFlags::AddAskingTo(CLI::App& command) {
  command
      .add_option("--data-budget", data_budget,
                  "Data that may be exchanged with the edge on average, such as 2GB/month or "
                  "500kbit/s; what does not fit runs on the device (default: no limit)")
      ->type_name("BUDGET");
  command
      .add_option("--in-flight", options.stream.max_in_flight,
                  "Inferences that may overlap: while one is on the wire, the next runs on the "
                  "device")
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--timeout", timeout,
                  "Longest time that the device waits for the edge's answer (default: 10s)")
      ->type_name("DURATION");
  command
      .add_option("--tls-ca", options.edge.tls.ca,
                  "PEM file of the authorities of the edge; the connection is TLS (default: plain "
                  "text)")
      ->type_name("FILE");
  command
      .add_option("--tls-cert", options.edge.tls.certificate,
                  "PEM file of the device's certificate, for edges that ask for one")
      ->type_name("FILE");
  command.add_option("--tls-key", options.edge.tls.key, "PEM file of its private key")
      ->type_name("FILE");
  command
      .add_option("--token-file", options.edge.token_file,
                  "File with the token that the edge knows the device by")
      ->type_name("FILE");
  command.add_flag("--insecure", options.edge.insecure,
                   "Send the token without TLS, too, to an edge on another machine");
  command
      .add_option("--metrics", metrics,
                  "Address for Prometheus (/metrics) and for health (/healthz) over plain HTTP "
                  "(default: none)")
      ->type_name("HOST:PORT");
  command.add_flag("--push", options.edge.push,
                   "Offer the model, or its codecs, to an edge that lacks it");
}

absl::Status DeviceFlags::TryModel() const {
  return app::TryLoading({.model = model,
                          .cuts = options.plans.cuts,
                          .threads = options.runtime.threads,
                          .provider = options.runtime.provider,
                          .shapes = shape.texts});
}

absl::StatusOr<DeviceOptions> DeviceFlags::Parse() const {
  DeviceOptions parsed = options;
  CLEAVE_ASSIGN_OR_RETURN(const ShapeRequest inputs, shape.Parse());
  parsed.runtime.shapes = inputs.shapes;
  if (!timeout.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(parsed.edge.remote_timeout_us, ParseDurationUs(timeout));
  }
  CLEAVE_ASSIGN_OR_RETURN(parsed.plans.objective, ParseObjective(objective));
  if (!max_latency.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(parsed.plans.max_latency_us, ParseDurationUs(max_latency));
  }
  if (!data_budget.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(parsed.edge.data_budget_bps, ParseDataRateBps(data_budget));
  }
  if (!max_device.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(parsed.plans.max_device_us, ParseDurationUs(max_device));
  }
  if (!deadline.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(parsed.deadline.deadline_us, ParseDurationUs(deadline));
  }
  if (!min_accuracy.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(parsed.plans.min_accuracy, ParseShare(min_accuracy));
  }
  if (!accuracy_drop.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(parsed.plans.accuracy_drop, ParseShare(accuracy_drop));
  }
  if (filter_option_ != nullptr && filter_option_->count() > 0) parsed.filter.file = filter;
  if (!filter_check.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(parsed.filter.check_share, ParseShare(filter_check));
  }
  parsed.on_progress = [bar = ProgressBar()](const std::string& what, double share) {
    if (what == "ready") return EndProgressBar();
    bar(what, share);
  };
  return parsed;
}

absl::StatusOr<std::unique_ptr<metrics::DeviceMonitor>> StartMonitor(const DeviceFlags& flags,
                                                                     const Device& device) {
  if (flags.metrics.empty()) return nullptr;
  CLEAVE_ASSIGN_OR_RETURN(
      std::unique_ptr<metrics::DeviceMonitor> monitor,
      metrics::DeviceMonitor::Start(flags.metrics, CLEAVE_VERSION, device, flags.options));
  std::cerr << "metrics on " << metrics::UrlOf(flags.metrics, monitor->port()) << std::endl;
  return monitor;
}

void SayWarnings(const Device& device) {
  for (const std::string& warning : device.warnings()) {
    std::cerr << "warning: " << Printable(warning) << "\n";
  }
}

void SayEdgeProblem(const Device& device, const DeviceOptions& options) {
  if (options.edge.address.empty() || device.edge_usable()) return;
  std::cerr << "cleave: " << Printable(device.edge_problem()) << " (it is tried again)\n";
}

void CredentialsNotice::Add(const InferenceRecord& record) {
  if (!record.fallback) {
    if (record.where != Where::kDevice) said_ = false;
    return;
  }
  if (metrics::FallbackReason(*record.fallback) != "credentials" || said_.exchange(true)) return;
  std::cerr << "cleave: " << Printable(*record.fallback)
            << " (the device goes on alone; the edge is tried again)\n";
}

}  // namespace cleave::cli
