// Any text either is refused or makes a trace whose two directions agree.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "link/trace.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto trace = cleave::Trace::Parse({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!trace.ok()) return 0;
  for (const std::int64_t bytes : {1, 1500, 1501, 1'000'000}) {
    const std::int64_t us = trace->TimeOfBytesUs(bytes);
    if (trace->BytesBy(us) < bytes) std::abort();
    if (us > 0 && trace->BytesBy(us - 1) >= bytes) std::abort();
  }
  if (!(trace->mean_bps() > 0) || trace->RateBps(0, 1'000'000) < 0) std::abort();
  return 0;
}
