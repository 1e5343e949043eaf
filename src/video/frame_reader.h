#ifndef CLEAVE_VIDEO_FRAME_READER_H_
#define CLEAVE_VIDEO_FRAME_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave::video {

// One picture of a video.
struct Frame {
  // A picture file: the camera's own JPEG where the stream consists of JPEGs, else a PNG that loses
  // nothing of what the video's decoder gave.
  std::string file;
  std::int64_t number = 0;   // Counted from 0.
  std::int64_t time_us = 0;  // After the first frame, by the stream's clock.
};

struct FrameReaderOptions {
  // The longest wait for the source to open, or for the next frame.
  std::int64_t patience_us = 10'000'000;

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// Where frames come from.
enum class SourceKind : std::uint8_t {
  kNone,    // It does not look like a video.
  kFile,    // As fast as one reads.
  kCamera,  // rtsp:// or http://: as fast as the frames come.
};

// What a source is, by its name alone: a file by its ending, a camera by its scheme.
SourceKind KindOf(absl::string_view source);

// The endings of files that are taken for videos, for messages.
inline constexpr char kVideoEndings[] = ".avi .m4v .mjpeg .mkv .mov .mp4 .mpg .ts .webm";

// Whether this build reads videos (the CMake option CLEAVE_VIDEO).
bool HasVideo();

// Reads a video frame by frame, by FFmpeg's libraries. Thread-compatible.
class FrameReader {
 public:
  // NotFound, InvalidArgument or Unavailable name the source and say what is wrong with it;
  // Unimplemented says that this build reads no videos. Frames larger than kMaxImagePixels are
  // refused before they are decoded.
  static absl::StatusOr<std::unique_ptr<FrameReader>> Open(const std::string& source,
                                                           const FrameReaderOptions& options = {});
  virtual ~FrameReader() = default;

  // Returns the next frame. OutOfRange at the end of the video; DeadlineExceeded where none came in
  // time; Unavailable where the source broke off.
  virtual absl::StatusOr<Frame> Next() = 0;
};

}  // namespace cleave::video

#endif  // CLEAVE_VIDEO_FRAME_READER_H_
