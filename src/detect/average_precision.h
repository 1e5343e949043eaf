#ifndef CLEAVE_DETECT_AVERAGE_PRECISION_H_
#define CLEAVE_DETECT_AVERAGE_PRECISION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "detect/detection.h"

namespace cleave {

// An object that is in a picture.
struct TrueBox {
  Box box;  // In the upright picture.
  int class_index = 0;
  // One box around many objects of the class: what is found in it counts neither for nor against
  // the detector.
  bool crowd = false;
};

// Mean average precision, 0 to 1: the mean over all classes that have a true box.
struct MeanPrecision {
  double at_50 = 0;        // A box is found from an intersection over union of 0.5 on.
  double at_50_to_95 = 0;  // The mean over 0.5, 0.55 ... 0.95.
};

// Compares detections with what is there, by COCO's definition as pycocotools computes it: the 100
// highest scores of a picture and class count; each takes the free true box that it overlaps most,
// highest score first; precision is interpolated at 101 recalls. Thread-compatible.
class AveragePrecision {
 public:
  // Adds one picture.
  void Add(const std::vector<Detection>& found, const std::vector<TrueBox>& truth);

  // Computes the mean of all pictures so far; nothing where no true box is in any of them. Of equal
  // scores those of earlier pictures come first.
  std::optional<MeanPrecision> Mean() const;

  // Computes the bounds of a 95% interval of MeanPrecision::at_50_to_95 by `rounds` bootstrap
  // samples of the pictures (percentiles, stretched to hold the mean); nothing where Mean has
  // nothing. The same seed gives the same interval on every machine. REQUIRES: rounds >= 40.
  struct Interval {
    double low = 0;
    double high = 1;
  };
  std::optional<Interval> Bootstrap(int rounds, std::uint64_t seed) const;

 private:
  static constexpr std::size_t kThresholds = 10;

  enum class Outcome : std::uint8_t { kWrong, kRight, kIgnored };
  struct Scored {
    double score = 0;
    std::uint32_t picture = 0;
    std::array<Outcome, kThresholds> outcomes{};  // By threshold.
  };
  struct Class {
    std::vector<Scored> found;                // In the order of pictures, then of scores.
    std::map<std::uint32_t, int> true_boxes;  // By picture; crowds are none.
  };

  static std::vector<Scored> Match(std::span<const Detection> found,
                                   const std::vector<TrueBox>& truth, std::uint32_t picture);
  static double Precision(const Class& one, std::size_t threshold, double true_boxes,
                          std::span<const int> times);
  // Every class's detections, highest score first.
  std::vector<Class> Ranked() const;
  static std::optional<MeanPrecision> MeanOf(std::span<const Class> ranked,
                                             std::span<const int> times);

  std::uint32_t pictures_ = 0;
  std::map<int, Class> classes_;
};

}  // namespace cleave

#endif  // CLEAVE_DETECT_AVERAGE_PRECISION_H_
