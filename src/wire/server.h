#ifndef CLEAVE_WIRE_SERVER_H_
#define CLEAVE_WIRE_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/tls.h"
#include "wire/messages.h"

namespace cleave {

// The limits of one call as the transport knows them.
struct CallContext {
  std::int64_t deadline_us = 0;  // By Clock::Steady(); 0: there is none.
  std::int64_t arrived_us = 0;   // By Clock::Steady().
  CancelToken cancel;            // It is set when the client has gone or the server stops.
  std::string peer;              // The address that it comes from, without the port.
  std::string identity;          // Who makes it, where credentials said so.

  // Whose share of workers and budgets it takes: the identity's, else the address's.
  const std::string& client() const { return identity.empty() ? peer : identity; }
};

// What a call needs. Every peer has kNone, and one that is known kKnown; the others are roles.
enum class Permission : std::uint8_t { kNone, kKnown, kInfer, kProfile, kPush, kAdmin };

// What the peer of a call presents.
struct Credentials {
  bool has_token = false;
  std::string token;  // A bearer token (RFC 6750); empty also where it is none.
  // The names in its certificate, which an authority vouches for; empty where it showed none.
  std::vector<std::string> certificate_names;
};

// What becomes of a file that a device offers.
enum class PushDecision : std::uint8_t {
  kSend,    // The file is wanted.
  kHaveIt,  // This very file is here already.
};

// The edge behind the wire, in plain types. Implementations are thread-safe; every
// call may come from a thread of its own and must end soon after its context is cancelled.
class EdgeHandler {
 public:
  virtual ~EdgeHandler() = default;
  virtual bool Ready() = 0;
  virtual bool ModelReady(const std::string& name) = 0;
  virtual absl::StatusOr<ModelInfo> GetModel(const std::string& name) = 0;
  // Of one model, or with an empty name of all.
  virtual absl::StatusOr<std::vector<ModelCounts>> GetCounts(const std::string& name) = 0;
  // The models that are served, and those that could be.
  virtual absl::StatusOr<std::vector<ModelIndexEntry>> GetIndex() = 0;
  // Loads the file of this model anew. Until that has ended well the model is served as it was, and
  // requests that have it already end with it.
  virtual absl::Status LoadModel(const std::string& name, const CallContext& context) = 0;
  // From now on the model is not served, until it is loaded again.
  virtual absl::Status UnloadModel(const std::string& name, const CallContext& context) = 0;
  // Asked before anything is made of the tensors of a call; an error refuses it.
  virtual absl::Status CheckHead(const InferHead& head, const CallContext& context) = 0;
  virtual absl::StatusOr<InferReply> Infer(const InferCall& call, const CallContext& context) = 0;
  virtual EdgeStatus GetStatus() = 0;
  // The wait of a request that this client (CallContext::client) would send now.
  virtual std::int64_t ExpectedWaitUs(const std::string& client) = 0;
  virtual absl::StatusOr<std::string> GetProfile(const std::string& model,
                                                 const std::string& digest, int exit,
                                                 const ProfileQuery& query,
                                                 const CallContext& context) = 0;
  // Asked before any byte of the file is read; an error refuses the push. At most one push is under
  // way at a time.
  virtual absl::StatusOr<PushDecision> BeginPush(const PushOffer& offer,
                                                 const CallContext& context) = 0;
  // Takes the whole file, which has the size that was announced.
  virtual absl::Status FinishPush(const PushOffer& offer, std::string bytes,
                                  const CallContext& context) = 0;
  // Who presents these credentials; empty: somebody, which is enough. Unauthenticated, or
  // PermissionDenied where that is not enough for such a call. Asked before anything of a message
  // is read.
  virtual absl::StatusOr<std::string> Authorize(const Credentials& credentials,
                                                Permission needed) = 0;
  // The status as a peer may see it.
  virtual absl::Status ForPeer(const absl::Status& status) = 0;
  // Called for each call, of whatever kind, before its answer is sent.
  virtual void OnCallEnd(const EdgeCall& call) = 0;
};

// What the calls in flight hold.
struct CallsInFlight {
  std::int64_t calls = 0;
  std::int64_t bytes = 0;
};

// How the server listens. A plain value.
struct ServerOptions {
  std::string listen = "127.0.0.1:8001";  // HOST:PORT; port 0 takes any free one.
  TlsFiles tls;                           // Without a certificate the server speaks plain text.
  bool insecure = false;                  // Whether it may do so with other machines, too.
  std::int64_t max_message_bytes = std::int64_t{64} << 20;
  std::string version;  // The program's version, for ServerMetadata.
  // Calls that are in flight at the same time; a connection may have a quarter of them, a client
  // (an identity, else an address) half.
  int max_calls = 1024;
  // Bytes of the calls in flight: messages that arrived, what they become, and answers. Shared out
  // like the calls. 0: eight times max_message_bytes.
  std::int64_t max_call_bytes = 0;
  int infer_threads =
      80;  // The most threads for inferences, those that wait for a worker included.
  // A message has so long to arrive, and an answer to be taken.
  std::int64_t message_timeout_us = 60'000'000;
  std::int64_t call_timeout_us = 300'000'000;  // A call is cancelled after this, its wait included.
  std::int64_t idle_timeout_us = 600'000'000;  // A connection without calls is closed after this.
  // InvalidArgument names the field.
  absl::Status Validate() const;
};

// The gRPC server: Open Inference Protocol, grpc.health.v1, reflection and cleave.v1.Edge.
// Thread-safe.
class WireServer {
 public:
  // `handler` must outlive the server. Unavailable names the address when the port is in use;
  // FailedPrecondition a file of TLS that cannot be used.
  static absl::StatusOr<std::unique_ptr<WireServer>> Start(const ServerOptions& options,
                                                           EdgeHandler& handler);
  virtual ~WireServer() = default;
  virtual int port() const = 0;
  virtual CallsInFlight in_flight() const = 0;
  // What grpc.health.v1 says of the server and its services; kServing from the start.
  enum class Health : std::uint8_t { kServing, kNotServing };
  virtual void SetHealth(Health health) = 0;
  // Says NOT_SERVING, refuses new calls, gives those under way `grace_us` to end, and cancels the
  // rest. Further calls do nothing.
  virtual void Shutdown(std::int64_t grace_us) = 0;
};

}  // namespace cleave

#endif  // CLEAVE_WIRE_SERVER_H_
