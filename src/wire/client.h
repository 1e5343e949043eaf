#ifndef CLEAVE_WIRE_CLIENT_H_
#define CLEAVE_WIRE_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "wire/messages.h"

namespace cleave {

struct ClientOptions {
  std::string target;  // HOST:PORT
  std::int64_t max_message_bytes = std::int64_t{256} << 20;
  std::int64_t keepalive_us = 10'000'000;
  absl::Status Validate() const;
};

// What one exchange took and carried, seen from the device. network_us() feeds the link estimator.
struct Exchange {
  std::int64_t serialize_us = 0;  // Tensors -> request message, encoding included.
  std::int64_t total_us =
      0;  // From handing over the request to holding the whole answer; serialization not included.
  std::int64_t edge_us = 0;   // What the edge says it spent between arrival and departure.
  std::int64_t bytes_up = 0;  // Serialized request.
  std::int64_t bytes_down = 0;
  // Of total_us, what the calling thread spent waiting for a processor of its own; probes only. It
  // is no part of the link: a device that is busy, or whose CPU quota is used up, sees answers
  // late.
  std::int64_t starved_us = 0;
  std::int64_t network_us() const {
    const std::int64_t elsewhere_us = edge_us + starved_us;
    return total_us > elsewhere_us ? total_us - elsewhere_us : 0;
  }
};

struct InferExchange {
  InferReply reply;
  Exchange exchange;
};

// A connection to one edge; reconnects by itself. Thread-safe. Every call ends by `timeout_us` (>
// 0) or soon after `cancel` is set (Cancelled), whichever comes first: DeadlineExceeded,
// Unavailable, ResourceExhausted (GetExpectedWait tells more) and the edge's own codes come back as
// they are.
class EdgeClient {
 public:
  static absl::StatusOr<std::unique_ptr<EdgeClient>> Create(const ClientOptions& options);
  virtual ~EdgeClient() = default;

  // InvalidArgument with WasNotSent() where the call's encoding cannot carry it.
  virtual absl::StatusOr<InferExchange> Infer(const InferCall& call, std::int64_t timeout_us,
                                              const CancelToken& cancel = {}) = 0;
  virtual absl::StatusOr<ModelInfo> GetModel(const std::string& name, std::int64_t timeout_us) = 0;
  virtual absl::StatusOr<EdgeStatus> GetStatus(std::int64_t timeout_us) = 0;
  // Sends `up_bytes`, asks `down_bytes` back.
  struct ProbeResult {
    Exchange exchange;
    std::int64_t wait_us = 0;     // That the edge expects.
    std::int64_t sent_us = 0;     // By this side's steady clock, the request being made.
    std::int64_t arrived_us = 0;  // By the edge's steady clock; 0: it does not tell.
  };
  virtual absl::StatusOr<ProbeResult> Probe(std::int64_t up_bytes, std::int64_t down_bytes,
                                            std::int64_t timeout_us) = 0;
  // The JSON of the edge's profile of one exit (0 for a model without exits; profile/profile.h
  // reads it).
  virtual absl::StatusOr<std::string> GetProfile(const std::string& model,
                                                 const std::string& digest, int exit,
                                                 const std::vector<std::int64_t>& batches,
                                                 std::int64_t timeout_us) = 0;
  virtual absl::Status Push(const std::string& name, const std::string& digest,
                            const std::string& model_bytes, std::int64_t timeout_us) = 0;
  // For shutdown: ends the running calls soon, and every later one at once, with Cancelled.
  virtual void CancelAll() {}
};

// Bytes of the serialized request or response that carries these tensors, within a few bytes: what
// a plan costs on the wire before it is tried.
std::int64_t EstimateMessageBytes(const std::vector<TensorSpec>& tensors);

// The same for a request that carries them as frames; compression, which may make it smaller, is
// left out. InvalidArgument for tensors that this encoding does not carry.
absl::StatusOr<std::int64_t> EstimateMessageBytes(const std::vector<TensorSpec>& tensors,
                                                  const EncodeOptions& encode);

// The same for a request of so many pictures whose files have `file_bytes` together.
std::int64_t EstimatePictureMessageBytes(std::int64_t file_bytes, int pictures);

}  // namespace cleave

#endif  // CLEAVE_WIRE_CLIENT_H_
