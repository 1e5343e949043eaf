#ifndef CLEAVE_PYTHON_STATUS_ERROR_H_
#define CLEAVE_PYTHON_STATUS_ERROR_H_

#include <nanobind/nanobind.h>

#include <exception>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cleave::python {

// A status on its way to Python, where it becomes the exception of its code with the same words
// (python/cleave/_errors.py). nanobind knows no other way to fail.
class StatusError : public std::exception {
 public:
  explicit StatusError(const absl::Status& status)
      : code_(status.code()), message_(status.message()) {}
  absl::StatusCode code() const { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  absl::StatusCode code_;
  std::string message_;
};

// Throws unless the status is OK.
inline void RaiseIfError(const absl::Status& status) {
  if (!status.ok()) throw StatusError(status);
}

// Returns the value, or throws.
template <typename T>
T ValueOrRaise(absl::StatusOr<T> value) {
  RaiseIfError(value.status());
  return *std::move(value);
}

// Lets nanobind turn StatusError into the exceptions of the package.
void BindErrors(nanobind::module_& module);

}  // namespace cleave::python

#endif  // CLEAVE_PYTHON_STATUS_ERROR_H_
