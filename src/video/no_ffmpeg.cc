// In place of ffmpeg_reader.cc and ffmpeg_writer.cc where FFmpeg's libraries are not there.
#include "absl/strings/str_cat.h"
#include "core/printable.h"
#include "video/frame_reader.h"
#include "video/frame_writer.h"

namespace cleave::video {

bool HasVideo() { return false; }

namespace {

absl::Status NoVideo(const std::string& name, absl::string_view does) {
  return absl::UnimplementedError(absl::StrCat(
      Printable(name), ": this build ", does, " no videos; build with -DCLEAVE_VIDEO=ON, ",
      "which needs libavformat-dev, libavcodec-dev and libswscale-dev"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<FrameReader>> FrameReader::Open(
    const std::string& source, const FrameReaderOptions& /*options*/) {
  return NoVideo(source, "reads");
}

absl::StatusOr<std::unique_ptr<FrameWriter>> FrameWriter::Open(const std::string& path,
                                                               ImageSize /*size*/) {
  return NoVideo(path, "writes");
}

}  // namespace cleave::video
