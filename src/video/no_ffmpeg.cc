// In place of ffmpeg_reader.cc where FFmpeg's libraries are not there.
#include "absl/strings/str_cat.h"
#include "core/printable.h"
#include "video/frame_reader.h"

namespace cleave::video {

bool HasVideo() { return false; }

absl::StatusOr<std::unique_ptr<FrameReader>> FrameReader::Open(
    const std::string& source, const FrameReaderOptions& /*options*/) {
  return absl::UnimplementedError(absl::StrCat(
      Printable(source), ": this build reads no videos; build with -DCLEAVE_VIDEO=ON, ",
      "which needs libavformat-dev, libavcodec-dev and libswscale-dev"));
}

}  // namespace cleave::video
