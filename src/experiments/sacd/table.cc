#include "experiments/sacd/table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/reliability.h"
#include "core/statistics.h"

namespace cleave::experiments::sacd {
namespace {

using Units = std::vector<Unit>;
using Figure = std::function<double(const Step&)>;

std::vector<Units> UnitsOf(const Played& played, const Figure& figure) {
  std::vector<Units> files;
  for (const std::vector<Step>& steps : played.steps) {
    Units units;
    for (const Step& step : steps) {
      const auto unit = static_cast<std::size_t>(std::max(0, step.unit));
      if (units.size() <= unit) units.resize(unit + 1);
      units[unit].sum += figure(step);
      units[unit].count += 1;
    }
    files.push_back(std::move(units));
  }
  return files;
}

double RewardOf(const Step& step) { return step.reward; }

Units RewardUnits(const std::vector<Played>& all, const char* policy) {
  for (const Played& played : all) {
    if (played.policy == policy && !played.steps.empty()) return UnitsOf(played, RewardOf).front();
  }
  return {};
}

void Count(const Played& played, Row& row) {
  std::vector<double> latencies_us;
  double expected = 0;
  double guarded = 0;
  for (const std::vector<Step>& steps : played.steps) {
    for (const Step& step : steps) {
      latencies_us.push_back(step.latency_us);
      row.misses += step.missed() ? 1 : 0;
      row.fallbacks += step.fallback.empty() ? 0 : 1;
      row.hedges += step.hedged ? 1 : 0;
      row.hedges_won += step.hedge_won ? 1 : 0;
      expected += step.expected_accuracy;
      guarded += step.guarded() ? 1 : 0;
    }
  }
  row.inferences = static_cast<std::int64_t>(latencies_us.size());
  if (row.inferences == 0) return;
  row.expected_accuracy = expected / static_cast<double>(row.inferences);
  row.guarded_share = guarded / static_cast<double>(row.inferences);
  row.p50_us = Quantile(latencies_us, 0.5);
  row.p95_us = Quantile(latencies_us, 0.95);
  row.p99_us = Quantile(std::move(latencies_us), 0.99);
}

Interval InTime(const Row& row) {
  if (row.inferences == 0) return {0, 0, 1};
  const app::Reliability share = app::ReliabilityOf(row.inferences - row.misses, row.inferences);
  return {share.share, share.low, share.high};
}

constexpr std::array kChances = {0.0, 0.001, 0.01, 0.03, 0.1, 0.3, 1.0};

std::vector<ChanceBin> ChancesOf(const Played& played) {
  std::vector<ChanceBin> bins;
  for (std::size_t i = 0; i + 1 < kChances.size(); ++i) {
    ChanceBin bin{.low = kChances[i], .high = kChances[i + 1]};
    std::int64_t missed = 0;
    for (const std::vector<Step>& steps : played.steps) {
      for (const Step& step : steps) {
        const bool last = i + 2 == kChances.size();
        if (!step.miss_chance || *step.miss_chance < bin.low) continue;
        if (*step.miss_chance >= bin.high && !last) continue;
        ++bin.inferences;
        missed += step.missed() ? 1 : 0;
        bin.predicted += (*step.miss_chance - bin.predicted) / static_cast<double>(bin.inferences);
      }
    }
    if (bin.inferences == 0) continue;
    const app::Reliability share = app::ReliabilityOf(missed, bin.inferences);
    bin.missed = {share.share, share.low, share.high};
    bins.push_back(bin);
  }
  return bins;
}

Row MakeRow(const Played& played, const Units& low, const Units& high, std::uint64_t seed) {
  Row row{.policy = played.policy, .files = played.files};
  Count(played, row);
  const std::vector<Units> rewards = UnitsOf(played, RewardOf);
  const auto mean = [&](const Figure& figure) {
    return BootstrapTable(UnitsOf(played, figure), seed);
  };
  row.reward = BootstrapTable(rewards, seed);
  row.normalized = BootstrapNormalizedTable(rewards, low, high, seed);
  row.latency_us = mean([](const Step& step) { return step.latency_us; });
  row.accuracy = mean([](const Step& step) { return step.accuracy; });
  row.timely_accuracy = mean([](const Step& step) { return step.missed() ? 0 : step.accuracy; });
  row.bytes_up = mean([](const Step& step) { return step.bytes_up; });
  row.miss_share = mean([](const Step& step) { return step.missed() ? 1.0 : 0.0; });
  row.reliability = InTime(row);
  row.chances = ChancesOf(played);
  if (!played.files.empty()) {
    for (const Units& units : rewards) row.rewards_by_file.push_back(MeanOf(units));
  }
  return row;
}

// Octaves; what has no rate is in none.
int BinOf(double bps) { return static_cast<int>(std::floor(std::log2(bps))); }

std::vector<std::string> Order(std::vector<Row> rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.reward.mean > b.reward.mean; });
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (const Row& row : rows) names.push_back(row.policy);
  return names;
}

}  // namespace

std::vector<Row> MakeRows(const std::vector<Played>& played, std::uint64_t seed) {
  const Units low = RewardUnits(played, kRandom);
  const Units high = RewardUnits(played, kOracle);
  std::vector<Row> rows;
  rows.reserve(played.size());
  for (const Played& each : played) rows.push_back(MakeRow(each, low, high, seed));
  return rows;
}

Mix MixOf(const std::string& policy, const std::vector<std::vector<Step>>& files) {
  std::map<int, MixBin> bins;
  for (const std::vector<Step>& steps : files) {
    for (const Step& step : steps) {
      if (!(step.up_bps > 0)) continue;
      const int octave = BinOf(step.up_bps);
      MixBin& bin = bins[octave];
      bin.low_bps = std::ldexp(1, octave);
      bin.high_bps = std::ldexp(1, octave + 1);
      ++bin.inferences;
      ++bin.where[std::string(WhereName(step.where))];
      ++bin.plans[absl::StrCat(step.cut, "/", EncodingName(step.encoding), "/", step.exit)];
    }
  }
  Mix mix{.policy = policy};
  for (auto& [octave, bin] : bins) mix.bins.push_back(std::move(bin));
  return mix;
}

Replay ReplayOf(const std::vector<Step>& steps) {
  std::vector<double> errors;
  std::vector<double> ratios;
  for (const Step& step : steps) {
    if (step.replayed_us <= 0 || step.latency_us <= 0 || !step.fallback.empty()) continue;
    if (step.hedge_won) continue;
    const double ratio = step.replayed_us / step.latency_us;
    ratios.push_back(ratio);
    errors.push_back(std::abs(ratio - 1));
  }
  Replay replay{.inferences = static_cast<std::int64_t>(errors.size())};
  if (errors.empty()) return replay;
  replay.median_error = Median(errors);
  replay.p90_error = Quantile(std::move(errors), 0.9);
  replay.bias = Median(std::move(ratios));
  return replay;
}

Ranking Rank(const std::vector<Row>& simulated, const std::vector<Row>& real) {
  std::vector<Row> in_simulation;
  std::vector<Row> in_reality;
  std::vector<double> a;
  std::vector<double> b;
  for (const Row& row : simulated) {
    const Row* const other = Results::Find(real, row.policy);
    if (other == nullptr) continue;
    in_simulation.push_back(row);
    in_reality.push_back(*other);
    a.push_back(row.reward.mean);
    b.push_back(other->reward.mean);
  }
  return {Order(std::move(in_simulation)), Order(std::move(in_reality)), Spearman(a, b)};
}

}  // namespace cleave::experiments::sacd
