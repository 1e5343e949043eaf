#include "detect/average_precision.h"

#include <algorithm>
#include <random>

#include "core/statistics.h"
#include "detect/suppress.h"

namespace cleave {
namespace {

constexpr std::size_t kMostOfPictureAndClass = 100;
constexpr int kRecalls = 101;

// The values of NumPy's linspace, to the last bit.
double Linspace(double first, double last, int count, int i) {
  if (i == count - 1) return last;
  return first + static_cast<double>(i) * ((last - first) / static_cast<double>(count - 1));
}

// Over the union; over the detection alone where the truth is a crowd.
double Overlap(const Box& found, const TrueBox& truth) {
  if (!truth.crowd) return IntersectionOverUnion(found, truth.box);
  const double shared = Intersection(found, truth.box);
  return shared > 0 ? shared / Area(found) : 0;
}

}  // namespace

void AveragePrecision::Add(const std::vector<Detection>& found, const std::vector<TrueBox>& truth) {
  std::map<int, std::pair<std::vector<Detection>, std::vector<TrueBox>>> by_class;
  for (const Detection& each : found) by_class[each.class_index].first.push_back(each);
  for (const TrueBox& each : truth) by_class[each.class_index].second.push_back(each);
  for (auto& [class_index, boxes] : by_class) {
    auto& [detections, true_boxes] = boxes;
    std::stable_sort(detections.begin(), detections.end(),
                     [](const Detection& a, const Detection& b) { return a.score > b.score; });
    std::stable_partition(true_boxes.begin(), true_boxes.end(),
                          [](const TrueBox& each) { return !each.crowd; });
    Class& one = classes_[class_index];
    const std::size_t most = std::min(detections.size(), kMostOfPictureAndClass);
    const std::vector<Scored> scored =
        Match(std::span(detections).first(most), true_boxes, pictures_);
    one.found.insert(one.found.end(), scored.begin(), scored.end());
    const auto count = std::count_if(true_boxes.begin(), true_boxes.end(),
                                     [](const TrueBox& each) { return !each.crowd; });
    if (count > 0) one.true_boxes[pictures_] = static_cast<int>(count);
  }
  ++pictures_;
}

std::vector<AveragePrecision::Scored> AveragePrecision::Match(std::span<const Detection> found,
                                                              const std::vector<TrueBox>& truth,
                                                              std::uint32_t picture) {
  std::vector<Scored> scored(found.size());
  std::vector<double> overlaps;
  overlaps.reserve(found.size() * truth.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    scored[i].score = found[i].score;
    scored[i].picture = picture;
    for (const TrueBox& each : truth) overlaps.push_back(Overlap(found[i].box, each));
  }
  for (std::size_t threshold = 0; threshold < kThresholds; ++threshold) {
    const double least = Linspace(0.5, 0.95, kThresholds, static_cast<int>(threshold));
    std::vector<bool> taken(truth.size(), false);
    for (std::size_t i = 0; i < found.size(); ++i) {
      double best = std::min(least, 1 - 1e-10);
      std::optional<std::size_t> match;
      for (std::size_t j = 0; j < truth.size(); ++j) {
        if (taken[j] && !truth[j].crowd) continue;
        if (match && !truth[*match].crowd && truth[j].crowd) break;
        const double overlap = overlaps[i * truth.size() + j];
        if (overlap < best) continue;
        best = overlap;
        match = j;
      }
      if (!match) continue;
      taken[*match] = true;
      scored[i].outcomes[threshold] = truth[*match].crowd ? Outcome::kIgnored : Outcome::kRight;
    }
  }
  return scored;
}

std::vector<AveragePrecision::Class> AveragePrecision::Ranked() const {
  std::vector<Class> ranked;
  for (const auto& [class_index, one] : classes_) {
    if (one.true_boxes.empty()) continue;
    ranked.push_back(one);
    std::stable_sort(ranked.back().found.begin(), ranked.back().found.end(),
                     [](const Scored& a, const Scored& b) { return a.score > b.score; });
  }
  return ranked;
}

// A picture that is drawn several times adds its detections at once; the precisions between them
// are below the interpolated one, so that the result is that of adding them one by one.
double AveragePrecision::Precision(const Class& one, std::size_t threshold, double true_boxes,
                                   std::span<const int> times) {
  std::vector<double> recalls;
  std::vector<double> precisions;
  double right = 0;
  double wrong = 0;
  for (const Scored& each : one.found) {
    if (times[each.picture] == 0) continue;
    if (each.outcomes[threshold] == Outcome::kRight) right += times[each.picture];
    if (each.outcomes[threshold] == Outcome::kWrong) wrong += times[each.picture];
    recalls.push_back(right / true_boxes);
    precisions.push_back(right > 0 ? right / (right + wrong) : 0);
  }
  for (std::size_t i = precisions.size(); i > 1; --i) {
    precisions[i - 2] = std::max(precisions[i - 2], precisions[i - 1]);
  }
  double sum = 0;
  std::size_t at = 0;
  for (int i = 0; i < kRecalls; ++i) {
    const double recall = Linspace(0, 1, kRecalls, i);
    while (at < recalls.size() && recalls[at] < recall) ++at;
    if (at == recalls.size()) break;
    sum += precisions[at];
  }
  return sum / kRecalls;
}

std::optional<MeanPrecision> AveragePrecision::MeanOf(std::span<const Class> ranked,
                                                      std::span<const int> times) {
  MeanPrecision mean;
  int classes = 0;
  for (const Class& one : ranked) {
    double true_boxes = 0;
    for (const auto& [picture, count] : one.true_boxes) {
      true_boxes += static_cast<double>(times[picture]) * count;
    }
    if (true_boxes <= 0) continue;
    ++classes;
    for (std::size_t threshold = 0; threshold < kThresholds; ++threshold) {
      const double precision = Precision(one, threshold, true_boxes, times);
      if (threshold == 0) mean.at_50 += precision;
      mean.at_50_to_95 += precision;
    }
  }
  if (classes == 0) return std::nullopt;
  mean.at_50 /= classes;
  mean.at_50_to_95 /= static_cast<double>(kThresholds) * classes;
  return mean;
}

std::optional<MeanPrecision> AveragePrecision::Mean() const {
  const std::vector<int> once(pictures_, 1);
  return MeanOf(Ranked(), once);
}

std::optional<AveragePrecision::Interval> AveragePrecision::Bootstrap(int rounds,
                                                                      std::uint64_t seed) const {
  const std::vector<Class> ranked = Ranked();
  const std::vector<int> once(pictures_, 1);
  const std::optional<MeanPrecision> whole = MeanOf(ranked, once);
  if (!whole) return std::nullopt;
  std::mt19937_64 random(seed);
  std::vector<double> means;
  while (means.size() < static_cast<std::size_t>(rounds)) {
    std::vector<int> times(pictures_, 0);
    for (std::uint32_t i = 0; i < pictures_; ++i) ++times[random() % pictures_];
    // A sample without a true box says nothing.
    const std::optional<MeanPrecision> mean = MeanOf(ranked, times);
    if (mean) means.push_back(mean->at_50_to_95);
  }
  return Interval{std::min(whole->at_50_to_95, NearestRankQuantile(means, 0.025)),
                  std::max(whole->at_50_to_95, NearestRankQuantile(means, 0.975))};
}

}  // namespace cleave
