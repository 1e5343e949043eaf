#ifndef CLEAVE_DETECT_SUPPRESS_H_
#define CLEAVE_DETECT_SUPPRESS_H_

#include <cstddef>
#include <vector>

#include "detect/detection.h"
#include "detect/detection_head.h"

namespace cleave {

// The area of a box, and the one that two boxes share, in squared units of their edges. REQUIRES:
// the edges are finite and in order.
double Area(const Box& box);
double Intersection(const Box& a, const Box& b);

// The area that two boxes share, as a share of the area that they cover together: 0 to 1.
// REQUIRES: the edges are finite and in order, and one of the areas is above 0.
double IntersectionOverUnion(const Box& a, const Box& b);

// Greedy non-maximum suppression: keeps a detection unless one before it, which was kept and is of
// the same class, overlaps it by more than `iou_threshold`; none gives way with kNone. Returns the
// first `most` that are kept, in their order. REQUIRES: `sorted` comes by descending score. It
// costs at most sorted.size() x most overlaps. Thread-safe.
std::vector<Detection> Suppress(const std::vector<Detection>& sorted,
                                DetectionHead::Suppression how, double iou_threshold,
                                std::size_t most);

}  // namespace cleave

#endif  // CLEAVE_DETECT_SUPPRESS_H_
