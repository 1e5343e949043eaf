#ifndef CLEAVE_EXPERIMENTS_SACD_STATS_H_
#define CLEAVE_EXPERIMENTS_SACD_STATS_H_

#include <cstdint>
#include <span>
#include <vector>

namespace cleave::experiments::sacd {

// A figure with its 95% interval.
struct Interval {
  double mean = 0;
  double low = 0;
  double high = 0;
};

// Returns whether the intervals have a value in common.
bool Overlap(const Interval& a, const Interval& b);

// Quantities whose units (blocks, courses) were drawn together; the sums of one unit.
struct Unit {
  double sum = 0;
  double count = 0;
};

// Returns the mean over all that the units hold; 0 where they hold nothing.
double MeanOf(std::span<const Unit> units);

// Returns the mean over a table of files x courses, with the percentile interval of `rounds`
// bootstrap samples that draw files and, within all of them, the same courses; drawing whole units
// lets neighbours within a unit depend on each other. With one file, courses alone are drawn. Equal
// seeds draw the same. Courses of unlike number are cut to the fewest. Without units all is 0; with
// one, the interval is the mean alone.
Interval BootstrapTable(const std::vector<std::vector<Unit>>& files, std::uint64_t seed,
                        int rounds = 2000);

// Returns the same of (reward - low) / (high - low), where rows `low` and `high` were measured in
// the same courses: unit i of each belongs together and is drawn together. 0 where low and high do
// not differ.
Interval BootstrapNormalizedTable(const std::vector<std::vector<Unit>>& files,
                                  std::span<const Unit> low, std::span<const Unit> high,
                                  std::uint64_t seed, int rounds = 2000);

// Returns Spearman's rank correlation, equal values sharing their mean rank; 0 for fewer than two
// values or where one side does not vary. REQUIRES: as many of each.
double Spearman(std::span<const double> a, std::span<const double> b);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_STATS_H_
