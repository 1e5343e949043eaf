#ifndef CLEAVE_LEARN_LABELLED_PICTURES_H_
#define CLEAVE_LEARN_LABELLED_PICTURES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/image.h"

namespace cleave {

struct PictureLimits {
  std::int64_t train = 0;  // Pictures at most, as many of each class as there are; 0: all.
  std::int64_t test = 0;
  std::uint64_t seed = 1;  // By which they are chosen.
};

enum class Part : std::uint8_t { kTrain, kTest };

// Labelled pictures as a model's input, decoded when their turn comes: what is too large to be held
// in memory at once. Thread-compatible.
class LabelledPictures {
 public:
  // Opens a folder that LoadImageSet reads. Errors are its own; InvalidArgument for limits that
  // leave a class without a picture to train on.
  static absl::StatusOr<std::unique_ptr<LabelledPictures>> Open(const std::string& folder,
                                                                const Preprocessing& how,
                                                                const PictureLimits& limits);
  virtual ~LabelledPictures() = default;

  virtual const std::vector<std::string>& classes() const = 0;
  virtual const std::vector<int>& labels(Part part) const = 0;

  // Returns the pictures [first, first + count) of a part, and the last of them again until there
  // are `rows`. REQUIRES: 1 <= count <= rows, and the part has them.
  absl::StatusOr<Tensor> Batch(Part part, std::size_t first, std::size_t count,
                               std::size_t rows) const;

  // Returns the SHA-256 of the classes' names and of label and bytes (of the file, or the pixels of
  // CIFAR-10's binary form) of each picture; reads the files again.
  absl::StatusOr<std::string> Digest() const;

 protected:
  explicit LabelledPictures(const Preprocessing& how) : how_(how) {}
  const Preprocessing& how() const { return how_; }

 private:
  virtual absl::StatusOr<std::vector<std::uint8_t>> Pixels(Part part, std::size_t index) const = 0;
  virtual absl::StatusOr<std::string> Bytes(Part part, std::size_t index) const = 0;

  const Preprocessing how_;
};

}  // namespace cleave

#endif  // CLEAVE_LEARN_LABELLED_PICTURES_H_
