// Any message of a detector's client is refused, or means a picture of exactly its bytes. The first
// byte says how many bytes the header has; what follows it is the tensor.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "recorder/frigate.h"
#include "recorder/vision_api.h"

namespace {

using cleave::recorder::FrameRequest;
using cleave::recorder::FrigateRequest;
using cleave::recorder::PixelOrder;

void Check(std::span<const absl::string_view> frames, PixelOrder order) {
  const auto request = cleave::recorder::ParseFrigateRequest(frames, order);
  if (!request.ok()) return;
  const auto* const frame = std::get_if<FrameRequest>(&*request);
  if (frame == nullptr) return;
  const std::size_t values = frame->picture.rgb.size();
  const bool sound = values == static_cast<std::size_t>(frame->picture.size.pixels()) * 3 &&
                     values > 0 &&
                     (frames[1].size() == values || frames[1].size() == values * sizeof(float));
  if (!sound) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t header = std::min<std::size_t>(data[0], rest.size());
  const std::array<absl::string_view, 2> frames = {rest.substr(0, header), rest.substr(header)};
  for (const PixelOrder order : {PixelOrder::kRgb, PixelOrder::kBgr}) {
    Check(frames, order);
    Check({frames.data(), 1}, order);
  }
  const auto least = cleave::recorder::ParseMinConfidence(std::string(rest));
  if (least.ok() && !(*least >= 0 && *least <= 1)) std::abort();
  return 0;
}
