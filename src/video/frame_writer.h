#ifndef CLEAVE_VIDEO_FRAME_WRITER_H_
#define CLEAVE_VIDEO_FRAME_WRITER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "codec/rgb_image.h"

namespace cleave::video {

// Writes a video frame by frame, by FFmpeg's libraries: H.264 where their build has it, else what
// the kind of file holds by default. Thread-compatible.
class FrameWriter {
 public:
  // Writes to a file whose ending says what kind it is (kVideoEndings), in place of what was there.
  // All frames have this size, of which an odd side loses its last row or column. InvalidArgument
  // for an ending that is not known or a size that is out of range, NotFound or PermissionDenied
  // where the file cannot be written; Unimplemented says that this build knows no videos.
  static absl::StatusOr<std::unique_ptr<FrameWriter>> Open(const std::string& path, ImageSize size);
  // Without Finish, the video ends with the last frame that was written, as far as that goes.
  virtual ~FrameWriter() = default;

  // Adds a frame that is shown from this time on. One that is not later than the one before it is
  // put just behind that. InvalidArgument where its size is another.
  virtual absl::Status Write(const RgbImage& frame, std::int64_t time_us) = 0;
  // Writes what is still held back. Nothing may follow.
  virtual absl::Status Finish() = 0;
};

}  // namespace cleave::video

#endif  // CLEAVE_VIDEO_FRAME_WRITER_H_
