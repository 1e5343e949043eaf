#ifndef CLEAVE_WIRE_PUSH_REACTOR_H_
#define CLEAVE_WIRE_PUSH_REACTOR_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "cleave_edge.pb.h"
#include "wire/call_reactor.h"
#include "wire/server.h"

namespace cleave {

// Takes a file that a device pushes: a header, then chunks. At most one push is under way at a
// time. One whose next part does not come within half the time of a message, or that arrives more
// slowly than 8 KiB/s but for that time at its start, is ended.
class PushReactor final : public CallReactor {
 public:
  // `pushing`, which says whether a push is under way, must outlive the call.
  PushReactor(const CallHost& host, grpc::CallbackServerContext& context, const CallMethod& method,
              std::atomic<bool>& pushing, grpc::ByteBuffer& response);

 private:
  ~PushReactor() override;
  void OnMessage(Arrival arrival) override;
  absl::Status TakeHeader();
  absl::Status TakeChunk();
  absl::Status CheckWhole() const;
  void OfferFile();
  void FinishFile();
  std::int64_t GraceUs() const;
  std::int64_t TimeLeftUs() const;
  void EndWell();
  void EndPush(const absl::Status& status);
  void Leave();  // Makes room for the next push.

  std::atomic<bool>& pushing_;
  grpc::ByteBuffer& response_;
  bool is_the_push_ = false;  // Whether this is the one that is under way.
  PushOffer offer_;
  std::string bytes_;
  std::int64_t started_us_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_WIRE_PUSH_REACTOR_H_
