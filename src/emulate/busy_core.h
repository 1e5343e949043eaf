#ifndef CLEAVE_EMULATE_BUSY_CORE_H_
#define CLEAVE_EMULATE_BUSY_CORE_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cleave::emulate {

// Keeps a core busy with real-time work (SCHED_FIFO) for a part of every period, so that what is
// pinned to that core runs for a share of the time only, as on a weaker machine or beside other
// work. Finer than CpuQuota, which the kernel enforces at its ticks: what is over by the first one,
// after 4 ms, is not slowed there at all. Between Begin and End only, for it takes the core's time
// whether anything is pinned there or not. Thread-safe but for Create and the destructor, which
// belong to one thread.
class BusyCore {
 public:
  // Makes the calling thread, and with it what it starts from now on, leave the core until the
  // object goes: nothing but what is to be slow should be there. FailedPrecondition where it may
  // run on no other, PermissionDenied without the right to real-time work (root).
  static absl::StatusOr<std::unique_ptr<BusyCore>> Create(int core, std::int64_t period_us = 2'000);
  ~BusyCore();
  BusyCore(const BusyCore&) = delete;
  BusyCore& operator=(const BusyCore&) = delete;

  // Sets the share of the time that is left, in [0.01, 1]; more counts as 1, at which the core is
  // left alone.
  absl::Status SetShare(double share);

  // Begins anywhere in a period: evenly spread over many calls.
  void Begin();
  void End();

 private:
  struct Impl;
  explicit BusyCore(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace cleave::emulate

#endif  // CLEAVE_EMULATE_BUSY_CORE_H_
