#include "recorder/vision_api.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/printable.h"

namespace cleave::recorder {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kUsPerMs = 1000;

std::int64_t Pixel(double edge) { return std::llround(edge); }

std::string LabelOf(const Detection& detection, const std::vector<std::string>& labels) {
  const auto index = static_cast<std::size_t>(detection.class_index);
  return index < labels.size() ? labels[index] : absl::StrCat(detection.class_index);
}

Json PredictionOf(const Detection& detection, const std::vector<std::string>& labels) {
  return {{"label", LabelOf(detection, labels)}, {"confidence", detection.score},
          {"x_min", Pixel(detection.box.x0)},    {"y_min", Pixel(detection.box.y0)},
          {"x_max", Pixel(detection.box.x1)},    {"y_max", Pixel(detection.box.y1)}};
}

// Names may be no UTF-8, which JSON cannot hold.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

absl::StatusOr<double> ParseMinConfidence(const std::optional<std::string>& field) {
  if (!field || field->empty()) return kDefaultMinConfidence;
  double value = 0;
  if (absl::SimpleAtod(*field, &value) && value >= 0 && value <= 1) return value;
  return FieldError("min_confidence", Printable(*field), "a number of 0 to 1");
}

std::string PredictionsJson(const std::vector<Detection>& detections,
                            const std::vector<std::string>& labels, double min_confidence,
                            std::int64_t took_us) {
  Json predictions = Json::array();
  for (const Detection& detection : detections) {
    if (detection.score >= min_confidence) predictions.push_back(PredictionOf(detection, labels));
  }
  const auto count = predictions.size();
  const std::int64_t took_ms = took_us / kUsPerMs;
  return Dump({{"success", true},
               {"predictions", std::move(predictions)},
               {"count", count},
               {"message", absl::StrCat("Found ", count, count == 1 ? " object" : " objects")},
               {"code", 200},
               {"inferenceMs", took_ms},
               {"processMs", took_ms},
               {"duration", 0}});
}

std::string ModelsJson(const std::string& model) {
  return Dump({{"success", true}, {"models", Json::array({model})}});
}

std::string AliveJson() { return Dump({{"success", true}}); }

ApiError ErrorOf(const absl::Status& why) {
  int status = 500;
  if (absl::IsInvalidArgument(why)) status = 400;
  if (absl::IsUnauthenticated(why)) status = 401;
  if (absl::IsNotFound(why)) status = 404;
  return {status,
          Dump({{"success", false}, {"error", Printable(why.message())}, {"code", status}})};
}

}  // namespace cleave::recorder
