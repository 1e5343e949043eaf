#ifndef CLEAVE_EDGE_H_
#define CLEAVE_EDGE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// What happened on an edge.
enum class EdgeEventKind : std::uint8_t {
  kInfer,    // A request was answered.
  kRefused,  // A request was refused, since its answer would have been late or the queue was full.
  kError,    // A request failed.
  kProfile,  // A profile was asked for.
  kPush,     // A model was pushed, or was to be.
  kDrain,    // The edge takes no more requests.
};

// "infer", "refused", "error", "profile", "push", "drain".
absl::string_view EdgeEventKindName(EdgeEventKind kind);

// One thing that happened on the edge, for logs and metrics. What does not apply is 0 or empty.
struct EdgeEvent {
  EdgeEventKind kind = EdgeEventKind::kInfer;
  std::string model;        // As the peer wrote it: text from outside.
  std::optional<int> exit;  // The exit in whose list `cut` counts; nothing: the request named none.
  int cut = 0;
  std::int64_t batch = 0;
  std::int64_t queue_us = 0;
  std::int64_t compute_us = 0;
  std::string error;  // Empty when all went well.
};

struct EdgeOptions {
  std::vector<std::string> models;      // Files, or folders whose *.onnx files are all served.
  std::string listen = "0.0.0.0:8001";  // Port 0: any free one.
  std::string cuts = "frontier";        // Where tails can start: frontier, all or a number.
  int threads = 1;                      // Threads of each run.
  int workers = 1;                      // Runs at once.
  int queue_capacity = 64;              // Requests waiting; one more is refused.
  std::string provider = "CPU";         // NAME[:key=value,...]
  std::int64_t max_message_bytes = std::int64_t{64} << 20;
  bool allow_push = false;
  // Where pushed models are kept; default: the cache folder, if it is this user's own and nobody
  // else may write there, else memory alone.
  std::string push_dir;
  std::int64_t max_push_bytes = std::int64_t{1} << 30;
  std::int64_t drain_us = 10'000'000;  // What running requests get at shutdown.
  // Called from server threads, one call at a time; must return soon.
  std::function<void(const EdgeEvent&)> on_event;
  // Loading progress: model, segments done, segments in all.
  std::function<void(const std::string&, int, int)> on_progress;

  absl::Status Validate() const;
};

// The server of an edge: an Open Inference Protocol endpoint that can also start a model at any of
// its cuts. Thread-safe.
class Edge {
 public:
  // Loads the models and listens. Errors name the file or the address.
  static absl::StatusOr<std::unique_ptr<Edge>> Start(EdgeOptions options);
  virtual ~Edge() = default;

  virtual int port() const = 0;
  // Stops taking requests, lets running ones end within drain_us, then returns. Idempotent.
  virtual void Shutdown() = 0;
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_H_
