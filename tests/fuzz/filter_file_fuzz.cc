// Any bytes are refused as a filter file, or make a filter that tells a logit of a small tensor of
// zeros, and that is the same after it was written out.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "codec/filter_file.h"

namespace {

using namespace cleave;

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto file = FilterFile::Read(bytes, "fuzz");
  if (!file.ok()) return 0;
  const NeuralFilterParameters& parameters = (**file).filter().parameters();
  std::vector<Tensor> tensors;
  for (const int channels : parameters.channels) {
    tensors.push_back(*Tensor::Zeros(DataType::kFloat32, {1, channels, 2, 3}));
  }
  std::vector<const Tensor*> read;
  for (const Tensor& tensor : tensors) read.push_back(&tensor);
  const auto logits = (**file).filter().Logits(read);
  Require(logits.ok() && logits->size() == 1);
  const std::string written = FilterFile::Write((**file).about(), parameters);
  const auto again = FilterFile::Read(written, "fuzz");
  Require(again.ok() && (**again).about().cut == (**file).about().cut);
  Require((**again).filter().parameters().direct_weight == parameters.direct_weight);
  return 0;
}
