#ifndef CLEAVE_DEVICE_ENCODE_COST_H_
#define CLEAVE_DEVICE_ENCODE_COST_H_

#include <array>
#include <cstdint>

#include "cleave/plan.h"

namespace cleave {

// The time that making a request takes on the device, by encoding and for each byte of the tensors
// before they are encoded. It is learned from real requests and holds at the speed of the device's
// profile. A plain value.
class EncodeCost {
 public:
  double UsPerByte(Encoding encoding) const { return us_per_byte_[Index(encoding)]; }

  // Learns from one request that took `took_us` on a device that runs `slowdown` times slower than
  // its profile. A short one tells nothing.
  void Learn(Encoding encoding, double raw_bytes, double took_us, double slowdown);

  // The time of decoding one picture and making it the model's input.
  double PictureUs() const { return picture_us_; }
  void LearnPicture(double took_us, double slowdown);

  // Whether a plan table that was made of `older` is too far off to be used on.
  bool DiffersFrom(const EncodeCost& older) const;

 private:
  static constexpr std::size_t kEncodings = static_cast<std::size_t>(kLastEncoding) + 1;
  static std::size_t Index(Encoding encoding) { return static_cast<std::size_t>(encoding); }

  // First guesses, of the kind of machine that codec_bench runs on.
  std::array<double, kEncodings> us_per_byte_ = {
      0.0003, 0.0005, 0.0005, 0.0005, 0.0005, 0.0005, 0.0005, 0.0005, 0.005, 0.005, 0.005,
      0.005,  0.005,  0.005,  0.0001, 0.01,   0.01,   0.01,   0.03,   0.03,  0.03,  0.03};
  double picture_us_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_ENCODE_COST_H_
