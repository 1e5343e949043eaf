#ifndef CLEAVE_WIRE_CLIENT_H_
#define CLEAVE_WIRE_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "cleave/tls.h"
#include "wire/messages.h"

namespace cleave {

// How a device connects to an edge. A plain value.
struct ClientOptions {
  std::string target;                                        // The address of the edge: HOST:PORT.
  std::int64_t max_message_bytes = std::int64_t{256} << 20;  // A longer message is refused.
  std::int64_t keepalive_us = 10'000'000;  // The gap between pings of a connection that is idle.
  TlsFiles tls;                            // Without authorities it is plain text.
  std::string token_file;  // Its text is sent with each call as a bearer token; empty: none is.
  bool insecure = false;   // Whether a token may go to another machine in plain text.
  // InvalidArgument names the field.
  absl::Status Validate() const;
};

// What one exchange took and carried, as the device sees it. network_us() feeds the link estimator.
struct Exchange {
  std::int64_t serialize_us = 0;  // Making the request message, encoding included.
  // From handing over the request to holding the whole answer; serialize_us comes before.
  std::int64_t total_us = 0;
  std::int64_t edge_us = 0;     // What the edge says it took from arrival to departure.
  std::int64_t bytes_up = 0;    // The size of the serialized request,
  std::int64_t bytes_down = 0;  // and of the serialized answer.
  // The part of total_us in which the calling thread waited for a processor; only probes tell it.
  // It is no part of the link: a device that is busy, or whose CPU quota is used up, sees answers
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
  // Whether one of the tensors that were sent is most likely something that its codec does not
  // know (docs/tensor-codec.md).
  bool unfamiliar = false;
};

// Is called on the thread that makes a request, once it is made, which takes the processor, and
// before it is sent, which does not.
using RequestMade = std::function<void(std::int64_t bytes_up)>;

// A connection to one edge, which reconnects by itself. Thread-safe. Every call blocks, and ends by
// `timeout_us` (above 0) or soon after `cancel` is set (Cancelled), whichever comes first.
// DeadlineExceeded, Unavailable, ResourceExhausted (GetExpectedWait tells more) and the edge's own
// codes come back as they are. Unauthenticated also tells that one of the two sides did not accept
// the other's certificate. Renewed files of credentials are taken up by the next call, or the next
// connection.
class EdgeClient {
 public:
  // FailedPrecondition says what is wrong with a file of credentials.
  static absl::StatusOr<std::unique_ptr<EdgeClient>> Create(const ClientOptions& options);
  virtual ~EdgeClient() = default;

  // Has the edge run one tail. InvalidArgument with WasNotSent() where the call's encoding cannot
  // carry its tensors.
  virtual absl::StatusOr<InferExchange> Infer(const InferCall& call, std::int64_t timeout_us,
                                              const CancelToken& cancel = {},
                                              const RequestMade& made = {}) = 0;
  virtual absl::StatusOr<ModelInfo> GetModel(const std::string& name, std::int64_t timeout_us) = 0;
  virtual absl::StatusOr<EdgeStatus> GetStatus(std::int64_t timeout_us) = 0;
  // What a probe found.
  struct ProbeResult {
    Exchange exchange;
    std::int64_t wait_us = 0;     // The wait that the edge expects for a request that arrived then.
    std::int64_t sent_us = 0;     // By this side's steady clock, once the request was made.
    std::int64_t arrived_us = 0;  // By the edge's steady clock; 0: the edge does not tell.
  };
  // Sends `up_bytes` and asks for `down_bytes` in return.
  virtual absl::StatusOr<ProbeResult> Probe(std::int64_t up_bytes, std::int64_t down_bytes,
                                            std::int64_t timeout_us) = 0;
  // The JSON of the edge's profile of one exit (0 for a model without exits; profile/profile.h
  // reads it).
  virtual absl::StatusOr<std::string> GetProfile(const std::string& model,
                                                 const std::string& digest, int exit,
                                                 const ProfileQuery& query,
                                                 std::int64_t timeout_us) = 0;
  // Offers a file with these bytes to the edge, and sends it where the edge wants it. The size
  // comes from the bytes.
  virtual absl::Status Push(const PushOffer& offer, const std::string& bytes,
                            std::int64_t timeout_us) = 0;
  // For shutdown: the calls under way soon end with Cancelled, and later ones do so at once.
  virtual void CancelAll() {}
};

// The size in bytes of the serialized request or response that carries these tensors, within a few
// bytes: what a plan costs on the wire before it is tried.
std::int64_t EstimateMessageBytes(const std::vector<TensorSpec>& tensors);

// The same for a request that carries them as frames; compression, which may make it smaller, is
// left out. For t1 to t6, which need the codecs, it is the mean of what these were fitted to.
// InvalidArgument for tensors that this encoding does not carry.
absl::StatusOr<std::int64_t> EstimateMessageBytes(
    const std::vector<TensorSpec>& tensors, const EncodeOptions& encode,
    std::shared_ptr<const CodecFile> codecs = nullptr);

// The same for a request of so many pictures whose files have `file_bytes` together.
std::int64_t EstimatePictureMessageBytes(std::int64_t file_bytes, int pictures);

}  // namespace cleave

#endif  // CLEAVE_WIRE_CLIENT_H_
