#ifndef CLEAVE_DEVICE_ENCODE_COST_H_
#define CLEAVE_DEVICE_ENCODE_COST_H_

#include <array>
#include <cstdint>

#include "cleave/plan.h"

namespace cleave {

// What making a request takes on the device, for each byte of the tensors before they are encoded,
// by encoding: learned from real requests, all at the speed of the device's profile. A value type.
class EncodeCost {
 public:
  double UsPerByte(Encoding encoding) const { return us_per_byte_[Index(encoding)]; }

  // One request: `took_us` as measured on a device that runs `slowdown` times slower than its
  // profile. A short one tells nothing.
  void Learn(Encoding encoding, double raw_bytes, double took_us, double slowdown);

  // Decoding a picture and making it the model's input, for each one.
  double PictureUs() const { return picture_us_; }
  void LearnPicture(double took_us, double slowdown);

  // Whether a plan table that was made of `older` is too far off to be used on.
  bool DiffersFrom(const EncodeCost& older) const;

 private:
  static constexpr std::size_t kEncodings = static_cast<std::size_t>(Encoding::kJpeg50) + 1;
  static std::size_t Index(Encoding encoding) { return static_cast<std::size_t>(encoding); }

  // First guesses, of the kind of machine that codec_bench runs on.
  std::array<double, kEncodings> us_per_byte_ = {0.0003, 0.0005, 0.0005, 0.0005, 0.0005, 0.0005,
                                                 0.0005, 0.0005, 0.0001, 0.01,   0.01,   0.01};
  double picture_us_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_ENCODE_COST_H_
