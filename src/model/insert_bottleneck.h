#ifndef CLEAVE_MODEL_INSERT_BOTTLENECK_H_
#define CLEAVE_MODEL_INSERT_BOTTLENECK_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// Two graphs of one input and one output each, as GraphWriter writes them: the encoder makes a
// latent tensor of a model's tensor, and the decoder makes the tensor of it again, nearly.
struct Bottleneck {
  std::string encoder;  // The bytes of an ONNX file.
  std::string decoder;
};

// The name of the latent tensor in a model with a bottleneck.
inline constexpr absl::string_view kLatentName = "bottleneck.latent";

// Returns the bytes of `file`, an ONNX model, with a bottleneck at `tensor`: all nodes that read
// the tensor read what the decoder makes of it instead. Nodes, weights (external data stays the
// reference that it is) and outputs are unchanged else; the bottleneck's own names begin with
// "bottleneck.". InvalidArgument, which names `origin`, for a tensor that no node makes or that is
// an output, a model with subgraphs, with a bottleneck already or older than opset 7, and bytes
// that are no such graphs. Thread-safe.
absl::StatusOr<std::string> InsertBottleneck(absl::string_view file, absl::string_view tensor,
                                             const Bottleneck& bottleneck,
                                             const std::string& origin);

}  // namespace cleave

#endif  // CLEAVE_MODEL_INSERT_BOTTLENECK_H_
