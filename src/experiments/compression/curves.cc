#include "experiments/compression/curves.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>

namespace cleave::experiments::compression {
namespace {

constexpr int kRounds = 200;
constexpr int kSteps = 400;

struct Point {
  double x = 0;  // ln distortion.
  double y = 0;  // ln bytes.
};

double MeanOf(const std::vector<double>& values, const std::vector<int>& times) {
  double sum = 0;
  double count = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double weight = times.empty() ? 1 : times[i];
    sum += weight * values[i];
    count += weight;
  }
  return sum / count;
}

// Ascending in x, and y falls: a quality that another beats in both is left out.
std::vector<Point> PointsOf(const Curve& curve, const std::vector<int>& times) {
  std::vector<Point> points;
  for (const Costs& costs : curve) {
    const double distortion = MeanOf(costs.distortion, times);
    const double bytes = MeanOf(costs.bytes, times);
    if (distortion > 0 && bytes > 0) points.push_back({std::log(distortion), std::log(bytes)});
  }
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
  std::vector<Point> falling;
  for (const Point& point : points) {
    if (falling.empty() || point.y < falling.back().y) falling.push_back(point);
  }
  return falling;
}

double At(const std::vector<Point>& points, double x) {
  const auto after = std::lower_bound(points.begin(), points.end(), x,
                                      [](const Point& point, double at) { return point.x < at; });
  if (after == points.begin()) return points.front().y;
  if (after == points.end()) return points.back().y;
  const Point& a = *(after - 1);
  const Point& b = *after;
  return a.y + (b.y - a.y) * (x - a.x) / (b.x - a.x);
}

}  // namespace

std::optional<double> MeanRatio(const Curve& of, const Curve& to, const std::vector<int>& times) {
  const std::vector<Point> a = PointsOf(of, times);
  const std::vector<Point> b = PointsOf(to, times);
  if (a.size() < 2 || b.size() < 2) return std::nullopt;
  const double low = std::max(a.front().x, b.front().x);
  const double high = std::min(a.back().x, b.back().x);
  if (!(low < high)) return std::nullopt;
  double sum = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double x = low + (high - low) * (i + 0.5) / kSteps;
    sum += At(a, x) - At(b, x);
  }
  return std::exp(sum / kSteps);
}

std::optional<RatioInterval> RatioIntervalOf(const Curve& of, const Curve& to, std::uint64_t seed) {
  if (of.empty() || of.front().bytes.empty()) return std::nullopt;
  const std::size_t samples = of.front().bytes.size();
  std::mt19937_64 random(seed);
  std::vector<double> ratios;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<int> times(samples, 0);
    for (std::size_t i = 0; i < samples; ++i) ++times[random() % samples];
    if (const auto ratio = MeanRatio(of, to, times)) ratios.push_back(*ratio);
  }
  if (ratios.size() < kRounds / 2) return std::nullopt;
  std::sort(ratios.begin(), ratios.end());
  const auto at = [&](double share) {
    return ratios[static_cast<std::size_t>(share * static_cast<double>(ratios.size() - 1))];
  };
  return RatioInterval{at(0.025), at(0.975)};
}

}  // namespace cleave::experiments::compression
