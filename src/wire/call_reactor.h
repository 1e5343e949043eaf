#ifndef CLEAVE_WIRE_CALL_REACTOR_H_
#define CLEAVE_WIRE_CALL_REACTOR_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cleave/cancel.h"
#include "wire/call_budget.h"
#include "wire/call_threads.h"
#include "wire/call_watcher.h"
#include "wire/server.h"

namespace cleave {

// What all calls of a server share. All must outlive the calls.
struct CallHost {
  EdgeHandler& handler;
  CallBudget& budget;
  CallWatcher& watcher;
  CallThreads& infer_threads;  // For inferences: most of them wait for a worker.
  CallThreads& slow_threads;   // For what may take minutes, so that inferences never wait for it.
  std::int64_t message_timeout_us;  // A message has so long to arrive, and an answer to be taken.
  std::int64_t call_timeout_us;     // The server has so long for its part.
};

// A method of a service.
struct CallMethod {
  const char* path = "";  // "/cleave.v1.Edge/Push"; it outlives all calls.
  Permission needed = Permission::kKnown;
};

// One call, from the arrival of its headers until its answer has gone. No thread waits for the
// peer: gRPC's own threads, whose number is fixed, call OnMessage. It deletes itself.
class CallReactor : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  CallReactor(const CallReactor&) = delete;
  CallReactor& operator=(const CallReactor&) = delete;

  CallBudget::Share& share() { return share_; }
  // The limits of the call, of which a message has just arrived.
  CallContext Context() const;

 protected:
  CallReactor(const CallHost& host, grpc::CallbackServerContext& context, const CallMethod& method);
  ~CallReactor() override = default;

  // A call that its peer may not make, or over the budget, ends here; others start to wait for
  // their first message.
  void Begin();
  // Waits for the next message, for so long.
  void Await(std::int64_t limit_us) ABSL_LOCKS_EXCLUDED(starting_);
  // A message has arrived (in `message`), or, with kNone, none will come any more. It leads to one
  // of Await() and End().
  enum class Arrival : std::uint8_t { kMessage, kNone };
  virtual void OnMessage(Arrival arrival) = 0;
  // Sends the status, and with OK the answer, which has this size. The last thing to be called.
  void End(const absl::Status& status, std::int64_t answer_bytes = 0);

  const CallHost& host() const { return host_; }
  grpc::ByteBuffer& message() { return message_; }

 private:
  // Whose move it is.
  enum class Turn : std::uint8_t { kPeer, kServer, kEnding };

  void OnReadDone(bool ok) final;
  void OnCancel() final { cancel_.Cancel(); }
  void OnDone() final { delete this; }
  void Tell(const absl::Status& status, std::int64_t answer_bytes) const;
  void OnLate() ABSL_LOCKS_EXCLUDED(starting_);
  bool TakeTurn() ABSL_LOCKS_EXCLUDED(starting_);

  const CallHost host_;
  grpc::CallbackServerContext& context_;
  const CallMethod method_;
  const absl::StatusOr<std::string> identity_;
  CallBudget::Share share_;
  const CancelToken cancel_;
  grpc::ByteBuffer message_;
  // Held while a read is started: before that is done, nobody may end the call, which frees it.
  absl::Mutex starting_;
  std::atomic<Turn> turn_ = Turn::kServer;
  std::atomic<bool> late_ = false;  // Whether the server's part took too long.
  std::int64_t arrived_us_ = 0;
  std::int64_t received_bytes_ = 0;
  CallWatcher::Watch watch_;  // The last member, so that it ends first.
};

}  // namespace cleave

#endif  // CLEAVE_WIRE_CALL_REACTOR_H_
