#include "scalar_transform.h"

#include <array>
#include <cstddef>
#include <vector>

namespace {

constexpr int kSide = cleave::BlockLayout::kBlockSide;
constexpr int kBands = kSide * kSide;
constexpr float kWide = 0.65328148F;    // cos(pi / 8) / sqrt(2)
constexpr float kNarrow = 0.27059805F;  // sin(pi / 8) / sqrt(2)
constexpr float kCosines[kSide][kSide] = {{0.5F, 0.5F, 0.5F, 0.5F},
                                          {kWide, kNarrow, -kNarrow, -kWide},
                                          {0.5F, -0.5F, -0.5F, 0.5F},
                                          {kNarrow, -kWide, kWide, -kNarrow}};
// The frequency, row by row, of each band.
constexpr std::array<int, kBands> kFrequencyOf = {0, 1,  4, 2,  5,  8,  3,  6,
                                                  9, 12, 7, 10, 13, 11, 14, 15};

// Where a block's position (y, x) lies in the item.
std::size_t ElementAt(const cleave::BlockLayout& layout, int channel, int block, int y, int x) {
  const int row = block / layout.columns() * kSide + y;
  const int column = block % layout.columns() * kSide + x;
  return (static_cast<std::size_t>(channel) * static_cast<std::size_t>(layout.height) +
          static_cast<std::size_t>(row)) *
             static_cast<std::size_t>(layout.width) +
         static_cast<std::size_t>(column);
}

}  // namespace

std::vector<float> ScalarProject(const cleave::TensorCodecParameters& codec,
                                 const cleave::BlockLayout& layout, const float* item) {
  const int channels = layout.channels;
  std::vector<float> coefficients(layout.coefficients());
  for (int channel = 0; channel < channels; ++channel) {
    for (int block = 0; block < layout.blocks(); ++block) {
      float rows[kSide][kSide];
      for (int y = 0; y < kSide; ++y) {
        for (int k = 0; k < kSide; ++k) {
          float sum = 0;
          for (int x = 0; x < kSide; ++x) {
            sum += kCosines[k][x] *
                   (item[ElementAt(layout, channel, block, y, x)] - codec.mean[channel]);
          }
          rows[y][k] = sum;
        }
      }
      for (int band = 0; band < kBands; ++band) {
        const int frequency = kFrequencyOf[band];
        float sum = 0;
        for (int y = 0; y < kSide; ++y) {
          sum += kCosines[frequency / kSide][y] * rows[y][frequency % kSide];
        }
        coefficients[(block * kBands + band) * channels + channel] = sum;
      }
    }
  }
  std::vector<float> components(coefficients.size());
  for (int at = 0; at < layout.blocks() * kBands; ++at) {
    for (int i = 0; i < channels; ++i) {
      const float* row =
          codec.forward.data() + static_cast<std::ptrdiff_t>(at % kBands * channels + i) * channels;
      float sum = 0;
      for (int channel = 0; channel < channels; ++channel) {
        sum += row[channel] * coefficients[at * channels + channel];
      }
      components[at * channels + i] = sum;
    }
  }
  return components;
}

std::vector<float> ScalarReconstruct(const cleave::TensorCodecParameters& codec,
                                     const cleave::BlockLayout& layout, const float* components) {
  const int channels = layout.channels;
  std::vector<float> coefficients(layout.coefficients());
  for (int at = 0; at < layout.blocks() * kBands; ++at) {
    for (int i = 0; i < channels; ++i) {
      const float* row =
          codec.inverse.data() + static_cast<std::ptrdiff_t>(at % kBands * channels + i) * channels;
      for (int channel = 0; channel < channels; ++channel) {
        coefficients[at * channels + channel] += row[channel] * components[at * channels + i];
      }
    }
  }
  std::vector<float> item(layout.item_elements());
  for (int channel = 0; channel < channels; ++channel) {
    for (int block = 0; block < layout.blocks(); ++block) {
      float rows[kSide][kSide] = {};
      for (int band = 0; band < kBands; ++band) {
        const int frequency = kFrequencyOf[band];
        const float value = coefficients[(block * kBands + band) * channels + channel];
        for (int y = 0; y < kSide; ++y) {
          rows[y][frequency % kSide] += kCosines[frequency / kSide][y] * value;
        }
      }
      for (int y = 0; y < kSide; ++y) {
        for (int x = 0; x < kSide; ++x) {
          float sum = codec.mean[channel];
          for (int k = 0; k < kSide; ++k) sum += kCosines[k][x] * rows[y][k];
          item[ElementAt(layout, channel, block, y, x)] = sum;
        }
      }
    }
  }
  return item;
}
