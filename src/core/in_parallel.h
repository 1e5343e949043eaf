#ifndef CLEAVE_CORE_IN_PARALLEL_H_
#define CLEAVE_CORE_IN_PARALLEL_H_

#include <cstddef>
#include <functional>

#include "absl/status/status.h"

namespace cleave {

// Returns how many threads of this machine such work may have: 1 to 16.
int UsualThreads();

// Calls `work` with 0 to count - 1, on several threads at once; returns the first error, after
// which its thread starts no more. `work` has to be thread-safe. REQUIRES: threads >= 1.
absl::Status InParallel(std::size_t count, int threads,
                        const std::function<absl::Status(std::size_t)>& work);

}  // namespace cleave

#endif  // CLEAVE_CORE_IN_PARALLEL_H_
