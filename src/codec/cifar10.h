#ifndef CLEAVE_CODEC_CIFAR10_H_
#define CLEAVE_CODEC_CIFAR10_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "codec/image.h"

namespace cleave {

// Pictures of one size, each with its label. Thread-compatible.
struct LabelledImages {
  std::size_t image_bytes = 0;
  std::vector<std::uint8_t> pixels;  // Shape: size() x height x width x RGB.
  std::vector<std::uint8_t> labels;  // Indices into ImageSet::classes.

  std::size_t size() const { return labels.size(); }
  std::span<const std::uint8_t> image(std::size_t index) const {
    return std::span(pixels).subspan(index * image_bytes, image_bytes);
  }
};

struct ImageSet {
  std::vector<std::string> classes;
  LabelledImages train;
  LabelledImages test;
  std::string digest;  // SHA-256 over classes, pixels and labels.
};

// Returns the preprocessing of CIFAR-10's pictures: 32x32, and the mean and standard deviation of
// its training set.
Preprocessing Cifar10Preprocessing();

// Reads a training and a test set in either of two forms:
// - CIFAR-10's official binary files: data_batch_1.bin to data_batch_5.bin and test_batch.bin,
//   whose records hold 1 byte of label and 3 x 32 x 32 bytes of R, G, B (`how` must say 32x32);
// - folders DIR/{train,test}/CLASS/*.jpg (.jpeg, .png, .webp) of 2 to 256 classes in the order of
// their
//   names; pictures are decoded, resized and cropped as in inference (ImageToPixels).
// NotFound if the folder has neither form; InvalidArgument names the file and the field, what was
// found and what was expected. `on_progress` is told the share of files that have been read.
absl::StatusOr<ImageSet> LoadImageSet(const std::string& folder, const Preprocessing& how,
                                      const std::function<void(double share)>& on_progress = {});

}  // namespace cleave

#endif  // CLEAVE_CODEC_CIFAR10_H_
