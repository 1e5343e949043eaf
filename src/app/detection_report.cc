#include "app/detection_report.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "codec/image_reader.h"
#include "codec/picture.h"
#include "core/file.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "detect/draw.h"

namespace cleave::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShown = 10;
constexpr int kQuality = 90;

std::string DetectionText(const Detection& detection, const std::vector<std::string>& labels) {
  return absl::StrFormat("%s %.1f%% (%.0f,%.0f)-(%.0f,%.0f)",
                         Printable(ClassName(detection.class_index, labels)), 100 * detection.score,
                         detection.box.x0, detection.box.y0, detection.box.x1, detection.box.y1);
}

std::string ItemText(const std::vector<Detection>& detections,
                     const std::vector<std::string>& labels) {
  if (detections.empty()) return "no objects";
  std::vector<std::string> words;
  for (const Detection& detection : detections) {
    if (words.size() == kShown) break;
    words.push_back(DetectionText(detection, labels));
  }
  const std::size_t more = detections.size() - words.size();
  return absl::StrCat(detections.size(), detections.size() == 1 ? " object: " : " objects: ",
                      absl::StrJoin(words, ", "),
                      more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

}  // namespace

std::vector<std::string> DetectionLines(const BatchDetections& detections,
                                        const std::vector<std::string>& items,
                                        const std::vector<std::string>& labels) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < detections.size(); ++i) {
    const std::string name = i < items.size() ? Printable(items[i]) : absl::StrCat("item ", i);
    lines.push_back(absl::StrCat(name, ": ", ItemText(detections[i], labels)));
  }
  return lines;
}

absl::StatusOr<RgbImage> DrawInto(const PictureFile& picture,
                                  const std::vector<Detection>& detections,
                                  const std::vector<std::string>& labels) {
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<ImageReader> reader,
                          ImageReader::Open(picture.bytes, picture.path));
  CLEAVE_ASSIGN_OR_RETURN(RgbImage image, reader->ReadUpright());
  DrawDetections(detections, labels, image);
  return image;
}

absl::StatusOr<std::string> Annotator::PathFor(const std::string& picture) {
  const std::string stem = fs::path(picture).stem().string();
  std::string name = stem + ".jpg";
  for (int i = 2; written_.contains(name); ++i) name = absl::StrCat(stem, "-", i, ".jpg");
  const fs::path path = fs::path(folder_) / name;
  for (const std::string& original : done_) {
    std::error_code error;
    if (fs::equivalent(path, original, error) && !error) {
      return absl::FailedPreconditionError(
          absl::StrCat("--annotate ", folder_, ": found the picture ", original,
                       " itself, expected a folder without the pictures"));
    }
  }
  written_.insert(name);
  return path.string();
}

absl::Status Annotator::Write(const PictureFile& picture,
                              const std::vector<Detection>& detections) {
  if (!done_.insert(picture.path).second) return absl::OkStatus();
  CLEAVE_ASSIGN_OR_RETURN(const std::string path, PathFor(picture.path));
  CLEAVE_ASSIGN_OR_RETURN(const RgbImage image, DrawInto(picture, detections, labels_));
  CLEAVE_ASSIGN_OR_RETURN(const std::string file, EncodeJpeg(image, kQuality));
  return WriteFileAtomically(path, file);
}

}  // namespace cleave::app
