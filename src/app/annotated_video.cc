#include "app/annotated_video.h"

#include "app/detection_report.h"
#include "codec/rgb_image.h"
#include "core/status_macros.h"

namespace cleave::app {

constexpr std::int64_t kPictureUs = 1'000'000;

absl::Status AnnotatedVideo::Write(const PictureFile& picture,
                                   const std::vector<Detection>& detections) {
  CLEAVE_ASSIGN_OR_RETURN(const RgbImage image, DrawInto(picture, detections, labels_));
  if (writer_ == nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(writer_, video::FrameWriter::Open(path_, image.size));
  }
  return writer_->Write(image, picture.time_us.value_or(kPictureUs * pictures_++));
}

absl::Status AnnotatedVideo::Finish() {
  return writer_ == nullptr ? absl::OkStatus() : writer_->Finish();
}

}  // namespace cleave::app
