#include "learn/bottleneck_curve.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace cleave {
namespace {

constexpr double kBitsPerByte = 8;
constexpr double kLeastChange = 1e-3;

double Between(double a, double b, double share) {
  return std::exp(std::log(a) + (std::log(b) - std::log(a)) * share);
}

}  // namespace

RateCurve::RateCurve(std::vector<RatePoint> points) : points_(std::move(points)) {
  for (std::size_t i = 1; i < points_.size(); ++i) {
    const RatePoint& finer = points_[i - 1];
    points_[i].distortion = std::max(points_[i].distortion, finer.distortion * (1 + kLeastChange));
    points_[i].bytes = std::min(points_[i].bytes, finer.bytes / (1 + kLeastChange));
  }
}

RatePoint RateCurve::At(double rate) const {
  std::size_t i = 0;
  while (i + 2 < points_.size() && points_[i + 1].rate < rate) ++i;
  const RatePoint& a = points_[i];
  const RatePoint& b = points_[i + 1];
  const double share = (rate - a.rate) / (b.rate - a.rate);
  return {rate, Between(a.distortion, b.distortion, share), Between(a.bytes, b.bytes, share)};
}

double RateCurve::BytesFor(double distortion) const {
  std::size_t i = 0;
  while (i + 2 < points_.size() && points_[i + 1].distortion < distortion) ++i;
  const RatePoint& a = points_[i];
  const RatePoint& b = points_[i + 1];
  const double width = std::log(b.distortion / a.distortion);
  return Between(a.bytes, b.bytes, std::log(distortion / a.distortion) / width);
}

double RateCurve::Lambda(double rate) const {
  const double low = std::max(points_.front().rate, rate - 1);
  const double high = std::min(points_.back().rate, rate + 1);
  const RatePoint a = At(low);
  const RatePoint b = At(high);
  const RatePoint here = At(rate);
  const double slope = std::log(b.distortion / a.distortion) / std::log(a.bytes / b.bytes);
  return slope * here.distortion / (kBitsPerByte * here.bytes);
}

double MeanShare(const std::vector<RatePoint>& points, const RateCurve& curve) {
  double sum = 0;
  for (const RatePoint& point : points) {
    sum += std::log(point.bytes / curve.BytesFor(point.distortion));
  }
  return std::exp(sum / static_cast<double>(points.size()));
}

}  // namespace cleave
