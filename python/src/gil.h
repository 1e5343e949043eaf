#ifndef CLEAVE_PYTHON_GIL_H_
#define CLEAVE_PYTHON_GIL_H_

#include <nanobind/nanobind.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"

namespace cleave::python {

// Gives up the GIL for its scope. Once the interpreter has begun to exit, every thread but the one
// that ends it stops here for good instead of taking the GIL again, which Python before 3.14
// answers by unwinding the thread, and C++ that by ending the process. REQUIRES: the thread holds
// the GIL.
class ReleasedGil {
 public:
  ReleasedGil();
  ~ReleasedGil();
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

 private:
  PyThreadState* state_;
};

// Counts work that goes on without the GIL, so that the process does not unload what it needs.
class WorkInFlight {
 public:
  WorkInFlight();
  ~WorkInFlight();
  WorkInFlight(const WorkInFlight&) = delete;
  WorkInFlight& operator=(const WorkInFlight&) = delete;
};

// Called by Python's atexit: lets work in flight end for two seconds at most. Work that still goes
// on when the process ends is cut off there, before any library is taken down under it.
void PrepareForExit();

// Returns a handle that keeps `object` alive until the last copy is gone, which any thread may drop
// without the GIL: the reference itself is given back by the next ReleaseBuried.
std::shared_ptr<const void> KeepAlive(nanobind::handle object);

// Gives back the references that KeepAlive holds no more. REQUIRES: the thread holds the GIL.
void ReleaseBuried();

// Keeps the object for good. In a child of a fork, what has threads cannot be taken down: they are
// not there.
template <typename T>
void NeverDestroy(std::shared_ptr<T> object) {
  static_cast<void>(new std::shared_ptr<T>(std::move(object)));
}

// Whether this process is another than that in which `process` was noted. Threads do not survive a
// fork, so that nothing which has some can be used, or even taken down, in the child.
class ForkGuard {
 public:
  ForkGuard();
  bool forked() const;
  // FailedPrecondition in a child; `what` names the thing.
  absl::Status Check(const char* what) const;

 private:
  int process_;
};

// Notes that this process uses the network. FailedPrecondition in a child of a process that did.
absl::Status UseNetwork();

}  // namespace cleave::python

#endif  // CLEAVE_PYTHON_GIL_H_
