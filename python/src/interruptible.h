#ifndef CLEAVE_PYTHON_INTERRUPTIBLE_H_
#define CLEAVE_PYTHON_INTERRUPTIBLE_H_

#include <nanobind/nanobind.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "gil.h"

namespace cleave::python {

// Runs `work` on another thread and waits for it without the GIL. Where a signal handler of Python
// raises meanwhile, as Ctrl-C does, the work is given up: it goes on to its end, and what it comes
// to is dropped. What it throws is thrown here. Only the main thread gets signals; any other runs
// the work itself. REQUIRES: the thread holds the GIL; `work` needs nothing of the caller's stack,
// and no Python.
void WaitFor(std::function<void()> work);

// The same for work with a value.
template <typename Work>
auto Interruptible(Work work) {
  const auto value = std::make_shared<std::optional<decltype(work())>>();
  WaitFor([value, work = std::move(work)]() mutable { value->emplace(work()); });
  return std::move(**value);
}

// Runs short work in place, without the GIL: the caller hears of Ctrl-C when it ends.
template <typename Work>
auto Uninterrupted(const Work& work) {
  const ReleasedGil released;
  return work();
}

}  // namespace cleave::python

#endif  // CLEAVE_PYTHON_INTERRUPTIBLE_H_
