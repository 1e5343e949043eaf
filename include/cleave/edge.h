#ifndef CLEAVE_EDGE_H_
#define CLEAVE_EDGE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"
#include "cleave/tls.h"

namespace cleave {

// What happened on an edge.
enum class EdgeEventKind : std::uint8_t {
  kInfer,    // A request was answered.
  kRefused,  // A request was refused, since its answer would have been late or the queue was full.
  kError,    // A request failed.
  kProfile,  // A profile was asked for.
  kPush,     // A model or its codecs were pushed, or were to be.
  kLoad,     // A model was loaded because a peer asked for it, or one of a folder did not load.
  kUnload,   // A model was unloaded because a peer asked for it.
  kCodec,    // The codec file beside a model cannot be used; the model is served without.
  kAccess,   // The file of tokens was read again.
  kDrain,    // The edge takes no more requests.
};

// "infer", "refused", "error", "profile", "push", "load", "unload", "codec",
// "access", "drain".
absl::string_view EdgeEventKindName(EdgeEventKind kind);

// Why a call was refused that might have been answered at another time, or to another peer.
enum class Refusal : std::uint8_t {
  kQueueFull,        // All places in the queue were taken.
  kDisplaced,        // Its place in the queue was given to a client with fewer requests.
  kLate,             // Its answer would have come after its deadline.
  kBudget,           // It would have gone beyond what calls may hold.
  kTooLarge,         // A message was larger than is taken.
  kSlow,             // A message did not arrive in time, or the call took too long.
  kShutdown,         // The edge is shutting down.
  kUnauthenticated,  // It presented no credentials, or wrong ones.
  kPermission,       // Who made it may not make such a call.
};

// "queue_full", "displaced", "late", "budget", "too_large", "slow", "shutdown", "unauthenticated",
// "permission".
absl::string_view RefusalName(Refusal refusal);

// One thing that happened on the edge, for logs and metrics. What does not apply is 0 or empty.
struct EdgeEvent {
  EdgeEventKind kind = EdgeEventKind::kInfer;
  std::string peer;      // The address that it came from; empty: from nobody outside.
  std::string identity;  // Who made the call, where credentials said so.
  absl::StatusCode code = absl::StatusCode::kOk;  // What it ended with.
  std::string model;                              // As the peer wrote it: text from outside.
  // How much of what the peer named there is: nothing, the model, or the start (exit and cut) too.
  enum class Named : std::uint8_t { kNothing, kModel, kStart };
  Named named = Named::kNothing;
  std::optional<int> exit;  // The exit in whose list `cut` counts; nothing: the request named none.
  int cut = 0;
  std::int64_t batch = 0;
  std::int64_t queue_us = 0;    // The request waited so long for a worker,
  std::int64_t compute_us = 0;  // and its run took so long.
  std::int64_t decode_us = 0;   // Frames and pictures became tensors in this time.
  std::string error;            // What went wrong, with text from outside; else empty.
};

// A call of whatever kind that has ended, for metrics and audits.
struct EdgeCall {
  std::string method;    // "ModelInfer", "Push", ...
  std::string peer;      // The address that it came from.
  std::string identity;  // Who made it, where credentials said so.
  absl::StatusCode code = absl::StatusCode::kOk;
  std::optional<Refusal> refusal;
  std::string error;                // What went wrong, with text from outside; else empty.
  std::int64_t received_bytes = 0;  // Of its messages,
  std::int64_t sent_bytes = 0;      // and of its answer.
};

// What an edge is doing now. A plain value.
struct EdgeStatistics {
  int port = 0;
  int queued = 0;
  int queue_capacity = 0;
  int running = 0;
  int workers = 0;
  double utilization = 0;  // The busy share of the workers over the last seconds, from 0 to 1.
  std::int64_t expected_wait_us = 0;  // Of a request of a new client.
  std::int64_t calls_in_flight = 0;
  std::int64_t call_bytes_in_flight = 0;
  std::int64_t uptime_us = 0;
  bool draining = false;            // Whether it takes no more requests.
  std::vector<std::string> models;  // The names of those that are served.
};

// What an edge serves and how. A plain value.
struct EdgeOptions {
  std::vector<std::string>
      models;  // Files, or folders whose *.onnx files (and NAME/1/model.onnx) are all served.
  // HOST:PORT; port 0 takes any free one. Without TLS it has to be a loopback address, unless
  // `insecure` says otherwise.
  std::string listen = "127.0.0.1:8001";
  // With a certificate the server speaks TLS alone, and with authorities as well each peer has to
  // show a certificate of theirs, whose first name is its identity.
  TlsFiles tls;
  // The file that says who may do what (docs/access.md); empty: whoever reaches the server may
  // infer, profile and, with allow_push, push.
  std::string token_file;
  bool insecure = false;  // Whether plain text may be spoken with other machines, too.
  // By the name of an input: the shape at which models with such an input are loaded, where they
  // leave it free. Calls may have others; devices that profile at the same shape find the same
  // cuts.
  std::map<std::string, Shape> shapes;
  std::string cuts = "frontier";  // The cuts at which tails can start: frontier, all or a number.
  int threads = 1;                // Threads of each run.
  int workers = 1;                // Runs that are under way at the same time.
  int queue_capacity = 64;        // Requests that may wait; one more is refused.
  // Clients share the time of the workers equally, unless they have other weights here, by their
  // identities or, where they have none, by their addresses ("192.0.2.7").
  std::map<std::string, double> weights;
  std::string provider = "CPU";  // ONNX Runtime's execution provider: NAME[:key=value,...]
  std::int64_t max_message_bytes = std::int64_t{64} << 20;  // A longer request is refused.
  std::int64_t max_batch = 256;  // A request of a larger batch is refused.
  // Calls that are in flight at the same time, of whatever kind. A connection may have a quarter of
  // them, a client (an identity, else an address) half.
  int max_calls = 1024;
  // Bytes that calls in flight may hold together, shared out alike: messages that arrived, what
  // they become, and answers. 0: eight times max_message_bytes, which is the least.
  std::int64_t max_call_bytes = 0;
  // A message has so long to arrive, and an answer to be taken.
  std::int64_t message_timeout_us = 60'000'000;
  std::int64_t call_timeout_us = 300'000'000;  // A call is cancelled after this, its wait included.
  std::int64_t idle_timeout_us = 600'000'000;  // A connection without calls is closed after this.
  bool allow_push = false;  // Whether devices may send models and their codecs to be served.
  // The folder where pushed files are kept. Empty: the cache folder if it is this user's own and
  // nobody else may write there, else they are kept in memory alone.
  std::string push_dir;
  std::int64_t max_push_bytes = std::int64_t{1} << 30;  // A larger file is refused.
  int max_pushed = 8;  // Pushed models that are served at the same time,
  std::int64_t max_pushed_bytes = std::int64_t{4} << 30;  // and the size of their files together.
  // Called with the file of a pushed model before it is loaded; an error refuses it. A program
  // should load and run it there, in a process of its own with limits on time and memory.
  std::function<absl::Status(const std::string&)> before_push;
  std::int64_t drain_us = 10'000'000;  // What requests under way get to end in at shutdown.
  // Called from the server's threads, one call at a time. It must return soon.
  std::function<void(const EdgeEvent&)> on_event;
  // Called from the server's threads, several at a time, before the answer is sent. It must return
  // soon.
  std::function<void(const EdgeCall&)> on_call;
  // Called while models are loaded: the model, its segments that are built, and all its segments.
  std::function<void(const std::string&, int, int)> on_progress;
  // Called with each model's file before it is loaded; an error refuses the model. A program may
  // try there, in a process of its own, whether loading it ends well.
  std::function<absl::Status(const std::string&)> before_load;

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// The server of an edge: an Open Inference Protocol endpoint that can also start a model at any of
// its cuts (docs/wire.md). The destructor shuts it down. Thread-safe.
class Edge {
 public:
  // Loads the models, with the codec file beside each where there is one that can be used, and
  // listens. InvalidArgument for options, FailedPrecondition or
  // InvalidArgument for a model that cannot be served, Unavailable for an address that cannot be
  // listened on; the message names the field, the file or the address.
  static absl::StatusOr<std::unique_ptr<Edge>> Start(EdgeOptions options);
  virtual ~Edge() = default;

  // The port that the server listens on.
  virtual int port() const = 0;
  virtual EdgeStatistics statistics() const = 0;
  // Takes no more requests, lets those under way end within drain_us, cancels the rest, and
  // returns. Further calls do nothing.
  virtual void Shutdown() = 0;
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_H_
