#include "experiments/rig/worker.h"

#include <signal.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/input_source.h"
#include "app/samples.h"
#include "cleave/device.h"
#include "codec/input_preprocessing.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "device/confidence.h"
#include "experiments/rig/json.h"
#include "model/graph.h"
#include "profile/profile.h"

namespace cleave::experiments::rig {

namespace {

using Json = nlohmann::json;

constexpr std::int64_t kOpenUs = 900'000'000;  // A profile under a quota takes its time.
constexpr std::int64_t kAnswerUs = 300'000'000;
constexpr std::int64_t kPollUs = 20'000;

Sample ToSample(const InferenceRecord& record, std::int64_t start_us) {
  const Timeline& timeline = record.timeline;
  const bool hedge_won = record.hedge && record.hedge->won;
  const Plan& plan = hedge_won ? record.decided : record.plan;
  return {.start_us = start_us,
          .latency_us = static_cast<double>(record.latency_us),
          .predicted_us = record.predicted_us,
          .cut = plan.cut,
          .exit = plan.exit,
          .encoding = plan.encoding,
          .where = record.where,
          .fallback = record.fallback.value_or(""),
          .link_up_bps = record.link_up_bps,
          .bytes_up = static_cast<double>(record.bytes_up),
          .rtt_us = record.link_rtt_us,
          .device_slowdown = record.device_slowdown,
          .edge_slowdown = record.edge_slowdown,
          .accuracy = record.accuracy,
          .reason = record.reason,
          .miss_chance = record.miss_chance,
          .hedged = record.hedge.has_value(),
          .hedge_won = hedge_won,
          .phases = {.decide_us = static_cast<double>(timeline.decide_us),
                     .prepare_us = static_cast<double>(timeline.prepare_us),
                     .head_us = static_cast<double>(timeline.head_us),
                     .encode_us = static_cast<double>(timeline.encode_us),
                     .uplink_us = static_cast<double>(timeline.uplink_us),
                     .queue_us = static_cast<double>(timeline.queue_us),
                     .tail_us = static_cast<double>(timeline.tail_us),
                     .downlink_us = static_cast<double>(timeline.downlink_us)}};
}

// The worst difference over all outputs, relative to the largest value; infinite for outputs that
// do not correspond.
double OutputError(const std::vector<NamedTensor>& found, const std::vector<NamedTensor>& wanted) {
  if (found.size() != wanted.size()) return INFINITY;
  double worst = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Tensor& a = found[i].tensor;
    const Tensor& b = wanted[i].tensor;
    if (found[i].name != wanted[i].name || a.shape() != b.shape() || a.dtype() != b.dtype()) {
      return INFINITY;
    }
    if (a.dtype() != DataType::kFloat32) {
      if (a.bytes() != b.bytes()) return INFINITY;
      continue;
    }
    float largest = 1e-6F;
    for (const float value : b.floats()) largest = std::max(largest, std::abs(value));
    for (std::size_t k = 0; k < b.floats().size(); ++k) {
      const double difference = std::abs(a.floats()[k] - b.floats()[k]) / largest;
      worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
    }
  }
  return worst;
}

// A field's text; empty where it is missing or no text.
std::string Text(const Json& object, const char* field) {
  const auto found = object.is_object() ? object.find(field) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// All pictures of the folder, in an order that the seed gives.
absl::StatusOr<std::vector<app::Sample>> DrawPictures(const Device& device,
                                                      const WorkerOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const Preprocessing how,
                          PreprocessingFor(device.inputs().front(), options.model, {}));
  const Shape& logits = device.outputs().front().shape;
  const int classes = logits.empty() ? 0 : static_cast<int>(logits.back());
  CLEAVE_ASSIGN_OR_RETURN(app::SampleSet set,
                          app::DrawSamples({.data = options.data,
                                            .labels = options.labels,
                                            .samples = std::numeric_limits<std::int32_t>::max(),
                                            .seed = options.seed},
                                           how, classes));
  if (set.files) return std::move(set.samples);
  return FieldError(options.data, "no files of pictures", "CLASS/*.jpg");
}

absl::StatusOr<WorkerOptions> ReadOptions(std::istream& in) {
  std::string line;
  std::getline(in, line);
  try {
    return Json::parse(line).get<WorkerOptions>();
  } catch (const Json::exception& error) {
    return FieldError("standard input", absl::StrCat("'", line.substr(0, 80), "'"),
                      absl::StrCat("a worker's options as JSON: ", error.what()));
  }
}

struct Verdict {
  int right = 0;          // Rows of logits whose greatest is the label.
  double confidence = 0;  // Greatest probability, mean of the rows.
};

absl::StatusOr<Verdict> Judge(const Tensor& logits, const std::vector<int>& labels) {
  const bool fits = logits.dtype() == DataType::kFloat32 && logits.shape().size() == 2 &&
                    logits.shape()[0] == static_cast<std::int64_t>(labels.size()) &&
                    logits.elements() > 0;
  if (!fits) return absl::InvalidArgumentError("outputs: expected a row of logits for each label");
  const ConfidenceRule softmax;
  const std::span<const float> all = logits.floats();
  const std::size_t classes = all.size() / labels.size();
  Verdict verdict;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const auto scores = all.subspan(row * classes, classes);
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    verdict.right += best == labels[row] ? 1 : 0;
    verdict.confidence += softmax.Of(scores) / static_cast<double>(labels.size());
  }
  return verdict;
}

