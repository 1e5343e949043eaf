#include <array>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "core/check.h"
#include "video/frame_reader.h"

namespace cleave::video {
namespace {

constexpr std::array kSchemes =
    std::to_array<absl::string_view>({"rtsp://", "rtsps://", "http://", "https://"});

}  // namespace

SourceKind KindOf(absl::string_view source) {
  const std::string name = absl::AsciiStrToLower(source);
  for (const absl::string_view scheme : kSchemes) {
    if (absl::StartsWith(name, scheme)) return SourceKind::kCamera;
  }
  for (const absl::string_view ending : absl::StrSplit(kVideoEndings, ' ')) {
    if (absl::EndsWith(name, ending)) return SourceKind::kFile;
  }
  return SourceKind::kNone;
}

absl::Status FrameReaderOptions::Validate() const {
  return CheckAtLeast("patience_us", patience_us, std::int64_t{1});
}

}  // namespace cleave::video
