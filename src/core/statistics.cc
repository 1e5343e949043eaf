#include "core/statistics.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/statistics/bivariate_statistics.hpp>
#include <boost/math/statistics/univariate_statistics.hpp>
#include <cmath>
#include <cstddef>
#include <functional>

namespace cleave {

namespace statistics = boost::math::statistics;

double Mean(const std::vector<double>& values) {
  return values.empty() ? 0 : statistics::mean(values);
}

double Median(std::vector<double> values) {
  return values.empty() ? 0 : statistics::median(values);
}

// Boost.Math 1.74 has the quartiles' distance, but no quantiles.
double Quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = values.begin() + static_cast<std::ptrdiff_t>(place);
  std::nth_element(values.begin(), below, values.end());
  const double share = place - std::floor(place);
  if (share == 0) return *below;
  return *below + share * (*std::min_element(below + 1, values.end()) - *below);
}

double NearestRankQuantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  const auto at = values.begin() + std::lround(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double StandardError(const std::vector<double>& values) {
  return std::sqrt(statistics::sample_variance(values) / static_cast<double>(values.size()));
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto varies = [](const std::vector<double>& values) {
    return std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) != values.end();
  };
  return varies(a) && varies(b) ? statistics::correlation_coefficient(a, b) : 0;
}

Bounds ClopperPearson(std::int64_t successes, std::int64_t trials, double confidence) {
  using Binomial = boost::math::binomial_distribution<double>;
  const auto n = static_cast<double>(trials);
  const auto k = static_cast<double>(successes);
  const double tail = (1 - confidence) / 2;
  return {Binomial::find_lower_bound_on_p(n, k, tail), Binomial::find_upper_bound_on_p(n, k, tail)};
}

}  // namespace cleave
