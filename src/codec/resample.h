#ifndef CLEAVE_CODEC_RESAMPLE_H_
#define CLEAVE_CODEC_RESAMPLE_H_

#include "codec/rgb_image.h"

namespace cleave {

// A part of an image.
struct Window {
  int left = 0;
  int top = 0;
  ImageSize size;
};

// Resizes the whole of `image` to `size` and returns `window` of the result; only that part is
// computed. The filter is a triangle that is as wide as the reduction, which Pillow, torchvision
// and PyTorch call bilinear with antialiasing; the result is Pillow's
// (Image.resize(size, Image.BILINEAR)), bit for bit. Columns come before rows, each with weights of
// 22 fractional bits and a result of 8 bits, so that all sums are of integers and the same on every
// machine. REQUIRES: all sides are from 1 to 2^16, and `window` lies within `size`.
RgbImage Resample(const RgbImage& image, ImageSize size, const Window& window);

}  // namespace cleave

#endif  // CLEAVE_CODEC_RESAMPLE_H_
