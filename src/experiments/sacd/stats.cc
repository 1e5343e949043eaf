#include "experiments/sacd/stats.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <random>

#include "core/statistics.h"
#include "experiments/dsc/results.h"

namespace cleave::experiments::sacd {
namespace {

constexpr double kTail = 0.025;

double MeanOf(const Unit& total) { return total.count > 0 ? total.sum / total.count : 0; }

void Add(const Unit& unit, Unit& total) {
  total.sum += unit.sum;
  total.count += unit.count;
}

Unit Total(std::span<const Unit> units, std::span<const std::size_t> drawn) {
  Unit total;
  for (const std::size_t i : drawn) Add(units[i], total);
  return total;
}

std::vector<std::size_t> All(std::size_t n) {
  std::vector<std::size_t> all(n);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

// Draws by hand, since std::uniform_int_distribution differs between libraries.
std::vector<std::size_t> Draw(std::size_t n, std::mt19937_64& random) {
  std::vector<std::size_t> drawn(n);
  for (std::size_t& each : drawn) each = static_cast<std::size_t>(random() % n);
  return drawn;
}

Interval Percentiles(double mean, const std::vector<double>& replicates) {
  return {mean, Quantile(replicates, kTail), Quantile(replicates, 1 - kTail)};
}

double Normalized(double value, double low, double high) {
  return high == low ? 0 : (value - low) / (high - low);
}

using Drawn = std::span<const std::size_t>;

// `statistic` of drawn files and courses.
Interval Bootstrap(std::size_t files, std::size_t courses, std::uint64_t seed, int rounds,
                   const std::function<double(Drawn files, Drawn courses)>& statistic) {
  if (files == 0 || courses == 0) return {};
  std::mt19937_64 random(seed);
  std::vector<double> replicates;
  for (int round = 0; round < rounds; ++round) {
    const std::vector<std::size_t> drawn_courses = Draw(courses, random);
    const std::vector<std::size_t> drawn_files = files > 1 ? Draw(files, random) : All(1);
    replicates.push_back(statistic(drawn_files, drawn_courses));
  }
  return Percentiles(statistic(All(files), All(courses)), replicates);
}

std::size_t Fewest(const std::vector<std::vector<Unit>>& files) {
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  for (const auto& file : files) fewest = std::min(fewest, file.size());
  return files.empty() ? 0 : fewest;
}

double MeanOfFiles(const std::vector<std::vector<Unit>>& files, Drawn drawn, Drawn courses) {
  Unit total;
  for (const std::size_t file : drawn) Add(Total(files[file], courses), total);
  return MeanOf(total);
}

std::vector<double> Ranks(std::span<const double> values) {
  std::vector<std::size_t> order = All(values.size());
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (std::size_t j = i; j < end; ++j) {
      ranks[order[j]] = static_cast<double>(i + end - 1) / 2;
    }
    i = end;
  }
  return ranks;
}

}  // namespace

double MeanOf(std::span<const Unit> units) { return MeanOf(Total(units, All(units.size()))); }

bool Overlap(const Interval& a, const Interval& b) { return a.low <= b.high && b.low <= a.high; }

Interval BootstrapTable(const std::vector<std::vector<Unit>>& files, std::uint64_t seed,
                        int rounds) {
  return Bootstrap(files.size(), Fewest(files), seed, rounds,
                   [&](Drawn drawn, Drawn courses) { return MeanOfFiles(files, drawn, courses); });
}

Interval BootstrapNormalizedTable(const std::vector<std::vector<Unit>>& files,
                                  std::span<const Unit> low, std::span<const Unit> high,
                                  std::uint64_t seed, int rounds) {
  const std::size_t courses = std::min({Fewest(files), low.size(), high.size()});
  return Bootstrap(files.size(), courses, seed, rounds, [&](Drawn drawn, Drawn chosen) {
    return Normalized(MeanOfFiles(files, drawn, chosen), MeanOf(Total(low, chosen)),
                      MeanOf(Total(high, chosen)));
  });
}

double Spearman(std::span<const double> a, std::span<const double> b) {
  return a.size() < 2 ? 0 : Correlation(Ranks(a), Ranks(b));
}

}  // namespace cleave::experiments::sacd
