#include "app/detector.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "app/detection_report.h"
#include "app/filter_threshold.h"
#include "app/run_report.h"
#include "cli/commands.h"
#include "cli/detection_flags.h"
#include "cli/device_flags.h"
#include "cli/stop_signals.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "recorder/frigate_server.h"
#include "recorder/http_server.h"
#include "recorder/picture_finder.h"

namespace cleave::cli {
namespace {

constexpr char kNowhere[] = "none";

struct DetectorFlags {
  DeviceFlags device;
  DetectionFlags detections;
  recorder::FrigateServerOptions frigate;
  recorder::HttpServerOptions http;
  std::string pixels = "rgb";
  std::string api_key_file;
  std::string max_request = "32MiB";
  std::string report = "60s";
  bool json = false;
  bool verbose = false;
};

enum class EventView : std::uint8_t { kSummaries, kLines, kJson };

// Tells what became of the pictures: of each, the answer first, and of all from time to time.
// Thread-safe.
class Reporter {
 public:
  Reporter(EventView view, std::vector<std::string> labels)
      : view_(view), detail_{.full = false, .labels = std::move(labels), .labels_origin = ""} {}

  void Add(const recorder::DeviceFinder::Event& event) {
    if (!event.ok()) return Refused(event.status());
    const InferenceRecord& record = event->record;
    const BatchDetections found = {event->detections};
    absl::MutexLock lock(&mutex_);
    window_.Add(record, found);
    if (view_ == EventView::kJson) {
      std::cout << app::RecordJson(record, detail_, {}, found) << std::endl;
    } else if (view_ == EventView::kLines) {
      for (const std::string& line : app::DetectionLines(found, {"picture"}, detail_.labels)) {
        std::cout << line << "\n";
      }
      std::cout << app::RecordLine(record) << std::endl;
    }
  }

  // A client that cannot be served sees no more than a picture without objects.
  void Refused(const absl::Status& why) {
    absl::MutexLock lock(&mutex_);
    window_.AddSkipped();
    std::cerr << "cleave: refused: " << Printable(why.message()) << std::endl;
  }

  // Sums up what came since the last time; quiet where nothing did.
  void SumUp() {
    absl::MutexLock lock(&mutex_);
    const std::int64_t now_us = Clock::Steady().NowUs();
    const double seconds = static_cast<double>(now_us - window_us_) / 1e6;
    if (window_.inferences() + window_.skipped() > 0) {
      std::cout << (view_ == EventView::kJson ? window_.ToJson(seconds) + "\n"
                                              : window_.ToText(seconds))
                << std::flush;
    }
    window_ = app::RunSummary();
    window_us_ = now_us;
  }

