#include <unistd.h>

#include <array>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "app/detector.h"
#include "app/filter_threshold.h"
#include "app/input_source.h"
#include "app/run_session.h"
#include "cli/commands.h"
#include "cli/detection_flags.h"
#include "cli/device_flags.h"
#include "cli/stop_signals.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "video/frame_reader.h"

namespace cleave::cli {
namespace {

struct RunFlags {
  DeviceFlags device;
  app::InputOptions inputs;
  app::RunOptions run;
  DetectionFlags detections;
  std::string interval;
  std::string duration;
  std::string max_miss;
  std::string drop;
  std::string verify_share;
  std::array<float, 3> mean{};
  std::array<float, 3> deviation{};
  std::string output;
  bool json = false;
  bool plain = false;
};

// What a run's records or pictures become, besides what is shown.
absl::Status ParseOutput(const std::string& output, app::RunOptions& run) {
  if (output.empty()) return absl::OkStatus();
  if (output == "-") {
    run.view = app::RunView::kJson;
    return absl::OkStatus();
  }
  if (absl::EndsWith(output, ".ndjson") || absl::EndsWith(output, ".jsonl")) {
    run.records = output;
    return absl::OkStatus();
  }
  if (video::KindOf(output) != video::SourceKind::kFile) {
    return FieldError("--output", absl::StrCat("'", output, "'"),
                      absl::StrCat("-, a file that ends in .ndjson or .jsonl, or a video: ",
                                   video::kVideoEndings));
  }
  run.video = output;
  return absl::OkStatus();
}

absl::Status ParseTimes(const RunFlags& flags, app::RunOptions& run) {
  if (!flags.interval.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(run.interval_us, ParseDurationUs(flags.interval));
  }
  if (!flags.duration.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(run.duration_us, ParseDurationUs(flags.duration));
  }
  return absl::OkStatus();
}

// Guesses of shapes matter, and are said, where the inputs are made by them.
absl::StatusOr<std::unique_ptr<app::InputSource>> OpenInputs(const Device& device,
                                                             app::InputOptions options) {
  options.resolved = device.profiled_inputs();
  options.batch_axes = device.batch_axes();
  SayGuesses({options.resolved, device.shape_guesses()});
  SayWarnings(device);
  return app::InputSource::Open(device.inputs(), options);
}

std::optional<app::DropRule> RuleOf(const std::string& drop) {
  if (drop == "oldest") return app::DropRule::kOldest;
  if (drop == "newest") return app::DropRule::kNewest;
  if (drop == "none") return app::DropRule::kNone;
  return std::nullopt;
}

absl::Status Run(const RunFlags& flags, const CLI::App& command) {
  const CancelToken stop;
  StopSignals signals(stop);
  app::RunOptions run = flags.run;
  CLEAVE_ASSIGN_OR_RETURN(DeviceOptions options, flags.device.Parse());
  CLEAVE_RETURN_IF_ERROR(ParseTimes(flags, run));
  run.in_flight = options.stream.max_in_flight;
  if (!flags.max_miss.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(options.deadline.max_miss, ParseShare(flags.max_miss));
  }
  if (!flags.verify_share.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(options.edge.verify_share, ParseShare(flags.verify_share));
  }
  CLEAVE_ASSIGN_OR_RETURN(NamedClasses names, flags.detections.ReadLabels(flags.device.model));
  run.detail.labels = std::move(names.labels);
  run.detail.labels_origin = std::move(names.origin);
  app::InputOptions inputs = flags.inputs;
  inputs.batch = options.runtime.batch;
  inputs.video.drop = RuleOf(flags.drop);
  inputs.seed = options.runtime.seed;
  inputs.model_path = flags.device.model;
  if (command.count("--mean") > 0) inputs.flags.mean = flags.mean;
  if (command.count("--std") > 0) inputs.flags.deviation = flags.deviation;
  options.runtime.preprocessing = inputs.flags.ToJson();
  if (options.runtime.shapes.empty()) {
    options.runtime.shapes = app::ShapesOfNamedInputs(inputs.sources);
  }
  if (options.runtime.shapes.empty()) {
    options.runtime.shapes =
        app::ShapeOfOnlyInput(flags.device.model, inputs.sources, options.runtime.batch);
  }
  app::DetectorOptions detector = flags.detections.Detector(flags.device.model, run.detail.labels);
  detector.flags = inputs.flags;
  options.answers = flags.detections.Answers(run.detail.labels);
  if (run.detail.full) options.answers.form = AnswerForm::kOutputs;
  run.view = flags.json                                   ? app::RunView::kJson
             : !flags.plain && isatty(STDOUT_FILENO) != 0 ? app::RunView::kLive
                                                          : app::RunView::kLines;
  CLEAVE_RETURN_IF_ERROR(ParseOutput(flags.output, run));
  run.title = absl::StrCat(flags.device.model, ", policy ", options.plans.policy,
                           options.edge.address.empty() ? "" : ", edge ", options.edge.address);

  if (options.filter.file) {
    CLEAVE_RETURN_IF_ERROR(app::CheckFilterThreshold(*options.filter.file, detector));
  }
  CLEAVE_RETURN_IF_ERROR(flags.device.TryModel());
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Device> device,
                          Device::Open(flags.device.model, options));
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<app::InputSource> source,
                          OpenInputs(*device, inputs));
  CLEAVE_ASSIGN_OR_RETURN(run.detector, app::Detector::Open(device->profiled_inputs(), detector));
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<metrics::DeviceMonitor> monitor,
                          StartMonitor(flags.device, *device));
  CredentialsNotice notice(*device);
  run.on_record = [&](const InferenceRecord& record) {
    notice.Add(record);
    if (monitor) monitor->Add(record);
  };
  SayEdgeProblem(*device, options);
  signals.Ready();
  return app::RunSession(*device, *source, run, stop, std::cout);
}

}  // namespace

