#include "app/run_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/answer.h"
#include "app/reliability.h"
#include "core/printable.h"
#include "core/statistics.h"
#include "core/units.h"
#include "policy/policy_spec.h"

namespace cleave::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTop = 5;

struct Phase {
  const char* name;
  std::int64_t Timeline::*time_us;
};
constexpr std::array kPhases = std::to_array<Phase>({{"wait", &Timeline::wait_us},
                                                     {"decide", &Timeline::decide_us},
                                                     {"prepare", &Timeline::prepare_us},
                                                     {"head", &Timeline::head_us},
                                                     {"encode", &Timeline::encode_us},
                                                     {"uplink", &Timeline::uplink_us},
                                                     {"queue", &Timeline::queue_us},
                                                     {"tail", &Timeline::tail_us},
                                                     {"downlink", &Timeline::downlink_us},
                                                     {"wasted", &Timeline::wasted_us}});

Json TopOfRow(std::span<const float> row, const std::vector<std::string>& labels) {
  Json top = Json::array();
  for (const ClassScore& score : TopClasses(row, kTop)) {
    Json entry = {{"index", score.index}, {"value", score.value}};
    if (score.index < labels.size()) entry["label"] = labels[score.index];
    top.push_back(std::move(entry));
  }
  return top;
}

template <typename T>
Json Values(const Tensor& tensor) {
  const auto* values = reinterpret_cast<const T*>(tensor.data());
  return Json(std::vector<T>(values, values + tensor.elements()));
}

Json DataJson(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DataType::kFloat32:
      return Values<float>(tensor);
    case DataType::kFloat64:
      return Values<double>(tensor);
    case DataType::kInt8:
      return Values<std::int8_t>(tensor);
    case DataType::kInt16:
      return Values<std::int16_t>(tensor);
    case DataType::kInt32:
      return Values<std::int32_t>(tensor);
    case DataType::kInt64:
      return Values<std::int64_t>(tensor);
    case DataType::kUint8:
    case DataType::kBool:
      return Values<std::uint8_t>(tensor);
    case DataType::kUint32:
      return Values<std::uint32_t>(tensor);
    case DataType::kUint64:
      return Values<std::uint64_t>(tensor);
    case DataType::kUint16:
    case DataType::kFloat16:
    case DataType::kBFloat16:
      return Values<std::uint16_t>(tensor);  // Half floats as their bits.
    case DataType::kString: {
      const std::vector<absl::string_view> texts = tensor.strings();
      return Json(std::vector<std::string>(texts.begin(), texts.end()));
    }
  }
  return nullptr;
}

enum class ClassScores { kShown, kLeftOut };

Json OutputJson(const NamedTensor& output, const OutputDetail& detail, ClassScores scores) {
  const Tensor& tensor = output.tensor;
  Json json = {{"name", output.name},
               {"dtype", std::string(DataTypeName(tensor.dtype()))},
               {"shape", tensor.shape()}};
  if (scores == ClassScores::kShown && IsClassScores(tensor)) {
    const auto width = static_cast<std::size_t>(tensor.shape()[1]);
    Json top = Json::array();
    for (std::size_t row = 0; row < static_cast<std::size_t>(tensor.shape()[0]); ++row) {
      top.push_back(TopOfRow(tensor.floats().subspan(row * width, width), detail.labels));
    }
    json["top"] = std::move(top);
  }
  if (detail.full) json["data"] = DataJson(tensor);
  return json;
}

Json DetectionJson(const Detection& detection, const std::vector<std::string>& labels) {
  const Box& box = detection.box;
  const auto index = static_cast<std::size_t>(detection.class_index);
  Json json = {{"class", index}};
  if (index < labels.size()) json["label"] = labels[index];
  json["score"] = detection.score;
  json["box"] = {box.x0, box.y0, box.x1, box.y1};
  return json;
}

Json DetectionsJson(const BatchDetections& batch, const std::vector<std::string>& labels) {
  Json items = Json::array();
  for (const std::vector<Detection>& item : batch) {
    Json found = Json::array();
    for (const Detection& detection : item) found.push_back(DetectionJson(detection, labels));
    items.push_back(std::move(found));
  }
  return items;
}

Json PlanJson(const Plan& plan) {
  return {{"exit", plan.exit},
          {"cut", plan.cut},
          {"encoding", std::string(EncodingName(plan.encoding))}};
}

