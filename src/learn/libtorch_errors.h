#ifndef CLEAVE_LEARN_LIBTORCH_ERRORS_H_
#define CLEAVE_LEARN_LIBTORCH_ERRORS_H_

// Internal to src/learn.

#include <c10/util/Exception.h>

#include <exception>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cleave {

// Returns what `work` returns, a StatusOr; Internal in place of an exception, with its message.
template <typename Work>
auto StopLibTorchErrors(const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const c10::Error& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
}

}  // namespace cleave

#endif  // CLEAVE_LEARN_LIBTORCH_ERRORS_H_
