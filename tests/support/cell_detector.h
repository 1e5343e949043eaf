#ifndef CLEAVE_TESTS_SUPPORT_CELL_DETECTOR_H_
#define CLEAVE_TESTS_SUPPORT_CELL_DETECTOR_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "codec/picture.h"
#include "core/file.h"
#include "model/graph_writer.h"

namespace cleave::testing {

// A detector of red and of green cells of 8 x 8 pixels in pictures of 32 x 32; the box that it says
// reaches a cell's width to all sides of the cell's middle. The model has the outputs "scores" and
// "distances" behind a common "trunk", and a sidecar.
class CellDetector {
 public:
  static constexpr int kSide = 32;
  static constexpr int kStride = 8;

  // Writes cells.onnx and cells.json into this folder, and returns the model's path.
  static std::string Write(const std::string& folder) {
    constexpr int kBins = 8;
    constexpr int kPixels = kStride * kStride;
    std::vector<float> itself(9, 0);
    for (int channel = 0; channel < 3; ++channel) itself[channel * 4] = 1;
    std::vector<float> brightness(2 * 3 * kPixels, 0);
    for (int label = 0; label < 2; ++label) {
      for (int i = 0; i < kPixels; ++i) brightness[(label * 3 + label) * kPixels + i] = 20.0F / 64;
    }
    const std::vector<float> none(4 * kBins * 3 * kPixels, 0);
    std::vector<float> one_stride(4 * kBins, -20);
    for (int edge = 0; edge < 4; ++edge) one_stride[edge * kBins + 1] = 20;
    const std::vector<float> zeros(3, 0);
    const std::vector<float> half = {-10, -10};
    GraphWriter writer("cells");
    const std::string trunk =
        writer.Conv("trunk", writer.Input("x", {3, kSide, kSide}), 3, 1, 1, 0, {itself, zeros});
    writer.Output(writer.Conv("scores", trunk, 2, kStride, kStride, 0, {brightness, half}));
    writer.Output(
        writer.Conv("distances", trunk, 4 * kBins, kStride, kStride, 0, {none, one_stride}));
    std::string path = folder + "/cells.onnx";
    EXPECT_TRUE(writer.Save(path).ok());
    EXPECT_TRUE(WriteFileAtomically(folder + "/cells.json", kSidecar).ok());
    return path;
  }

  // A JPEG file that is black but for one cell of a pure colour: channel 0 is red, 1 green, 2 blue.
  static std::string Picture(int channel, int column, int row) {
    std::vector<std::uint8_t> pixels(3 * kSide * kSide, 0);
    for (int y = row * kStride; y < (row + 1) * kStride; ++y) {
      for (int x = column * kStride; x < (column + 1) * kStride; ++x) {
        pixels[3 * (y * kSide + x) + channel] = 255;
      }
    }
    auto file = EncodeJpeg(pixels, kSide, kSide, 95);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : "";
  }

 private:
  static constexpr absl::string_view kSidecar =
      R"({"preprocessing": {"resize": 32, "mean": [0, 0, 0], "std": [1, 1, 1]},
      "labels": ["red", "green"],
      "detections": {"kind": "distribution", "activation": "sigmoid", "strides": [8],
                     "outputs": {"scores": ["scores"], "distances": ["distances"]}}})";
};

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_SUPPORT_CELL_DETECTOR_H_
