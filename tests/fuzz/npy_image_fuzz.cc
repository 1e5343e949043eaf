// The first byte chooses the reader (.npy, image or sidecar) and how an image fits. What is read
// keeps its promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "codec/image.h"
#include "codec/input_geometry.h"

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

void Image(absl::string_view bytes, int fit) {
  cleave::Preprocessing how;
  how.height = how.width = 16;
  how.fit = static_cast<cleave::Preprocessing::Fit>(fit);
  if (how.fit == cleave::Preprocessing::Fit::kCrop) how.resize = 16;
  const auto tensor = cleave::ImageToTensor(bytes, how, "fuzz");
  if (!tensor.ok()) return;
  if (tensor->shape() != cleave::Shape{1, 3, 16, 16}) std::abort();
  // The input's centre shows the picture, but for rounding.
  constexpr double kSlack = 1e-3;
  const auto map = cleave::MapInputToPicture(bytes, how, "fuzz");
  if (!map.ok()) std::abort();
  const auto [x, y] = map->ToUpright({8, 8});
  const bool inside = x >= -kSlack && x <= map->upright.width + kSlack && y >= -kSlack &&
                      y <= map->upright.height + kSlack;
  if (!inside) std::abort();
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
      Image(rest, data[0] / 3 % 3);
      break;
    default:
      Sidecar(rest);
  }
  return 0;
}
