#ifndef CLEAVE_RECORDER_ZMQ_SERVER_H_
#define CLEAVE_RECORDER_ZMQ_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave::recorder {

struct ZmqServerOptions {
  std::string endpoint = "tcp://127.0.0.1:5555";  // As ZeroMQ has it; a port of * takes a free one.
  int workers = 2;                                // Requests that are answered at the same time.
  std::int64_t max_frame_bytes = std::int64_t{64} << 20;  // A peer that sends more is disconnected.
  // Requests that wait for a worker. Beyond it nothing more is read until one is done.
  std::size_t max_waiting = 64;

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// Answers the requests of many ZeroMQ REQ sockets at once, in the order of their arrival, each with
// one frame. Every request is answered, for as long as its sender is there; a message without the
// envelope of a REQ socket is dropped. Memory is bounded by the waiting requests and two messages
// of each peer. Thread-safe.
class ZmqServer {
 public:
  // Makes the answer of the frames of a request; called by several threads at once.
  using Answer = std::function<std::string(const std::vector<absl::string_view>& frames)>;

  // Starts to listen. Unavailable says why an endpoint cannot be had.
  static absl::StatusOr<std::unique_ptr<ZmqServer>> Start(const ZmqServerOptions& options,
                                                          Answer answer);
  // Stops to listen, and ends when the requests that came before are answered.
  virtual ~ZmqServer() = default;

  // The endpoint with its port.
  virtual const std::string& endpoint() const = 0;
};

}  // namespace cleave::recorder

#endif  // CLEAVE_RECORDER_ZMQ_SERVER_H_
