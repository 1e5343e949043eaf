#include "detect/suppress.h"

#include <algorithm>

namespace cleave {

double Area(const Box& box) { return (box.x1 - box.x0) * (box.y1 - box.y0); }

double Intersection(const Box& a, const Box& b) {
  const double width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  const double height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  return width <= 0 || height <= 0 ? 0 : width * height;
}

double IntersectionOverUnion(const Box& a, const Box& b) {
  const double shared = Intersection(a, b);
  return shared > 0 ? shared / (Area(a) + Area(b) - shared) : 0;
}

std::vector<Detection> Suppress(const std::vector<Detection>& sorted,
                                DetectionHead::Suppression how, double iou_threshold,
                                std::size_t most) {
  std::vector<Detection> kept;
  for (const Detection& next : sorted) {
    if (kept.size() >= most) break;
    const bool gives_way = how == DetectionHead::Suppression::kClass &&
                           std::any_of(kept.begin(), kept.end(), [&](const Detection& better) {
                             return better.class_index == next.class_index &&
                                    IntersectionOverUnion(better.box, next.box) > iou_threshold;
                           });
    if (!gives_way) kept.push_back(next);
  }
  return kept;
}

}  // namespace cleave
