// The first byte chooses the reader: .npy, image or sidecar. What is read keeps its promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "codec/image.h"

namespace {

void Npy(absl::string_view bytes) {
  const auto tensor = cleave::NpyToTensor(bytes, "fuzz");
  if (!tensor.ok()) return;
  const auto written = cleave::TensorToNpy(*tensor);
  if (!written.ok()) std::abort();
  const auto back = cleave::NpyToTensor(*written, "fuzz");
  if (!back.ok() || back->shape() != tensor->shape() || back->bytes() != tensor->bytes()) {
    std::abort();
  }
}

void Image(absl::string_view bytes) {
  cleave::Preprocessing how;
  how.resize = how.height = how.width = 16;
  const auto tensor = cleave::ImageToTensor(bytes, how, "fuzz");
  if (tensor.ok() && tensor->shape() != cleave::Shape{1, 3, 16, 16}) std::abort();
}

void Sidecar(absl::string_view bytes) {
  const auto how = cleave::Preprocessing::FromJson(bytes, "fuzz", {});
  if (how.ok() && !how->Validate().ok()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      Npy(rest);
      break;
    case 1:
      Image(rest);
      break;
    default:
      Sidecar(rest);
  }
  return 0;
}
