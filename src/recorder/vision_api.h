#ifndef CLEAVE_RECORDER_VISION_API_H_
#define CLEAVE_RECORDER_VISION_API_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "detect/detection.h"

namespace cleave::recorder {

// The answers of the HTTP API that DeepStack made and CodeProject.AI kept (POST
// /v1/vision/detection), without the server that carries them. All functions are thread-safe.

// What DeepStack leaves out without a word of the client.
inline constexpr double kDefaultMinConfidence = 0.4;

// Reads the form field "min_confidence"; kDefaultMinConfidence where there is none.
// InvalidArgument for anything but a number of 0 to 1.
absl::StatusOr<double> ParseMinConfidence(const std::optional<std::string>& field);

// Returns {"success": true, "predictions": [{"label", "confidence", "x_min", "y_min", "x_max",
// "y_max"}, ...], ...} of the detections whose score is at least `min_confidence`, highest first,
// with edges in whole pixels. A class without a name is called by its number. `took_us` is the time
// that it took to find them.
std::string PredictionsJson(const std::vector<Detection>& detections,
                            const std::vector<std::string>& labels, double min_confidence,
                            std::int64_t took_us);

// Returns {"success": true, "models": [NAME]}.
std::string ModelsJson(const std::string& model);

// Returns {"success": true}, the answer to a client that asks whether the server is there.
std::string AliveJson();

// An HTTP status and the answer that goes with an error: {"success": false, "error": ...}.
struct ApiError {
  int http_status = 500;
  std::string json;
};
ApiError ErrorOf(const absl::Status& why);

}  // namespace cleave::recorder

#endif  // CLEAVE_RECORDER_VISION_API_H_
