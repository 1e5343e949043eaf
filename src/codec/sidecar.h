#ifndef CLEAVE_CODEC_SIDECAR_H_
#define CLEAVE_CODEC_SIDECAR_H_

#include <string>

#include "absl/status/statusor.h"

namespace cleave {

// The JSON file beside a model says what the model itself cannot: how to preprocess its inputs
// (Preprocessing) and how accurate its plans are (AccuracyTable).
struct Sidecar {
  std::string path;
  std::string text;
};

// Reads `net.onnx.json` beside `net.onnx`, else `net.json`. NotFound names the second;
// ResourceExhausted if the file is larger than 16 MiB.
absl::StatusOr<Sidecar> ReadSidecar(const std::string& model_path);

// Returns the path at which a model without a sidecar gets one: `net.json` beside `net.onnx`.
std::string NewSidecarPath(const std::string& model_path);

}  // namespace cleave

#endif  // CLEAVE_CODEC_SIDECAR_H_