 private:
  const EventView view_;
  const app::OutputDetail detail_;
  absl::Mutex mutex_;
  app::RunSummary window_ ABSL_GUARDED_BY(mutex_);
  std::int64_t window_us_ ABSL_GUARDED_BY(mutex_) = Clock::Steady().NowUs();
};

absl::StatusOr<app::Detector> OpenDetector(const Device& device,
                                           const app::DetectorOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(
      const app::ModelKind kind,
      app::KindOfModel(options.model_path, device.profiled_inputs(), device.outputs()));
  CLEAVE_ASSIGN_OR_RETURN(std::optional<app::Detector> detector,
                          app::Detector::Open(device.profiled_inputs(), options));
  if (detector && kind.detects) return *std::move(detector);
  return FieldError(options.model_path,
                    kind.text.empty() ? "outputs that are no known detections" : kind.text,
                    "a detector (\"detections\" in its sidecar says what its outputs are; cleave "
                    "inspect tells what they look like)");
}

absl::StatusOr<std::string> ReadKey(const std::string& file) {
  if (file.empty()) return std::string();
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  std::string key(absl::StripAsciiWhitespace(text));
  if (key.empty()) return FieldError(file, "no text", "the key that clients have to send");
  return key;
}

// The servers that were asked for.
struct Servers {
  std::unique_ptr<recorder::ZmqServer> frigate;
  std::unique_ptr<recorder::HttpServer> http;
};

absl::StatusOr<Servers> StartServers(DetectorFlags flags, std::vector<std::string> labels,
                                     recorder::PictureFinder& finder, Reporter& reporter) {
  Servers servers;
  const std::filesystem::path model(flags.device.model);
  if (flags.frigate.zmq.endpoint != kNowhere) {
    flags.frigate.model = model.filename();
    flags.frigate.order =
        flags.pixels == "bgr" ? recorder::PixelOrder::kBgr : recorder::PixelOrder::kRgb;
    flags.frigate.on_refused = [&reporter](const absl::Status& why) { reporter.Refused(why); };
    CLEAVE_ASSIGN_OR_RETURN(servers.frigate, recorder::StartFrigateServer(flags.frigate, finder));
    std::cout << "listening for Frigate (ZeroMQ) on " << servers.frigate->endpoint() << std::endl;
  }
  if (flags.http.listen != kNowhere) {
    flags.http.model = model.stem();
    flags.http.labels = std::move(labels);
    CLEAVE_ASSIGN_OR_RETURN(const std::int64_t most, ParseBytes(flags.max_request));
    flags.http.max_request_bytes = static_cast<std::size_t>(most);
    CLEAVE_ASSIGN_OR_RETURN(flags.http.api_key, ReadKey(flags.api_key_file));
    CLEAVE_ASSIGN_OR_RETURN(servers.http, recorder::HttpServer::Start(flags.http, finder));
    const std::string host = flags.http.listen.substr(0, flags.http.listen.rfind(':'));
    std::cout << "listening for HTTP on http://" << host << ":" << servers.http->port()
              << "/v1/vision/detection" << std::endl;
  }
  if (servers.frigate || servers.http) return servers;
  return FieldError("--zmq and --http", kNowhere, "an address for one of them");
}

absl::Status Serve(const DetectorFlags& flags) {
  IgnoreBrokenPipes();
  StopSignals signals;
  CLEAVE_ASSIGN_OR_RETURN(DeviceOptions options, flags.device.Parse());
  CLEAVE_ASSIGN_OR_RETURN(const std::int64_t report_us, ParseDurationUs(flags.report));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast("--report-every", report_us, std::int64_t{1}));
  CLEAVE_ASSIGN_OR_RETURN(const NamedClasses names,
                          flags.detections.ReadLabels(flags.device.model));
  options.answers = flags.detections.Answers(names.labels);
  const app::DetectorOptions detector = flags.detections.Detector(flags.device.model, names.labels);
  if (options.filter.file) {
    CLEAVE_RETURN_IF_ERROR(app::CheckFilterThreshold(*options.filter.file, detector));
  }
  CLEAVE_RETURN_IF_ERROR(flags.device.TryModel());
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Device> device,
                          Device::Open(flags.device.model, options));
  CLEAVE_ASSIGN_OR_RETURN(app::Detector opened, OpenDetector(*device, detector));
  SayWarnings(*device);
  SayEdgeProblem(*device, options);
  Reporter reporter(flags.json      ? EventView::kJson
                    : flags.verbose ? EventView::kLines
                                    : EventView::kSummaries,
                    names.labels);
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<metrics::DeviceMonitor> monitor,
                          StartMonitor(flags.device, *device));
  CredentialsNotice notice(*device);
  recorder::DeviceFinder finder(*device, std::move(opened),
                                [&](const recorder::DeviceFinder::Event& event) {
                                  reporter.Add(event);
                                  if (event.ok()) notice.Add(event->record);
                                  if (monitor && event.ok()) monitor->Add(event->record);
                                });
  CLEAVE_ASSIGN_OR_RETURN(Servers servers, StartServers(flags, names.labels, finder, reporter));
  signals.Ready();
  while (!signals.WaitFor(report_us)) reporter.SumUp();
  servers = Servers();
  reporter.SumUp();
  return absl::OkStatus();
}

}  // namespace

void AddDetector(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "detector",
      "Find objects for the programs that cameras talk to: Frigate (ZeroMQ), and all that speak "
      "the HTTP API of DeepStack and CodeProject.AI");
  const auto flags = std::make_shared<DetectorFlags>();
  flags->device.deadline = "180ms";
  flags->device.AddTo(*command);
  command->get_option("--deadline")
      ->description(
          "When a client wants its answer, from the picture's arrival; past that Frigate takes the "
          "picture for an empty one (default: 180 ms)");
  flags->device.AddAskingTo(*command);
  flags->detections.AddTo(*command);
  command
      ->add_option(
          "--zmq", flags->frigate.zmq.endpoint,
          "Where Frigate's detector \"zmq\" connects to, as tcp://HOST:PORT or ipc://FILE; "
          "none: nowhere")
      ->type_name("ENDPOINT")
      ->capture_default_str();
  command
      ->add_option("--http", flags->http.listen,
                   "Where the HTTP API listens; none: nowhere; port 0 takes any free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  command
      ->add_option("--pixels", flags->pixels,
                   "Order of the channels in Frigate's tensors (input_pixel_format of its model)")
      ->check(CLI::IsMember({"rgb", "bgr"}))
      ->capture_default_str();
  command
      ->add_option("--api-key-file", flags->api_key_file,
                   "File with the key that HTTP clients have to send (default: none is asked for)")
      ->type_name("FILE");
  command->add_option("--max-request", flags->max_request, "Size of the largest HTTP request")
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_option("--report-every", flags->report, "Time from one summary to the next")
      ->type_name("DURATION")
      ->capture_default_str();
  command->add_flag("--json", flags->json, "Print JSON, one object for each picture");
  command->add_flag("-v,--verbose", flags->verbose, "Print what is found in each picture");
  command->callback([flags, &action] { action = [flags] { return Serve(*flags); }; });
}

}  // namespace cleave::cli
