#ifndef CLEAVE_CORE_RUN_DELAY_H_
#define CLEAVE_CORE_RUN_DELAY_H_

#include <cstdint>

namespace cleave {

// Returns how long the calling thread, since it began, has been ready to run without having a
// processor, because the machine was busy or a CPU quota was used up (Linux:
// /proc/thread-self/schedstat). Returns 0 where the system does not tell. Takes some microseconds.
// Thread-safe.
std::int64_t ThreadRunDelayUs();

}  // namespace cleave

#endif  // CLEAVE_CORE_RUN_DELAY_H_
