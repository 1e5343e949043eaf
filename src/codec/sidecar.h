#ifndef CLEAVE_CODEC_SIDECAR_H_
#define CLEAVE_CODEC_SIDECAR_H_

#include <string>

#include "absl/status/statusor.h"

namespace cleave {

// The JSON file beside a model that says what the model itself cannot: how to prepare its inputs
// (Preprocessing), what its plans are worth (AccuracyTable).
struct Sidecar {
  std::string path;
  std::string text;
};

// `net.onnx.json` beside `net.onnx`, else `net.json`. NotFound names the second; ResourceExhausted
// beyond 16 MiB.
absl::StatusOr<Sidecar> ReadSidecar(const std::string& model_path);

// Where a model without a sidecar gets one: `net.json` beside `net.onnx`.
std::string NewSidecarPath(const std::string& model_path);

}  // namespace cleave

#endif  // CLEAVE_CODEC_SIDECAR_H_
