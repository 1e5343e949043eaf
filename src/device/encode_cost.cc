#include "device/encode_cost.h"

#include <algorithm>

namespace cleave {
namespace {

constexpr double kGain = 0.1;
constexpr double kLeastUsPerByte = 1e-6;
constexpr double kTellingBytes = 1024;
constexpr double kStaleRatio = 1.25;

double Blend(double known, double seen) { return (1 - kGain) * known + kGain * seen; }

bool Differs(double a, double b) { return a > kStaleRatio * b || b > kStaleRatio * a; }

}  // namespace

void EncodeCost::Learn(Encoding encoding, double raw_bytes, double took_us, double slowdown) {
  if (raw_bytes < kTellingBytes) return;
  double& cost = us_per_byte_[Index(encoding)];
  cost = std::max(kLeastUsPerByte, Blend(cost, took_us / raw_bytes / slowdown));
}

void EncodeCost::LearnPicture(double took_us, double slowdown) {
  const double seen_us = took_us / slowdown;
  picture_us_ = picture_us_ <= 0 ? seen_us : Blend(picture_us_, seen_us);
}

bool EncodeCost::DiffersFrom(const EncodeCost& older) const {
  if (Differs(picture_us_, older.picture_us_)) return true;
  return !std::equal(us_per_byte_.begin(), us_per_byte_.end(), older.us_per_byte_.begin(),
                     [](double a, double b) { return !Differs(a, b); });
}

}  // namespace cleave
