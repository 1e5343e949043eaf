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

// Pictures of one size with a label each. Thread-compatible.
struct LabelledImages {
  std::size_t image_bytes = 0;
  std::vector<std::uint8_t> pixels;  // size() x height x width x RGB.
  std::vector<std::uint8_t> labels;  // Places in ImageSet::classes.

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

// CIFAR-10's pictures: 32x32, and the mean and deviation of its training set.
Preprocessing Cifar10Preprocessing();

// Reads what is to be trained on, in either form:
//  - CIFAR-10's official binary one: data_batch_1.bin to data_batch_5.bin and test_batch.bin, each
//    records of 1 byte label and 3 x 32 x 32 bytes R, G, B (`how` must say 32x32);
//  - folders DIR/{train,test}/CLASS/*.jpg (.jpeg, .png), 2 to 256 classes in order of their names;
//    pictures are decoded, resized and cropped as the product does it (ImageToPixels).
// NotFound for neither; InvalidArgument names file, field, what was found and what was expected.
// `on_progress` hears the share of files read.
absl::StatusOr<ImageSet> LoadImageSet(const std::string& folder, const Preprocessing& how,
                                      const std::function<void(double share)>& on_progress = {});

}  // namespace cleave

#endif  // CLEAVE_CODEC_CIFAR10_H_
