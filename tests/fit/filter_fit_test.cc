#include "fit/filter_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "codec/kernels.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;

constexpr int kChannels = 3;
constexpr int kSide = 4;
constexpr int kCells = kSide * kSide;

// Pictures in which something is where channel 0 is high and channel 1 is not; so no channel alone
// tells it. Channel 2 is noise.
std::vector<FilterSample> Samples(int count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> any(0, 1);
  std::vector<FilterSample> samples;
  for (int n = 0; n < count; ++n) {
    FilterSample sample;
    sample.group = n / 4;
    std::vector<float> cells;
    const bool full = random() % 2 == 0;
    for (int cell = 0; cell < kCells; ++cell) {
      const bool here = full && cell == n % kCells;
      const float a = here || any(random) < 0.3F ? 1 : 0;
      const float b = here ? 0 : a;
      for (const float value : {a, b, any(random), any(random), any(random), any(random)}) {
        cells.push_back(value);
      }
      sample.scores.push_back(here ? 0.9F : 0.05F);
    }
    sample.occupied = full;
    sample.cells.resize(cells.size());
    FloatsToHalves(cells.data(), cells.size(), sample.cells.data());
    samples.push_back(std::move(sample));
  }
  return samples;
}

FilterForm Form() {
  FilterForm form;
  form.side = kSide;
  form.units = 8;
  return form;
}

FilterFitOptions Options() {
  FilterFitOptions options;
  options.most_lost = 0.02;
  options.threads = 2;
  return options;
}

double Spared(const FilterThreshold& threshold) {
  return static_cast<double>(threshold.spared) / static_cast<double>(threshold.empty);
}

TEST(FilterFitTest, FindsARuleOfCellsThatNoChannelTellsAlone) {
  const auto fit = FitFilter(Samples(400, 1), {kChannels}, Form(), Options());
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_GT(Spared(fit->threshold), 0.95);
  EXPECT_LE(static_cast<double>(fit->threshold.lost),
            0.02 * static_cast<double>(fit->threshold.occupied));
  // It holds for pictures that nothing has seen.
  const NeuralFilter filter = *NeuralFilter::Create(fit->parameters);
  int wrong = 0;
  for (const FilterSample& sample : Samples(400, 2)) {
    std::vector<float> cells(sample.cells.size());
    ASSERT_TRUE(HalvesToFloats(sample.cells.data(), cells.size(), cells.data()));
    wrong += (filter.Logit(cells) >= fit->threshold.logit) != sample.occupied ? 1 : 0;
  }
  EXPECT_LT(wrong, 20);
}

TEST(FilterFitTest, IsTheSameForAnyNumberOfThreads) {
  FilterFitOptions options = Options();
  const auto two = FitFilter(Samples(200, 1), {kChannels}, Form(), options);
  options.threads = 1;
  const auto one = FitFilter(Samples(200, 1), {kChannels}, Form(), options);
  ASSERT_TRUE(one.ok() && two.ok()) << one.status() << two.status();
  EXPECT_EQ(one->logits, two->logits);
  EXPECT_EQ(one->parameters.unit_weight, two->parameters.unit_weight);
  options.seed = 2;
  const auto other = FitFilter(Samples(200, 1), {kChannels}, Form(), options);
  ASSERT_TRUE(other.ok());
  EXPECT_NE(other->parameters.unit_weight, one->parameters.unit_weight);
}

