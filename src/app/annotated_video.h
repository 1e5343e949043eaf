#ifndef CLEAVE_APP_ANNOTATED_VIDEO_H_
#define CLEAVE_APP_ANNOTATED_VIDEO_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "app/detector.h"
#include "app/input_source.h"
#include "video/frame_writer.h"

namespace cleave::app {

// Writes a video of pictures with what was found in them: those of a video at their own times, and
// others for a second each. Thread-compatible.
class AnnotatedVideo {
 public:
  // The file is made with the first picture, whose size is that of the video.
  AnnotatedVideo(std::string path, std::vector<std::string> labels)
      : path_(std::move(path)), labels_(std::move(labels)) {}

  // Errors are those of the picture and of video::FrameWriter.
  absl::Status Write(const PictureFile& picture, const std::vector<Detection>& detections);
  // Ends the video. Nothing may follow.
  absl::Status Finish();

 private:
  const std::string path_;
  const std::vector<std::string> labels_;
  std::unique_ptr<video::FrameWriter> writer_;
  std::int64_t pictures_ = 0;
};

}  // namespace cleave::app

#endif  // CLEAVE_APP_ANNOTATED_VIDEO_H_
