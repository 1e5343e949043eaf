#ifndef CLEAVE_WIRE_CALL_BUDGET_H_
#define CLEAVE_WIRE_CALL_BUDGET_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace cleave {

// What calls may hold at the same time.
struct CallLimits {
  std::int64_t calls = 0;
  std::int64_t bytes = 0;  // Of messages that arrived, of what they become, and of answers.
};

// Counts the calls in flight and their bytes, for each connection, for each peer (an identity, or
// else an address without its port) and in all, and refuses what would go beyond a limit.
// Thread-safe.
class CallBudget {
 public:
  // REQUIRES: no limit is 0.
  struct Options {
    CallLimits connection;
    CallLimits peer;
    CallLimits total;
    // A quarter of these for a connection, and half for a peer, but at least 1.
    static Options Of(const CallLimits& total);
  };

  explicit CallBudget(const Options& options) : options_(options) {}

  // One call's share, given back on destruction. It must not outlive the budget.
  class Share {
   public:
    // `peer` as gRPC says it: "ipv4:192.0.2.1:5000".
    Share(CallBudget& budget, absl::string_view peer, absl::string_view identity = "");
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Takes one call. ResourceExhausted names the budget, what it holds and its limit.
    absl::Status TakeCall();
    // Takes more bytes. Errors are those of TakeCall.
    absl::Status TakeBytes(std::int64_t bytes);
    const std::string& address() const { return address_; }  // Without the port.

   private:
    CallBudget& budget_;
    const std::string connection_;
    const std::string address_;
    const std::string peer_;
    CallLimits taken_;
  };

  CallLimits InFlight() const;

 private:
  enum class Unit : std::uint8_t { kCalls, kBytes };
  absl::Status Take(const std::string& connection, const std::string& peer, Unit unit,
                    std::int64_t amount);
  void Give(const std::string& connection, const std::string& peer, const CallLimits& taken);

  const Options options_;
  mutable absl::Mutex mutex_;
  std::map<std::string, CallLimits> connections_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, CallLimits> peers_ ABSL_GUARDED_BY(mutex_);
  CallLimits total_ ABSL_GUARDED_BY(mutex_);
};

// The address alone: "192.0.2.1" of "ipv4:192.0.2.1:5000", "::1" of "ipv6:%5B::1%5D:5000"; what is
// neither is returned as it is.
std::string AddressOf(absl::string_view peer);

}  // namespace cleave

#endif  // CLEAVE_WIRE_CALL_BUDGET_H_
