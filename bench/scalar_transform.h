#ifndef CLEAVE_BENCH_SCALAR_TRANSFORM_H_
#define CLEAVE_BENCH_SCALAR_TRANSFORM_H_

#include "codec/tensor_codec.h"

// The transform of codec/tensor_codec.h in its most obvious form: a cosine transform of each block
// of each channel, then one product after the other with each band's matrix. It is in a file of its
// own, which is compiled without vectorization.

// Returns the components of an item, [block][band][component]. REQUIRES: the layout has blocks of
// BlockLayout::kBlockSide, which divides its height and width.
std::vector<float> ScalarProject(const cleave::TensorCodecParameters& codec,
                                 const cleave::BlockLayout& layout, const float* item);
// Returns the item of such components. REQUIRES: as ScalarProject.
std::vector<float> ScalarReconstruct(const cleave::TensorCodecParameters& codec,
                                     const cleave::BlockLayout& layout, const float* components);

#endif  // CLEAVE_BENCH_SCALAR_TRANSFORM_H_
