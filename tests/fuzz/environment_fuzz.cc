// Any environment file is refused, or its options are sound.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "world/environment_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const absl::string_view toml(reinterpret_cast<const char*>(data), size);
  auto file = cleave::world::EnvironmentFile::Parse(toml, "fuzz");
  if (!file.ok()) return 0;
  cleave::world::LinkOptions& link = file->options.world.link;
  const bool traces = link.kind == cleave::world::LinkKind::kTraces;
  if (traces == file->training.up.empty()) std::abort();
  if (traces) link.kind = cleave::world::LinkKind::kSteps;  // They are not loaded yet.
  if (!file->options.Validate().ok()) std::abort();
  return 0;
}
