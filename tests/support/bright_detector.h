#ifndef CLEAVE_TESTS_SUPPORT_BRIGHT_DETECTOR_H_
#define CLEAVE_TESTS_SUPPORT_BRIGHT_DETECTOR_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "model/graph_writer.h"
#include "support/picture_files.h"

namespace cleave::testing {

// A detector of one class, "lamp", whose points are blocks of 4 x 4 pixels: where the mean of a
// block is above 0.75 or so, there is a box of 8 x 8 around it. x [N,3,32,32] -> c1, r1 [N,4,8,8]
// -> c2, r2 -> scores [N,1,8,8] and distances [N,8,8,8].
inline std::string BrightDetector() {
  constexpr std::size_t kBlock = 48;  // Elements: 3 channels of 4 x 4.
  std::vector<float> means(4 * kBlock, 0);
  for (std::size_t i = 0; i < kBlock; ++i) means[i] = 1.0F / kBlock;
  // Channels 1 to 3 are those of colour.
  for (std::size_t i = 0; i < kBlock; ++i) means[(1 + i / 16) * kBlock + i] = 1.0F / 16;
  std::vector<float> same(std::size_t{4} * 4 * 9, 0);
  for (std::size_t i = 0; i < 4; ++i) same[(i * 4 + i) * 9 + 4] = 1;
  const std::vector<float> zeros(32, 0);
  const std::vector<float> score = {40, 0, 0, 0};
  const std::vector<float> threshold = {-30};
  // Each edge is one stride away.
  const std::vector<float> bins = {0, 20, 0, 20, 0, 20, 0, 20};
  const std::span<const float> none(zeros);
  GraphWriter writer("bright");
  std::string last = writer.Input("x", {3, 32, 32});
  last = writer.Relu("r1", writer.Conv("c1", last, 4, 4, 4, 0, {means, none.first(4)}));
  last = writer.Relu("r2", writer.Conv("c2", last, 4, 3, 1, 1, {same, none.first(4)}));
  writer.Output(writer.Conv("scores", last, 1, 1, 1, 0, {score, threshold}));
  writer.Output(writer.Conv("distances", last, 8, 1, 1, 0, {zeros, bins}));
  return writer.Serialize().value();
}

inline std::string BrightDetectorSidecar() {
  return R"({"preprocessing": {"fit": "stretch", "height": 32, "width": 32, "mean": [0, 0, 0],
                               "std": [1, 1, 1]},
             "detections": {"kind": "distribution", "activation": "sigmoid", "strides": [4],
                            "outputs": {"scores": ["scores"], "distances": ["distances"]},
                            "reg_max": 1, "score_threshold": 0.5},
             "labels": ["lamp"]})";
}

// A dark picture of 64 x 64, with a lamp of 16 x 16 somewhere in it if it is `lit`.
inline std::string NightPicture(bool lit, std::mt19937_64& random) {
  constexpr std::size_t kSide = 64;
  constexpr std::size_t kLamp = 16;
  std::vector<std::uint8_t> pixels(kSide * kSide * 3);
  for (std::uint8_t& value : pixels) value = static_cast<std::uint8_t>(random() % 90);
  const std::size_t left = random() % (kSide - kLamp);
  const std::size_t top = random() % (kSide - kLamp);
  for (std::size_t y = top; lit && y < top + kLamp; ++y) {
    for (std::size_t x = left; x < left + kLamp; ++x) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        pixels[(y * kSide + x) * 3 + channel] = 250;
      }
    }
  }
  return PngFile(kSide, kSide, pixels);
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_SUPPORT_BRIGHT_DETECTOR_H_