Json VerificationJson(const VerificationRecord& verification) {
  const double difference = verification.difference;
  return {{"agrees", verification.agrees},
          {"difference", std::isfinite(difference) ? Json(difference) : Json(nullptr)}};
}

Json HedgeJson(const HedgeRecord& hedge) {
  return {{"plan", PlanJson(hedge.plan)},
          {"finished_us", hedge.finished_us ? Json(*hedge.finished_us) : Json(nullptr)},
          {"won", hedge.won}};
}

// A logit may be infinite, which JSON does not know.
Json FilterJson(const FilterRecord& filter) {
  return {{"outcome", std::string(OutcomeName(filter.outcome))},
          {"logit", std::isfinite(filter.logit) ? Json(filter.logit) : Json(nullptr)}};
}

Json ReliabilityJson(const Reliability& reliability) {
  return {{"in_time", reliability.share},
          {"low", reliability.low},
          {"high", reliability.high},
          {"confidence", kConfidence},
          {"nines", reliability.share < 1 ? Json(Nines(reliability.share)) : Json(nullptr)},
          {"nines_low", Nines(reliability.low)}};
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// What the device believed when it decided.
Json StateJson(const InferenceRecord& record) {
  const bool linked = record.link_up_bps > 0;
  return {{"link_up_bps", linked ? Json(record.link_up_bps) : Json(nullptr)},
          {"link_rtt_us", record.link_rtt_us},
          {"link_age_us", record.link_age_us},
          {"device_slowdown", record.device_slowdown},
          {"edge_slowdown", record.edge_slowdown}};
}

std::string Ms(double us) { return absl::StrFormat("%.1f", us / 1e3); }

template <typename Map>
std::string Histogram(const Map& counts) {
  std::string text;
  for (const auto& [key, count] : counts) {
    absl::StrAppend(&text, text.empty() ? "" : "  ", key, " x", count);
  }
  return text.empty() ? "-" : text;
}

template <typename Map>
Json CountsJson(const Map& counts) {
  Json json = Json::object();
  for (const auto& [key, count] : counts) json[absl::StrCat(key)] = count;
  return json;
}

// What "fixed:" takes, in full: without its exit a fixed plan means the last one.
std::string PlanSpec(const Plan& plan) {
  return FixedPlan{.cut = plan.cut, .encoding = plan.encoding, .exit = plan.exit}.ToString();
}

}  // namespace

std::string RecordJson(const InferenceRecord& record, const OutputDetail& detail,
                       const std::vector<std::string>& items,
                       const std::optional<BatchDetections>& detections) {
  Json timeline = Json::object();
  for (const Phase& phase : kPhases) {
    if (phase.time_us == &Timeline::wasted_us) continue;
    timeline[absl::StrCat(phase.name, "_us")] = record.timeline.*phase.time_us;
  }
  Json outputs = Json::array();
  const ClassScores scores = detections ? ClassScores::kLeftOut : ClassScores::kShown;
  for (const NamedTensor& output : record.outputs) {
    outputs.push_back(OutputJson(output, detail, scores));
  }
  Json json = {{"id", record.id},
               {"plan", PlanJson(record.plan)},
               {"decided", PlanJson(record.decided)},
               {"where", std::string(WhereName(record.where))},
               {"fallback", record.fallback ? Json(*record.fallback) : Json(nullptr)},
               {"reason", record.reason},
               {"accuracy", record.accuracy ? Json(*record.accuracy) : Json(nullptr)},
               {"confidence", record.confidence ? Json(*record.confidence) : Json(nullptr)},
               {"latency_us", record.latency_us},
               {"predicted_us", std::llround(record.predicted_us)},
               {"deadline_us", record.deadline_us ? Json(*record.deadline_us) : Json(nullptr)},
               {"deadline_missed", record.deadline_missed},
               {"miss_chance", record.miss_chance ? Json(*record.miss_chance) : Json(nullptr)},
               {"hedge", record.hedge ? HedgeJson(*record.hedge) : Json(nullptr)},
               {"verification",
                record.verification ? VerificationJson(*record.verification) : Json(nullptr)},
               {"filter", record.filter ? FilterJson(*record.filter) : Json(nullptr)},
               {"timeline", std::move(timeline)},
               {"state", StateJson(record)},
               {"unfamiliar", record.unfamiliar},
               {"bytes_up", record.bytes_up},
               {"bytes_down", record.bytes_down},
               {"outputs", std::move(outputs)}};
  if (!items.empty()) json["inputs"] = items;
  if (detections) json["detections"] = DetectionsJson(*detections, detail.labels);
  return Dump(json);
}