void AddRun(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("run", "Run inferences, with an edge's help where that is faster");
  const auto flags = std::make_shared<RunFlags>();
  flags->device.AddTo(*command);
  command
      ->add_option(
          "--input", flags->inputs.sources,
          "random, images and .npy files, a folder of them, a video, a camera as rtsp:// or "
          "http://, or NAME=FILE.npy for each input")
      ->capture_default_str();
  command
      ->add_option("--output", flags->output,
                   "Where the results go as well: a video with what a detector finds in the inputs "
                   "(out.mp4), a file of JSON lines (out.ndjson), or - for --json")
      ->type_name("FILE");
  command
      ->add_option("--drop", flags->drop,
                   "Videos: the frame that gives way where they are faster: oldest, newest or none "
                   "(default: oldest for cameras and with --realtime, else none)")
      ->check(CLI::IsMember({"oldest", "newest", "none"}));
  command->add_flag("--realtime", flags->inputs.video.real_time,
                    "Videos: play a file at its own rate, as a camera would");
  command->add_option("--seed", flags->device.options.runtime.seed, "Seed of random inputs")
      ->capture_default_str();
  command
      ->add_option(
          "--exit-confidence", flags->device.options.plans.exit_confidence,
          "Answer with the first early exit on the device that is this sure: a probability, "
          "or entropy:NATS")
      ->type_name("T");
  command
      ->add_option("--max-miss", flags->max_miss,
                   "With --deadline: when a plan's predicted chance of a miss is above this share, "
                   "the device finishes an earlier exit while the edge works: 0.01 or 1%")
      ->type_name("SHARE");
  command
      ->add_option("--verify-share", flags->verify_share,
                   "The device makes this share of the edge's answers again and compares; where "
                   "they differ, it says so and gives its own: 0.01 or 1% (default: none)")
      ->type_name("SHARE");
  command
      ->add_option("--filter-check", flags->device.filter_check,
                   "With --filter: this share of the inferences that it would end goes on all the "
                   "same, to see how often it errs: 0.02 or 2% (default: 2%)")
      ->type_name("SHARE");
  flags->device.AddAskingTo(*command);
  command->add_option("--repeat", flags->run.repeat, "How often all inputs are run")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--duration", flags->duration, "Run for this long, in place of --repeat")
      ->type_name("DURATION");
  command
      ->add_option("--interval", flags->interval,
                   "Time from the start of one inference to the start of the next (default: none)")
      ->type_name("DURATION");
  command->add_option("--resize", flags->inputs.flags.resize,
                      "Images: shorter side before the crop");
  command->add_option("--height", flags->inputs.flags.height, "Images: height of the crop");
  command->add_option("--width", flags->inputs.flags.width, "Images: width of the crop");
  command->add_option("--mean", flags->mean, "Images: mean of each channel")->type_name("R G B");
  command->add_option("--std", flags->deviation, "Images: standard deviation of each channel")
      ->type_name("R G B");
  flags->detections.AddTo(*command);
  command
      ->add_option("--annotate", flags->run.annotate,
                   "Detectors: write each picture with the boxes, names and scores of its objects "
                   "into this folder, as JPEG (default: none)")
      ->type_name("DIR");
  command->add_flag("--full-outputs", flags->run.detail.full, "JSON: every value of the outputs");
  command->add_flag("--json", flags->json, "Print JSON, one object a line");
  command->add_flag("--plain", flags->plain, "Print lines even to a terminal");
  command->callback(
      [flags, command, &action] { action = [flags, command] { return Run(*flags, *command); }; });
}

}  // namespace cleave::cli