// Where what is to be told is another random number for each group, and the features name the
// group, a filter that had seen the group would tell it.
TEST(FilterFitTest, NoGroupIsMeasuredByAFilterThatKnowsIt) {
  std::vector<FilterSample> samples = Samples(400, 3);
  std::mt19937_64 random(4);
  std::vector<bool> of_group;
  for (int group = 0; group < 100; ++group) of_group.push_back(random() % 2 == 0);
  for (FilterSample& sample : samples) {
    std::mt19937_64 name(static_cast<std::uint64_t>(sample.group));
    sample.occupied = of_group[static_cast<std::size_t>(sample.group)];
    sample.scores.assign(kCells, sample.occupied ? 0.9F : 0.05F);
    std::vector<float> features;
    for (int i = 0; i < 2 * kChannels; ++i) {
      features.push_back(static_cast<float>(name() % 1000) / 1000);
    }
    for (int cell = 0; cell < kCells; ++cell) {
      FloatsToHalves(features.data(), features.size(),
                     sample.cells.data() + static_cast<std::size_t>(cell) * features.size());
    }
  }
  const auto fit = FitFilter(samples, {kChannels}, Form(), Options());
  ASSERT_TRUE(fit.ok()) << fit.status();
  double occupied = 0;
  double empty = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    (samples[i].occupied ? occupied : empty) += fit->logits[i] > 0 ? 1 : 0;
  }
  occupied /= static_cast<double>(fit->threshold.occupied);
  empty /= static_cast<double>(fit->threshold.empty);
  EXPECT_LT(std::abs(occupied - empty), 0.35);
}

TEST(FilterFitTest, NamesWhatDoesNotFit) {
  const auto error = [](std::vector<FilterSample> samples, const FilterFitOptions& options) {
    return std::string(FitFilter(samples, {kChannels}, Form(), options).status().message());
  };
  std::vector<FilterSample> samples = Samples(200, 1);
  EXPECT_EQ(error(samples, Options()), "");
  FilterFitOptions options = Options();
  options.folds = 1;
  EXPECT_THAT(error(samples, options), HasSubstr("folds: found 1"));
  options = Options();
  options.most_lost = 1;
  EXPECT_THAT(error(samples, options), HasSubstr("most_lost: found 1"));
  options.most_lost = 0.001;
  EXPECT_THAT(error(samples, options), HasSubstr("with a detection, expected at least 999"));
  std::vector<FilterSample> alike = samples;
  for (FilterSample& sample : alike) sample.group = 7;
  EXPECT_THAT(error(alike, Options()), HasSubstr("found those of 1 pictures"));
  samples.back().cells.pop_back();
  EXPECT_THAT(error(samples, Options()), HasSubstr("features of a sample"));
}

TEST(ThresholdTest, LosesAtMostTheShareThatIsAllowed) {
  std::vector<double> logits;
  std::vector<bool> occupied;
  for (int i = 0; i < 200; ++i) {
    logits.push_back(i);
    occupied.push_back(i >= 100);
  }
  // 100 occupied at 100 to 199; at 1%, k = floor(0.01 * 101) = 1: nothing below the lowest.
  auto threshold = ThresholdFor(logits, occupied, 0.01);
  ASSERT_TRUE(threshold.ok()) << threshold.status();
  EXPECT_EQ(threshold->logit, 100);
  EXPECT_EQ(threshold->lost, 0);
  EXPECT_EQ(threshold->occupied, 100);
  EXPECT_EQ(threshold->spared, 100);
  // At 5%, the fifth lowest.
  threshold = ThresholdFor(logits, occupied, 0.05);
  EXPECT_EQ(threshold->logit, 104);
  EXPECT_EQ(threshold->lost, 4);
  EXPECT_FALSE(ThresholdFor(logits, occupied, 0.009).ok());
}

// The law of split conformal prediction, over many draws.
TEST(ThresholdTest, AnotherOccupiedPictureIsLostAsSeldomAsPromised) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  int lost = 0;
  constexpr int kDraws = 4000;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<double> logits;
    for (int i = 0; i < 150; ++i) logits.push_back(normal(random));
    const auto threshold = ThresholdFor(logits, std::vector<bool>(logits.size(), true), 0.05);
    ASSERT_TRUE(threshold.ok());
    lost += normal(random) < threshold->logit ? 1 : 0;
  }
  // floor(0.05 * 151) / 151 = 4.64%, with four standard errors.
  EXPECT_NEAR(static_cast<double>(lost) / kDraws, 7.0 / 151, 0.0135);
  EXPECT_LT(static_cast<double>(lost) / kDraws, 0.06);
}

}  // namespace
}  // namespace cleave
