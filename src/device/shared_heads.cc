#include "device/shared_heads.h"

#include <algorithm>
#include <string>

namespace cleave {
namespace {

std::vector<std::string> TensorsAt(const Chain& chain, int boundary) {
  std::vector<std::string> names = chain.LiveTensors(boundary);
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<int> SameBoundary(const Chain& chain, int boundary, const Chain& other) {
  if (boundary == 0) return 0;
  const std::vector<std::string> names = TensorsAt(chain, boundary);
  for (int i = 1; i <= other.segments(); ++i) {
    if (TensorsAt(other, i) == names) return i;
  }
  return std::nullopt;
}

}  // namespace

SharedHeads::SharedHeads(const LocalModel& model) {
  for (const LocalExit& exit : model.exits) {
    auto& of_exit = same_.emplace_back();
    for (const LocalExit& other : model.exits) {
      auto& same = of_exit.emplace_back();
      for (int i = 0; i <= exit.chain().segments(); ++i) {
        same.push_back(SameBoundary(exit.chain(), i, other.chain()));
      }
    }
  }
}

SharedHeads::Point SharedHeads::Deepest(int exit, int boundary, int other) const {
  const std::vector<std::optional<int>>& same =
      same_[static_cast<std::size_t>(exit)][static_cast<std::size_t>(other)];
  for (int i = boundary; i > 0; --i) {
    if (const std::optional<int> at = same[static_cast<std::size_t>(i)]) return {i, *at};
  }
  return {};
}

}  // namespace cleave
