#ifndef CLEAVE_RECORDER_PICTURE_FINDER_H_
#define CLEAVE_RECORDER_PICTURE_FINDER_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "app/detector.h"
#include "cleave/device.h"
#include "detect/detection.h"

namespace cleave::recorder {

// Finds objects in pictures, whichever program sent them. Thread-safe.
class PictureFinder {
 public:
  virtual ~PictureFinder() = default;

  // Returns what the picture shows, highest score first, in pixels of the upright picture. `file`
  // holds a JPEG, PNG or WebP file. InvalidArgument for anything else; other errors come only when
  // the device itself cannot run the model.
  virtual absl::StatusOr<std::vector<Detection>> Find(const std::string& file) = 0;
};

// What became of a picture: the record without its outputs, and what was found.
struct FoundPicture {
  InferenceRecord record;
  std::vector<Detection> detections;
};

// Finds them by a device, which has to outlive it. `on_event` is called for every picture, with
// what became of it or why it was refused, from the thread that sent it, and has to be thread-safe.
class DeviceFinder final : public PictureFinder {
 public:
  using Event = absl::StatusOr<FoundPicture>;

  DeviceFinder(Device& device, app::Detector detector, std::function<void(const Event&)> on_event)
      : device_(device), detector_(std::move(detector)), on_event_(std::move(on_event)) {}

  absl::StatusOr<std::vector<Detection>> Find(const std::string& file) override;

 private:
  Event Infer(const std::string& file) const;

  Device& device_;
  const app::Detector detector_;
  const std::function<void(const Event&)> on_event_;
};

}  // namespace cleave::recorder

#endif  // CLEAVE_RECORDER_PICTURE_FINDER_H_
