#include "learn/normalizer.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "core/statistics.h"

namespace cleave {
namespace {

// Features are of moderate size, so a smaller deviation than this is one that does not move.
constexpr double kLeastDeviation = 1e-4;

// Mean and variance in one pass, after Welford.
class Moments {
 public:
  explicit Moments(std::size_t width) : mean_(width), squares_(width) {}

  void Add(std::span<const float> row) {
    ++count_;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const double before = row[i] - mean_[i];
      mean_[i] += before / count_;
      squares_[i] += before * (row[i] - mean_[i]);
    }
  }

  std::vector<float> Mean() const { return {mean_.begin(), mean_.end()}; }
  std::vector<float> Scale() const {
    std::vector<float> scale;
    for (const double square : squares_) {
      const double deviation = std::sqrt(square / std::max(count_, 1.0));
      scale.push_back(deviation < kLeastDeviation ? 1 : static_cast<float>(1 / deviation));
    }
    return scale;
  }

 private:
  double count_ = 0;
  std::vector<double> mean_, squares_;
};

}  // namespace

Normalization Normalization::Identity(const DecisionShape& shape) {
  return {std::vector<float>(shape.state, 0), std::vector<float>(shape.state, 1),
          std::vector<float>(shape.plan, 0), std::vector<float>(shape.plan, 1)};
}

Normalization Normalization::Of(const ReplayBuffer& seen) {
  const DecisionShape& shape = seen.shape();
  Moments states(shape.state);
  Moments plans(shape.plan);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    states.Add(seen.state(i));
    for (std::size_t plan = 0; plan < shape.plans; ++plan) {
      if (seen.valid(i)[plan] == 0) continue;
      plans.Add(seen.plans(i).subspan(plan * shape.plan, shape.plan));
    }
  }
  return {states.Mean(), states.Scale(), plans.Mean(), plans.Scale()};
}

std::vector<float> StateQuantile(const ReplayBuffer& seen, double share) {
  std::vector<float> quantile;
  std::vector<double> column(seen.size());
  for (std::size_t feature = 0; feature < seen.shape().state; ++feature) {
    for (std::size_t i = 0; i < seen.size(); ++i) column[i] = seen.state(i)[feature];
    quantile.push_back(static_cast<float>(NearestRankQuantile(column, share)));
  }
  return quantile;
}

}  // namespace cleave
