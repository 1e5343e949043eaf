#ifndef CLEAVE_CORE_STATUS_MACROS_H_
#define CLEAVE_CORE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns the status of `expr` from the function unless it is OK.
#define CLEAVE_RETURN_IF_ERROR(expr)                                    \
  do {                                                                  \
    if (::absl::Status cleave_status_ = (expr); !cleave_status_.ok()) { \
      return cleave_status_;                                            \
    }                                                                   \
  } while (false)

#define CLEAVE_CONCAT_INNER_(a, b) a##b
#define CLEAVE_CONCAT_(a, b) CLEAVE_CONCAT_INNER_(a, b)

// Binds the value of a StatusOr, or returns its status from the function:
// CLEAVE_ASSIGN_OR_RETURN(const Graph graph, Load(path)).
#define CLEAVE_ASSIGN_OR_RETURN(lhs, expr) \
  CLEAVE_ASSIGN_OR_RETURN_(CLEAVE_CONCAT_(cleave_statusor_, __LINE__), lhs, expr)
#define CLEAVE_ASSIGN_OR_RETURN_(statusor, lhs, expr) \
  auto statusor = (expr);                             \
  if (!statusor.ok()) return statusor.status();       \
  lhs = *std::move(statusor)

#endif  // CLEAVE_CORE_STATUS_MACROS_H_