class WorkerLoop {
 public:
  WorkerLoop(std::unique_ptr<Device> device, std::vector<NamedTensor> inputs,
             std::vector<app::Sample> pictures, const WorkerOptions& options, std::ostream& out)
      : device_(std::move(device)),
        inputs_(std::move(inputs)),
        pictures_(std::move(pictures)),
        options_(options),
        out_(out) {}

  // False at the end of the conversation.
  bool Answer(const std::string& line) {
    const Json request = Json::parse(line, nullptr, false);
    const std::string op = Text(request, "op");
    if (op == "quit") return false;
    if (op == "infer") {
      Say(Infer(Text(request, "policy"), request.value("item", std::int64_t{0})));
    } else if (op == "stream") {
      Say(Stream(request));
    } else if (op == "explain") {
      Say(Explain());
    } else if (op == "edge") {
      Say(Json{{"usable", device_->edge_usable()}, {"problem", device_->edge_problem()}});
    } else {
      Say(FieldError("op", absl::StrCat("'", op, "'"), "infer, stream, explain, edge or quit"));
    }
    return true;
  }

  void Say(const absl::StatusOr<Json>& answer) {
    const Json line = answer.ok() ? *answer : Json{{"error", answer.status().ToString()}};
    out_ << line.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  }

  absl::Status MakeReference() {
    CLEAVE_RETURN_IF_ERROR(device_->SetPolicy("device"));
    CLEAVE_ASSIGN_OR_RETURN(InferenceRecord record, device_->Infer(inputs_));
    reference_ = std::move(record.outputs);
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<Json> Infer(const std::string& policy, std::int64_t item) {
    if (policy != policy_) CLEAVE_RETURN_IF_ERROR(device_->SetPolicy(policy));
    policy_ = policy;
    if (!pictures_.empty()) return InferPictures(item);
    const std::int64_t start_us = Clock::Steady().NowUs();
    CLEAVE_ASSIGN_OR_RETURN(const InferenceRecord record, device_->Infer(inputs_));
    Sample sample = ToSample(record, start_us);
    // JSON knows no infinity.
    sample.output_error = std::min(1e9, OutputError(record.outputs, reference_));
    return Json(sample);
  }

  const app::Sample& Picture(std::int64_t item, std::int64_t of_batch) const {
    const auto place = static_cast<std::size_t>(item * options_.batch + of_batch);
    return pictures_[place % pictures_.size()];
  }

  absl::StatusOr<std::vector<std::string>> Files(std::int64_t item) const {
    std::vector<std::string> files;
    for (std::int64_t i = 0; i < options_.batch; ++i) {
      CLEAVE_ASSIGN_OR_RETURN(std::string file, ReadFile(Picture(item, i).path));
      files.push_back(std::move(file));
    }
    return files;
  }

  absl::StatusOr<Json> Stream(const Json& request) {
    if (pictures_.empty()) return FieldError("stream", "no pictures", "a folder of them");
    StreamTerms terms;
    try {
      terms = request.get<StreamTerms>();
    } catch (const Json::exception& error) {
      return FieldError("stream", request.dump(), absl::StrCat("its terms: ", error.what()));
    }
    if (terms.policy != policy_) CLEAVE_RETURN_IF_ERROR(device_->SetPolicy(terms.policy));
    policy_ = terms.policy;
    CLEAVE_ASSIGN_OR_RETURN(
        const StreamResult result,
        RunStream(*device_, terms, [this](std::int64_t item) { return Files(item); }));
    return Json(result);
  }

  absl::StatusOr<Json> InferPictures(std::int64_t item) {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> files, Files(item));
    std::vector<int> labels;
    for (std::int64_t i = 0; i < options_.batch; ++i) {
      labels.push_back(Picture(item, i).label.value_or(-1));
    }
    const std::int64_t start_us = Clock::Steady().NowUs();
    CLEAVE_ASSIGN_OR_RETURN(const InferenceRecord record, device_->InferPictures(files));
    Sample sample = ToSample(record, start_us);
    if (options_.labels.empty()) return Json(sample);
    CLEAVE_ASSIGN_OR_RETURN(const Verdict verdict, Judge(record.outputs.front().tensor, labels));
    sample.right = verdict.right;
    sample.confidence = verdict.confidence;
    return Json(sample);
  }

