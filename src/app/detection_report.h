#ifndef CLEAVE_APP_DETECTION_REPORT_H_
#define CLEAVE_APP_DETECTION_REPORT_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "app/detector.h"
#include "app/input_source.h"
#include "codec/rgb_image.h"

namespace cleave::app {

// The detections for people, a line for each item of the batch: "dog.jpg: 2 objects: dog 93.1%
// (12,30)-(200,240), ...", at most ten of them. `items` are the items' names; an item without a
// name is called by its number.
std::vector<std::string> DetectionLines(const BatchDetections& detections,
                                        const std::vector<std::string>& items,
                                        const std::vector<std::string>& labels);

// The picture, upright, with boxes, names and scores drawn into it. Errors are those of the file.
absl::StatusOr<RgbImage> DrawInto(const PictureFile& picture,
                                  const std::vector<Detection>& detections,
                                  const std::vector<std::string>& labels);

// Writes pictures with what was found in them into a folder. Thread-compatible.
class Annotator {
 public:
  // The folder is made with the first picture.
  Annotator(std::string folder, std::vector<std::string> labels)
      : folder_(std::move(folder)), labels_(std::move(labels)) {}

  // Writes `NAME.jpg` for the picture file `NAME.png`, upright, with boxes, names and scores; with
  // "-2" and so on behind the name where another picture of this run has the same. A picture that
  // was written already is left alone. Errors are those of the files; FailedPrecondition if a
  // picture would be written over one of the pictures themselves.
  absl::Status Write(const PictureFile& picture, const std::vector<Detection>& detections);

 private:
  absl::StatusOr<std::string> PathFor(const std::string& picture);

  const std::string folder_;
  const std::vector<std::string> labels_;
  std::set<std::string> done_;     // Pictures by their path.
  std::set<std::string> written_;  // Files by their name.
};

}  // namespace cleave::app

#endif  // CLEAVE_APP_DETECTION_REPORT_H_
