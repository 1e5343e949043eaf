#include "core/cpu_model.h"

#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cleave {

std::optional<std::string> CpuModelOf(absl::string_view cpuinfo) {
  std::optional<std::string> part;
  for (const absl::string_view line : absl::StrSplit(cpuinfo, '\n')) {
    const bool is_model = absl::StartsWith(line, "model name") || absl::StartsWith(line, "Model");
    const bool is_part = absl::StartsWith(line, "CPU part");
    const std::size_t colon = line.find(':');
    if ((!is_model && !is_part) || colon == absl::string_view::npos) continue;
    const std::string name(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    if (is_model) return name;
    part = name;
  }
  return part;
}

std::optional<std::string> CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  std::ostringstream text;
  text << file.rdbuf();
  return CpuModelOf(text.str());
}

}  // namespace cleave
