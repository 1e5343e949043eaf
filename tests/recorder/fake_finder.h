#ifndef CLEAVE_TESTS_RECORDER_FAKE_FINDER_H_
#define CLEAVE_TESTS_RECORDER_FAKE_FINDER_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "codec/image_reader.h"
#include "recorder/picture_finder.h"

namespace cleave::recorder {

// Finds the same in every picture, and refuses what is none. Thread-safe.
class FakeFinder final : public PictureFinder {
 public:
  explicit FakeFinder(std::vector<Detection> found) : found_(std::move(found)) {}

  absl::StatusOr<std::vector<Detection>> Find(const std::string& file) override {
    const auto reader = ImageReader::Open(file, "picture");
    if (!reader.ok()) return reader.status();
    absl::MutexLock lock(&mutex_);
    files_.push_back(file);
    return found_;
  }

  std::vector<std::string> files() const {
    absl::MutexLock lock(&mutex_);
    return files_;
  }

 private:
  const std::vector<Detection> found_;
  mutable absl::Mutex mutex_;
  std::vector<std::string> files_;
};

}  // namespace cleave::recorder

#endif  // CLEAVE_TESTS_RECORDER_FAKE_FINDER_H_
