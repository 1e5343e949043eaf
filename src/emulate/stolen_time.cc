#include "emulate/stolen_time.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/check.h"

namespace cleave::emulate {
namespace {

constexpr std::size_t kStolen = 7;  // After user, nice, system, idle, iowait, irq and softirq.
constexpr std::size_t kCounted = kStolen + 1;  // The guests' time is in user and nice already.

absl::Status Bad(absl::string_view line) {
  return FieldError("/proc/stat", absl::StrCat("'", line.substr(0, 80), "'"),
                    absl::StrCat("'cpu' and at least ", kCounted, " whole numbers"));
}

}  // namespace

absl::StatusOr<ProcessorTime> ReadProcessorTime() {
  std::ifstream file("/proc/stat");
  std::string line;
  std::getline(file, line);
  return ParseProcessorTime(line);
}

absl::StatusOr<ProcessorTime> ParseProcessorTime(absl::string_view stat) {
  const absl::string_view line = stat.substr(0, stat.find('\n'));
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  if (words.size() < 1 + kCounted || words[0] != "cpu") return Bad(line);
  ProcessorTime time;
  for (std::size_t i = 0; i < kCounted; ++i) {
    std::uint64_t ticks = 0;
    if (!absl::SimpleAtoi(words[1 + i], &ticks)) return Bad(line);
    time.total += ticks;
    if (i == kStolen) time.stolen = ticks;
  }
  return time;
}

double StolenShare(const ProcessorTime& before, const ProcessorTime& after) {
  if (after.total <= before.total || after.stolen <= before.stolen) return 0;
  return std::min(1.0, static_cast<double>(after.stolen - before.stolen) /
                           static_cast<double>(after.total - before.total));
}

}  // namespace cleave::emulate