  absl::StatusOr<Json> Explain() {
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<PlanForecast> cuts, device_->Explain(options_.batch));
    Json rows = Json::array();
    for (const PlanForecast& cut : cuts) {
      if (cut.exit != cuts.back().exit) continue;
      rows.push_back(Forecast{.cut = cut.cut,
                              .tensors = cut.tensors,
                              .encoding = cut.encoding,
                              .accuracy = cut.accuracy,
                              .bytes_up = static_cast<double>(cut.bytes_up),
                              .head_us = cut.head_us,
                              .encode_us = cut.encode_us,
                              .uplink_us = cut.uplink_us,
                              .queue_us = cut.queue_us,
                              .tail_us = cut.tail_us,
                              .downlink_us = cut.downlink_us});
    }
    return rows;
  }

  const std::unique_ptr<Device> device_;
  const std::vector<NamedTensor> inputs_;
  const std::vector<app::Sample> pictures_;
  const WorkerOptions& options_;
  std::ostream& out_;
  std::vector<NamedTensor> reference_;
  std::string policy_ = "device";
};

}  // namespace

std::string ToJsonLine(const WorkerOptions& options) {
  return Json(options).dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::Status RunDeviceWorker(std::istream& in, std::ostream& out) {
  CLEAVE_ASSIGN_OR_RETURN(const WorkerOptions options, ReadOptions(in));
  CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(options.model));
  CLEAVE_ASSIGN_OR_RETURN(
      std::unique_ptr<Device> device,
      Device::Open(
          options.model,
          {.edge = {.address = options.edge, .remote_timeout_us = options.remote_timeout_us},
           .plans = {.cuts = options.cuts,
                     .encodings = options.encodings,
                     .exit = options.exit,
                     .exit_confidence = options.exit_confidence,
                     .min_accuracy = options.min_accuracy,
                     .accuracy_drop = options.accuracy_drop,
                     .objective = options.objective},
           .deadline = {.deadline_us = options.deadline_us, .max_miss = options.max_miss},
           .stream = {.max_in_flight = options.in_flight},
           .answers = {.form = options.detections ? AnswerForm::kDetections : AnswerForm::kOutputs},
           .runtime = {.batch = options.batch, .threads = options.threads, .seed = options.seed}}));
  CLEAVE_ASSIGN_OR_RETURN(
      const auto source,
      app::InputSource::Open(device->inputs(), {.batch = options.batch,
                                                .resolved = device->profiled_inputs(),
                                                .batch_axes = device->batch_axes(),
                                                .seed = options.seed,
                                                .model_path = options.model}));
  CLEAVE_ASSIGN_OR_RETURN(std::vector<NamedTensor> inputs, source->Next());
  const WorkerInfo info{.digest = graph->digest(),
                        .candidates = device->candidate_cuts(),
                        .last_cut = device->last_cut(),
                        .edge_usable = device->edge_usable(),
                        .edge_problem = device->edge_problem()};
  std::vector<app::Sample> pictures;
  if (!options.data.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(pictures, DrawPictures(*device, options));
  }
  WorkerLoop loop(std::move(device), std::move(inputs), std::move(pictures), options, out);
  CLEAVE_RETURN_IF_ERROR(loop.MakeReference());
  loop.Say(Json{{"ready", info}});
  std::string line;
  while (std::getline(in, line) && loop.Answer(line)) {
  }
  return absl::OkStatus();
}