void RunSummary::Add(const InferenceRecord& record,
                     const std::optional<BatchDetections>& detections) {
  const auto latency_us = static_cast<double>(record.latency_us);
  latencies_us_.push_back(latency_us);
  filter_.Add(record, detections);
  if (!record.fallback && !IsFiltered(record) && latency_us > 0) {
    errors_.push_back(std::abs(record.predicted_us - latency_us) / latency_us);
  }
  ++where_[std::string(WhereName(record.where))];
  ++cuts_[record.plan.cut];
  ++exits_[record.plan.exit];
  ++encodings_[std::string(EncodingName(record.plan.encoding))];
  if (record.accuracy) accuracies_.push_back(*record.accuracy);
  if (record.fallback) ++fallbacks_[*record.fallback];
  for (const Phase& phase : kPhases) total_.*phase.time_us += record.timeline.*phase.time_us;
  bytes_up_ += record.bytes_up;
  bytes_down_ += record.bytes_down;
  if (record.deadline_us) ++with_deadline_;
  if (record.deadline_missed) ++deadline_misses_;
  if (record.hedge) ++hedges_;
  if (record.hedge && record.hedge->won) ++hedges_won_;
  if (record.verification) ++verified_;
  if (record.verification && !record.verification->agrees) ++disagreed_;
}

std::string RunSummary::ToJson(double seconds) const {
  double phases_us = 0;
  for (const Phase& phase : kPhases) phases_us += static_cast<double>(total_.*phase.time_us);
  Json shares = Json::object();
  for (const Phase& phase : kPhases) {
    shares[phase.name] =
        phases_us > 0 ? static_cast<double>(total_.*phase.time_us) / phases_us : 0.0;
  }
  std::int64_t fell_back = 0;
  for (const auto& [reason, count] : fallbacks_) fell_back += count;
  const Json latency = {{"p50", Quantile(latencies_us_, 0.5)},
                        {"p95", Quantile(latencies_us_, 0.95)},
                        {"p99", Quantile(latencies_us_, 0.99)},
                        {"mean", Mean(latencies_us_)},
                        {"max", Quantile(latencies_us_, 1)}};
  return Dump(
      {{"summary",
        {{"inferences", inferences()},
         {"skipped", skipped_},
         {"dropped", dropped_},
         {"seconds", seconds},
         {"latency_us", latency},
         {"prediction_error_median", Quantile(errors_, 0.5)},
         {"where", CountsJson(where_)},
         {"cuts", CountsJson(cuts_)},
         {"exits", CountsJson(exits_)},
         {"encodings", CountsJson(encodings_)},
         {"expected_accuracy", accuracies_.empty() ? Json(nullptr) : Json(Mean(accuracies_))},
         {"bytes_up", bytes_up_},
         {"bytes_down", bytes_down_},
         {"phase_share", std::move(shares)},
         {"fallbacks", fell_back},
         {"fallback_reasons", CountsJson(fallbacks_)},
         {"deadline_misses", deadline_misses_},
         {"reliability",
          with_deadline_ > 0
              ? ReliabilityJson(ReliabilityOf(with_deadline_ - deadline_misses_, with_deadline_))
              : Json(nullptr)},
         {"hedges", hedges_},
         {"hedges_won", hedges_won_},
         {"verified", verified_},
         {"disagreed", disagreed_},
         {"filter", filter_.any() ? Json::parse(filter_.ToJson()) : Json(nullptr)}}}});
}

