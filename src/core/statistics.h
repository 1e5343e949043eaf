#ifndef CLEAVE_CORE_STATISTICS_H_
#define CLEAVE_CORE_STATISTICS_H_

#include <cstdint>
#include <vector>

namespace cleave {

// The statistics of this project. All are thread-safe, and none accepts NaN among its values.

// Returns the arithmetic mean; 0 for no values.
double Mean(const std::vector<double>& values);

// Returns the middle value, or the mean of the two middle ones; 0 for no values.
double Median(std::vector<double> values);

// Returns the quantile q in [0, 1], linear between neighbours: type 7 of Hyndman and Fan, "Sample
// Quantiles in Statistical Packages" (1996), which is the default of NumPy and R. 0 for no values.
double Quantile(std::vector<double> values, double q);

// Returns the quantile q in [0, 1] as one of the values: the one whose rank is nearest to that of
// Quantile. 0 for no values.
double NearestRankQuantile(std::vector<double> values, double q);

// Returns the standard error of the mean. REQUIRES: at least two values.
double StandardError(const std::vector<double>& values);

// Returns Pearson's correlation coefficient; 0 where a side does not vary. REQUIRES: as many values
// on both sides, at least one.
double Correlation(const std::vector<double>& a, const std::vector<double>& b);

struct Bounds {
  double low = 0;
  double high = 0;
};

// Returns the exact interval of a binomial share (Clopper and Pearson 1934), in which the true
// share lies with probability `confidence` at least. REQUIRES: 0 <= successes <= trials, trials >=
// 1, 0 < confidence < 1.
Bounds ClopperPearson(std::int64_t successes, std::int64_t trials, double confidence);

}  // namespace cleave

#endif  // CLEAVE_CORE_STATISTICS_H_
