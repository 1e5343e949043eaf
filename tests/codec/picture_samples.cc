// Usage: picture_samples JSON FILE PIXELS writes what ImageToPixels makes of FILE to PIXELS, as the
// preprocessing JSON says. tests/codec/pillow_test.py compares it with Pillow's.
#include <cstdio>
#include <string>

#include "codec/image.h"
#include "core/file.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

absl::Status Write(const std::string& json, const std::string& file, const std::string& pixels) {
  CLEAVE_ASSIGN_OR_RETURN(const Preprocessing how, Preprocessing::FromJson(json, "JSON", {}));
  CLEAVE_ASSIGN_OR_RETURN(const std::string encoded, ReadFile(file));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> made, ImageToPixels(encoded, how, file));
  return WriteFileAtomically(pixels, {reinterpret_cast<const char*>(made.data()), made.size()});
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const absl::Status status = cleave::Write(argv[1], argv[2], argv[3]);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}
