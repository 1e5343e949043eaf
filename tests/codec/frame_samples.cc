// Writes frames and what they decode to, for another decoder to be compared with: N.frame and
// N.values (row-major binary32) in a directory. Usage: frame_samples DIRECTORY
#include <fstream>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "codec/frame.h"
#include "codec/frames.h"

namespace {

using namespace cleave;

std::vector<Tensor> Tensors() {
  constexpr float kMax = std::numeric_limits<float>::max();
  constexpr float kLeast = std::numeric_limits<float>::denorm_min();
  std::vector<Tensor> tensors;
  tensors.push_back(FloatTensor({}, {-0.1F}));
  tensors.push_back(FloatTensor({0, 3}, {}));
  tensors.push_back(FloatTensor({1, 1}, {3}));
  tensors.push_back(FloatTensor({3, 3}, {-kMax, kMax, 0, -0.0F, kLeast, 1, -1, kMax / 3, 1e-20F}));
  tensors.push_back(FloatTensor({5}, {0, kLeast, 2 * kLeast, 5 * kLeast, -kLeast}));
  tensors.push_back(FloatTensor({2, 7, 5, 3}, Activations(210, 1)));
  tensors.push_back(FloatTensor({1, 3, 41}, Activations(123, 2)));
  tensors.push_back(FloatTensor({9, 1001}, Activations(9009, 3)));
  return tensors;
}

bool Write(const std::string& path, absl::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return file.good();
}

int WriteSamples(const std::string& directory) {
  int count = 0;
  for (const Tensor& tensor : Tensors()) {
    for (const Encoding encoding : kAllEncodings) {
      for (int axis = -1; axis < static_cast<int>(tensor.shape().size()); ++axis) {
        EncodeOptions options = {.encoding = encoding};
        if (axis >= 0) {
          options.range = EncodeOptions::Range::kPerChannel;
          options.channel_axis = axis;
        }
        const auto frame = EncodeTensor(tensor, options);
        if (!frame.ok()) continue;  // Too large for fp16.
        const auto values = DecodeTensor(*frame, "sample", tensor.elements());
        const std::string base = absl::StrCat(directory, "/", count++);
        if (!values.ok() || !Write(base + ".frame", *frame) ||
            !Write(base + ".values", values->bytes())) {
          std::cerr << "frame_samples: " << base << ": " << values.status().message() << "\n";
          return 1;
        }
      }
    }
  }
  std::cout << count << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: frame_samples DIRECTORY\n";
    return 2;
  }
  return WriteSamples(argv[1]);
}