std::string RunSummary::ToText(double seconds) const {
  double phases_us = 1e-9;
  for (const Phase& phase : kPhases) phases_us += static_cast<double>(total_.*phase.time_us);
  std::string text = absl::StrFormat("%d inferences in %.1f s, %.1f/s\n", inferences(), seconds,
                                     static_cast<double>(inferences()) / std::max(seconds, 1e-6));
  absl::StrAppendFormat(&text, "  latency     p50 %s   p95 %s   p99 %s   mean %s ms\n",
                        Ms(Quantile(latencies_us_, 0.5)), Ms(Quantile(latencies_us_, 0.95)),
                        Ms(Quantile(latencies_us_, 0.99)), Ms(Mean(latencies_us_)));
  absl::StrAppendFormat(&text, "  prediction  median error %.0f%%\n", 100 * Quantile(errors_, 0.5));
  absl::StrAppend(&text, "  where       ", Histogram(where_), "\n");
  absl::StrAppend(&text, "  cuts        ", Histogram(cuts_), "\n");
  if (inferences() > 0 && (exits_.size() > 1 || exits_.begin()->first > 0)) {
    absl::StrAppend(&text, "  exits       ", Histogram(exits_), "\n");
  }
  if (inferences() > 0 && (encodings_.size() > 1 || !encodings_.contains("fp32"))) {
    absl::StrAppend(&text, "  encodings   ", Histogram(encodings_), "\n");
  }
  if (!accuracies_.empty()) {
    absl::StrAppendFormat(&text, "  accuracy    %.1f%% expected, as calibrated\n",
                          100 * Mean(accuracies_));
  }
  absl::StrAppend(&text, "  sent        ", FormatBytes(static_cast<double>(bytes_up_)), " up, ",
                  FormatBytes(static_cast<double>(bytes_down_)), " down\n");
  absl::StrAppend(&text, "  time in    ");
  for (const Phase& phase : kPhases) {
    absl::StrAppendFormat(&text, " %s %.0f%%", phase.name,
                          100 * static_cast<double>(total_.*phase.time_us) / phases_us);
  }
  absl::StrAppend(&text, "\n");
  for (const auto& [reason, count] : fallbacks_) {
    absl::StrAppend(&text, "  fell back   x", count, "  ", Printable(reason), "\n");
  }
  if (deadline_misses_ > 0) {
    absl::StrAppend(&text, "  deadline    missed x", deadline_misses_, "\n");
  }
  if (with_deadline_ > 0) {
    absl::StrAppend(
        &text, "  in time     ",
        ReliabilityText(ReliabilityOf(with_deadline_ - deadline_misses_, with_deadline_)), "\n");
  }
  if (skipped_ > 0) {
    absl::StrAppend(&text, "  skipped     x", skipped_, ", inputs that cannot be read\n");
  }
  if (dropped_ > 0) {
    absl::StrAppend(&text, "  dropped     x", dropped_, ", frames that came too fast\n");
  }
  if (hedges_ > 0) {
    absl::StrAppend(&text, "  hedged      x", hedges_, ", won x", hedges_won_, "\n");
  }
  if (verified_ > 0) {
    absl::StrAppend(&text, "  verified    x", verified_, ", wrong x", disagreed_, "\n");
  }
  if (filter_.any()) absl::StrAppend(&text, "  filtered    ", filter_.ToText(), "\n");
  return text;
}

std::vector<std::string> FilteredLines(const InferenceRecord& record,
                                       const std::vector<std::string>& items) {
  std::vector<std::string> lines;
  if (!IsFiltered(record)) return lines;
  for (const std::string& item : items) {
    lines.push_back(
        absl::StrCat(Printable(item), ": nothing found (filtered at cut ", record.plan.cut, ")"));
  }
  return lines;
}

std::string RecordHeader() {
  return absl::StrFormat("%5s %-6s %-12s %8s %8s  %-12s %8s  %6s %6s %6s %6s %6s %6s  %s", "#",
                         "where", "cut/as/exit", "ms", "forecast", "uplink", "rtt ms", "head",
                         "encode", "up", "queue", "tail", "down", "why");
}

std::string RecordLine(const InferenceRecord& record) {
  const Timeline& time = record.timeline;
  const bool linked = record.link_up_bps > 0;
  return absl::StrFormat(
      "%5d %-6s %-12s %8s %8s  %-12s %8s  %6s %6s %6s %6s %6s %6s  %s", record.id,
      WhereName(record.where), PlanSpec(record.plan), Ms(static_cast<double>(record.latency_us)),
      Ms(record.predicted_us), linked ? FormatRate(record.link_up_bps) : "-",
      linked ? Ms(record.link_rtt_us) : "-", Ms(static_cast<double>(time.head_us)),
      Ms(static_cast<double>(time.encode_us)), Ms(static_cast<double>(time.uplink_us)),
      Ms(static_cast<double>(time.queue_us)), Ms(static_cast<double>(time.tail_us)),
      Ms(static_cast<double>(time.downlink_us)),
      absl::StrCat(record.hedge ? (record.hedge->won ? "hedge won; " : "hedged; ") : "",
                   record.fallback ? Printable(*record.fallback) : record.reason));
}

}  // namespace cleave::app
