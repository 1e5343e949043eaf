#include "gil.h"

#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "absl/strings/str_cat.h"

namespace cleave::python {
namespace {

constexpr std::chrono::seconds kPatienceAtExit(2);

// What the threads of this process share. It is never destroyed, since threads may outlive main().
struct Shared {
  std::mutex mutex;
  std::condition_variable changed;
  int in_flight = 0;
  bool exiting = false;
  pthread_t exit_thread = {};
  std::vector<PyObject*> buried;
  int network_process = 0;  // 0: none has used it.
};

Shared* NewShared();
Shared* shared = NewShared();

void LockShared() { shared->mutex.lock(); }
void UnlockShared() { shared->mutex.unlock(); }

// No other thread is left in the child, nor what it was doing.
void RenewShared() {
  Shared* old = shared;
  shared = new Shared;
  shared->buried.swap(old->buried);
  shared->network_process = old->network_process;
}

Shared* NewShared() {
  pthread_atfork(LockShared, UnlockShared, RenewShared);
  return new Shared;
}

[[noreturn]] void StopForGood() {
  while (true) pause();
}

bool MustStop() {
  return shared->exiting && pthread_equal(shared->exit_thread, pthread_self()) == 0;
}

// Python has written out its own files by now.
void EndAtOnce(int status, void* /*unused*/) {
  {
    const std::lock_guard lock(shared->mutex);
    if (shared->in_flight == 0) return;
  }
  std::fflush(nullptr);
  _exit(status);
}

}  // namespace

WorkInFlight::WorkInFlight() {
  const std::lock_guard lock(shared->mutex);
  ++shared->in_flight;
}

WorkInFlight::~WorkInFlight() {
  const std::lock_guard lock(shared->mutex);
  --shared->in_flight;
  shared->changed.notify_all();
}

ReleasedGil::ReleasedGil() {
  bool stop = false;
  {
    const std::lock_guard lock(shared->mutex);
    stop = MustStop();
    if (!stop) ++shared->in_flight;
  }
  state_ = PyEval_SaveThread();
  if (stop) StopForGood();
}

ReleasedGil::~ReleasedGil() {
  bool stop = false;
  {
    const std::lock_guard lock(shared->mutex);
    stop = MustStop();
    if (stop) {
      --shared->in_flight;
      shared->changed.notify_all();
    }
  }
  if (stop) StopForGood();
  // Whoever ends the interpreter waits until this thread has the GIL, since it still counts.
  PyEval_RestoreThread(state_);
  const std::lock_guard lock(shared->mutex);
  --shared->in_flight;
  shared->changed.notify_all();
}

void PrepareForExit() {
  {
    const std::lock_guard lock(shared->mutex);
    shared->exiting = true;
    shared->exit_thread = pthread_self();
  }
  PyThreadState* state = PyEval_SaveThread();
  bool idle = false;
  {
    std::unique_lock lock(shared->mutex);
    idle = shared->changed.wait_for(lock, kPatienceAtExit, [] { return shared->in_flight == 0; });
  }
  PyEval_RestoreThread(state);
  // It was registered last, so that it runs first.
  if (!idle) on_exit(EndAtOnce, nullptr);
}

std::shared_ptr<const void> KeepAlive(nanobind::handle object) {
  object.inc_ref();
  return {object.ptr(), [](const void* pointer) {
            const std::lock_guard lock(shared->mutex);
            shared->buried.push_back(static_cast<PyObject*>(const_cast<void*>(pointer)));
          }};
}

void ReleaseBuried() {
  std::vector<PyObject*> buried;
  {
    const std::lock_guard lock(shared->mutex);
    buried.swap(shared->buried);
  }
  for (PyObject* object : buried) Py_DECREF(object);
}

ForkGuard::ForkGuard() : process_(getpid()) {}

bool ForkGuard::forked() const { return process_ != getpid(); }

absl::Status ForkGuard::Check(const char* what) const {
  if (!forked()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(what, ": found one that process ", process_,
                                                    " opened before it forked, expected ",
                                                    "one that was opened in this process"));
}

absl::Status UseNetwork() {
  const std::lock_guard lock(shared->mutex);
  if (shared->network_process == 0) shared->network_process = getpid();
  if (shared->network_process == getpid()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "process: forked from process ", shared->network_process,
      ", which has used the network, expected one that multiprocessing's start method ",
      "'spawn' or 'forkserver' made"));
}

}  // namespace cleave::python