namespace {

// An answer's line as JSON; the worker's own error as Internal.
absl::StatusOr<Json> ReadAnswer(emulate::Process& process, std::int64_t timeout_us) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string line, process.ReadLine(timeout_us));
  Json answer = Json::parse(line, nullptr, false);
  if (answer.is_discarded()) {
    return absl::InternalError(absl::StrCat("device worker: found '", line, "', expected JSON"));
  }
  if (answer.is_object() && answer.contains("error")) {
    return absl::InternalError(absl::StrCat("device worker: ", answer["error"].dump()));
  }
  return answer;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Worker>> Worker::Start(const WorkerOptions& options,
                                                      const std::string& program,
                                                      std::vector<std::string> argv_prefix,
                                                      emulate::ProcessOptions process) {
  process.argv = std::move(argv_prefix);
  process.argv.insert(process.argv.end(), {program, "experiment", "device-worker"});
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<emulate::Process> child,
                          emulate::Process::Start(std::move(process)));
  CLEAVE_RETURN_IF_ERROR(child->WriteLine(ToJsonLine(options)));
  const absl::StatusOr<Json> ready = ReadAnswer(*child, kOpenUs);
  if (!ready.ok()) {
    return absl::InternalError(absl::StrCat("device worker for ", options.model, ": ",
                                            ready.status().message(), " (see its log)"));
  }
  return std::unique_ptr<Worker>(
      new Worker(std::move(child), ready->value("ready", Json::object()).get<WorkerInfo>()));
}

absl::Status Worker::StartInfer(const std::string& policy, std::int64_t item) {
  if (rival_ != nullptr) rival_->Begin();
  return process_->WriteLine(Json{{"op", "infer"}, {"policy", policy}, {"item", item}}.dump());
}

absl::StatusOr<Sample> Worker::FinishInfer() {
  const absl::StatusOr<Json> answer = ReadAnswer(*process_, kAnswerUs);
  if (rival_ != nullptr) rival_->End();
  CLEAVE_RETURN_IF_ERROR(answer.status());
  return answer->get<Sample>();
}

absl::StatusOr<Sample> Worker::Infer(const std::string& policy, std::int64_t item) {
  CLEAVE_RETURN_IF_ERROR(StartInfer(policy, item));
  return FinishInfer();
}

absl::StatusOr<StreamResult> Worker::Stream(const StreamTerms& terms) {
  Json request = terms;
  request["op"] = "stream";
  CLEAVE_RETURN_IF_ERROR(process_->WriteLine(request.dump()));
  CLEAVE_ASSIGN_OR_RETURN(const Json answer, ReadAnswer(*process_, kAnswerUs));
  return answer.get<StreamResult>();
}

absl::StatusOr<std::vector<Forecast>> Worker::Explain() {
  CLEAVE_RETURN_IF_ERROR(process_->WriteLine(R"({"op":"explain"})"));
  CLEAVE_ASSIGN_OR_RETURN(const Json answer, ReadAnswer(*process_, kAnswerUs));
  return answer.get<std::vector<Forecast>>();
}

std::vector<Forecast> OfEncoding(std::vector<Forecast> forecasts, Encoding encoding) {
  std::erase_if(forecasts, [&](const Forecast& row) { return row.encoding != encoding; });
  return forecasts;
}

absl::Status Worker::WaitForEdge(std::int64_t timeout_us) {
  const std::int64_t until_us = Clock::Steady().NowUs() + timeout_us;
  for (;;) {
    CLEAVE_RETURN_IF_ERROR(process_->WriteLine(R"({"op":"edge"})"));
    CLEAVE_ASSIGN_OR_RETURN(const Json answer, ReadAnswer(*process_, kAnswerUs));
    if (answer.value("usable", false)) return absl::OkStatus();
    if (Clock::Steady().NowUs() > until_us) {
      return absl::DeadlineExceededError(
          absl::StrCat("the device cannot use the edge: ", answer.value("problem", "")));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(kPollUs));
  }
}

void Worker::Sleep() { process_->Signal(SIGSTOP); }
void Worker::Wake() { process_->Signal(SIGCONT); }

}  // namespace cleave::experiments::rig
