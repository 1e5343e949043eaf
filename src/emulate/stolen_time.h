#ifndef CLEAVE_EMULATE_STOLEN_TIME_H_
#define CLEAVE_EMULATE_STOLEN_TIME_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave::emulate {

// Processor time of all cores since the machine started, in the kernel's ticks (proc(5), stat), and
// what of it a hypervisor gave to other machines while this one had work. Where there is no
// hypervisor, or it does not tell, nothing is stolen.
struct ProcessorTime {
  std::uint64_t total = 0;
  std::uint64_t stolen = 0;
};

// Reads what `/proc/stat` says; InvalidArgument where that is not what the kernel writes.
absl::StatusOr<ProcessorTime> ReadProcessorTime();
absl::StatusOr<ProcessorTime> ParseProcessorTime(absl::string_view stat);

// Returns the share of the time between the two that was stolen, from 0 to 1; 0 where no time
// passed.
double StolenShare(const ProcessorTime& before, const ProcessorTime& after);

}  // namespace cleave::emulate

#endif  // CLEAVE_EMULATE_STOLEN_TIME_H_
