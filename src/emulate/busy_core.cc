#include "emulate/busy_core.h"

#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave::emulate {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kLeastShare = 0.01;
constexpr int kPriority = 10;  // Any is before all that is not real-time.
constexpr double kGoldenRatio = 0.6180339887498949;

absl::Status RunOn(const cpu_set_t& cores) {
  if (sched_setaffinity(0, sizeof(cores), &cores) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "cannot choose the cores to run on");
}

absl::Status BePunctualOn(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<unsigned>(core), &cores);
  CLEAVE_RETURN_IF_ERROR(RunOn(cores));
  prctl(PR_SET_TIMERSLACK, 1);
  const sched_param priority{.sched_priority = kPriority};
  if (sched_setscheduler(0, SCHED_FIFO, &priority) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "no right to real-time work");
}

}  // namespace

struct BusyCore::Impl {
  Impl(int c, std::int64_t period, const cpu_set_t& before)
      : core(c), period_us(static_cast<double>(period)), cores_before(before) {}

  void Run() {
    status = BePunctualOn(core);
    started.Notify();
    if (!status.ok()) return;
    const absl::MutexLock lock(&mutex);
    while (!ended) {
      if (!active || share >= 1) {
        changed.Wait(&mutex);
        continue;
      }
      SetOff();
      while (active && !ended && share < 1) Period();
    }
  }

  // So far into the first period as chance would have it, but evenly.
  void SetOff() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    phase = std::fmod(phase + kGoldenRatio, 1.0);
    begun = Clock::now() - Part(phase);
  }

  void Period() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const Clock::time_point busy_from = begun + Part(share);
    begun += Part(1);
    const Clock::time_point until = begun;
    interrupted = false;
    mutex.Unlock();
    std::this_thread::sleep_until(busy_from);
    while (Clock::now() < until && !interrupted) continue;
    mutex.Lock();
  }

  std::chrono::nanoseconds Part(double of_period) const {
    return std::chrono::nanoseconds(std::llround(of_period * 1e3 * period_us));
  }

  const int core;
  const double period_us;
  const cpu_set_t cores_before;
  absl::Status status;  // Before `started`.
  absl::Notification started;
  absl::Mutex mutex;
  absl::CondVar changed;
  bool active ABSL_GUARDED_BY(mutex) = false;
  bool ended ABSL_GUARDED_BY(mutex) = false;
  double share ABSL_GUARDED_BY(mutex) = 1;
  double phase ABSL_GUARDED_BY(mutex) = 0;
  Clock::time_point begun ABSL_GUARDED_BY(mutex);
  std::atomic<bool> interrupted = false;
  std::thread thread;
};

BusyCore::BusyCore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  impl_->thread = std::thread([this] { impl_->Run(); });
}

BusyCore::~BusyCore() {
  {
    const absl::MutexLock lock(&impl_->mutex);
    impl_->ended = true;
    impl_->interrupted = true;
    impl_->changed.SignalAll();
  }
  impl_->thread.join();
  RunOn(impl_->cores_before).IgnoreError();
}

absl::StatusOr<std::unique_ptr<BusyCore>> BusyCore::Create(int core, std::int64_t period_us) {
  cpu_set_t before;
  if (sched_getaffinity(0, sizeof(before), &before) != 0) {
    return absl::ErrnoToStatus(errno, "the cores to run on are not known");
  }
  cpu_set_t others = before;
  CPU_CLR(static_cast<unsigned>(core), &others);
  if (CPU_COUNT(&others) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("core ", core, " cannot be made busy: there is no other to run on"));
  }
  std::unique_ptr<BusyCore> made(
      new BusyCore(std::make_unique<Impl>(core, std::max<std::int64_t>(period_us, 100), before)));
  made->impl_->started.WaitForNotification();
  CLEAVE_RETURN_IF_ERROR(made->impl_->status);
  CLEAVE_RETURN_IF_ERROR(RunOn(others));
  return made;
}

absl::Status BusyCore::SetShare(double share) {
  if (!(share >= kLeastShare)) {
    return FieldError("CPU share", share, absl::StrCat("at least ", kLeastShare));
  }
  const absl::MutexLock lock(&impl_->mutex);
  impl_->share = std::min(share, 1.0);
  impl_->interrupted = true;
  impl_->changed.SignalAll();
  return absl::OkStatus();
}

void BusyCore::Begin() {
  const absl::MutexLock lock(&impl_->mutex);
  impl_->active = true;
  impl_->changed.SignalAll();
}

void BusyCore::End() {
  const absl::MutexLock lock(&impl_->mutex);
  impl_->active = false;
  impl_->interrupted = true;
}

}  // namespace cleave::emulate
