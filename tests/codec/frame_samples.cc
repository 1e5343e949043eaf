// Writes frames and the values that they decode to, so that another decoder can be compared:
// N.frame and N.values (row-major binary32) in a directory; none is compressed by zstd.
//
// Usage: frame_samples DIRECTORY
#include <algorithm>
#include <fstream>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "codec/frame.h"
#include "codec/frames.h"

namespace {

using namespace cleave;

constexpr char kRans = 2;

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
  // It is large enough for order 1 of rANS.
  tensors.push_back(FloatTensor({4, 8200}, Activations(32800, 4)));
  return tensors;
}

bool Write(const std::string& path, absl::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return file.good();
}

std::vector<EncodeOptions> OptionsFor(const Tensor& tensor) {
  std::vector<EncodeOptions> all;
  for (const Encoding encoding : kAllEncodings) {
    for (int axis = -1; axis < static_cast<int>(tensor.shape().size()); ++axis) {
      EncodeOptions options = {.encoding = encoding, .channel_axis = std::max(axis, 0)};
      if (axis >= 0) options.range = EncodeOptions::Range::kPerChannel;
      all.push_back(options);
      options.entropy = true;
      all.push_back(options);
    }
  }
  return all;
}

int WriteSamples(const std::string& directory) {
  int count = 0;
  for (const Tensor& tensor : Tensors()) {
    for (const EncodeOptions& options : OptionsFor(tensor)) {
      const auto frame = EncodeTensor(tensor, options);
      if (!frame.ok()) continue;  // It is too large for fp16.
      // It is equal to another frame, or Python cannot read it.
      if (options.entropy && (*frame)[5] != kRans) continue;
      const auto values = DecodeTensor(*frame, "sample", tensor.elements());
      const std::string base = absl::StrCat(directory, "/", count++);
      if (!values.ok() || !Write(base + ".frame", *frame) ||
          !Write(base + ".values", values->bytes())) {
        std::cerr << "frame_samples: " << base << ": " << values.status().message() << "\n";
        return 1;
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
