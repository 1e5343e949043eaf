#ifndef CLEAVE_CORE_RUN_DELAY_H_
#define CLEAVE_CORE_RUN_DELAY_H_

#include <cstdint>

namespace cleave {

// How long the calling thread has been ready to run but had no processor, in all since it began: a
// busy machine, or a CPU quota that is used up (Linux: /proc/thread-self/schedstat). 0 where the
// system does not tell. Takes some microseconds. Thread-safe.
std::int64_t ThreadRunDelayUs();

}  // namespace cleave

#endif  // CLEAVE_CORE_RUN_DELAY_H_
