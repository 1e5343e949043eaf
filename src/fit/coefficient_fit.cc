#include "fit/coefficient_fit.h"

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace cleave {
namespace {

constexpr int kPasses = 2;
constexpr int kNewtonSteps = 6;
constexpr double kLog2 = 0.6931471805599453;
// A component whose levels are hardly ever other than 0 is not coded.
constexpr int kLeastNonzero = 3;
constexpr int kMostFittedMagnitude = 15;
constexpr double kLeastChance = 1.0 / 4096;

// One coefficient as it was coded.
struct Observation {
  std::array<std::int16_t, kContextFeatures> features;
  std::uint16_t component = 0;
  std::int32_t magnitude = 0;
};

// By band.
using Observations = std::vector<std::vector<Observation>>;

std::size_t Index(int block, int bands, int band, int components) {
  return (static_cast<std::size_t>(block) * static_cast<std::size_t>(bands) +
          static_cast<std::size_t>(band)) *
         static_cast<std::size_t>(components);
}

// Walks through the coefficients in coding order; `choose(tracker, component, size)` says what a
// coefficient becomes.
template <typename Choose>
Observations Observe(const std::vector<FittedItem>& items, const CoefficientModel& model,
                     float step, const Choose& choose) {
  Observations seen(model.active.size());
  for (const FittedItem& item : items) {
    ContextTracker tracker(model, item.rows, item.columns);
    for (int block = 0; block < item.rows * item.columns; ++block) {
      for (int band = 0; band < model.bands(); ++band) {
        const float* values =
            item.components.data() + Index(block, model.bands(), band, model.components);
        const int active = model.active[static_cast<std::size_t>(band)];
        tracker.BeginBand(block, band, active);
        for (int i = 0; i < active; ++i) {
          Observation one;
          const auto features = tracker.FeaturesOf(i);
          std::copy(features.begin(), features.end(), one.features.begin());
          one.component = static_cast<std::uint16_t>(i);
          const float size =
              std::min(std::abs(values[i]) / step, static_cast<float>(kLargestMagnitude));
          one.magnitude = choose(tracker, i, size);
          tracker.Add(i, one.magnitude);
          seen[static_cast<std::size_t>(band)].push_back(one);
        }
        tracker.EndBand();
      }
    }
  }
  return seen;
}

std::int32_t RoundWithDeadZone(float size) {
  return static_cast<std::int32_t>(size + kDeadZoneRounding);
}

std::vector<int> FindActive(const std::vector<FittedItem>& items, int bands, int components,
                            float step) {
  std::vector<int> nonzero(static_cast<std::size_t>(bands) * static_cast<std::size_t>(components));
  for (const FittedItem& item : items) {
    for (std::size_t i = 0; i < item.components.size(); ++i) {
      if (RoundWithDeadZone(std::abs(item.components[i]) / step) > 0) {
        ++nonzero[i % nonzero.size()];
      }
    }
  }
  std::vector<int> active(static_cast<std::size_t>(bands));
  for (int band = 0; band < bands; ++band) {
    for (int i = 0; i < components; ++i) {
      if (nonzero[Index(0, bands, band, components) + static_cast<std::size_t>(i)] >=
          kLeastNonzero) {
        active[static_cast<std::size_t>(band)] = i + 1;
      }
    }
  }
  return active;
}

using Features = Eigen::Matrix<double, kContextFeatures, 1>;
using FeatureMatrix = Eigen::Matrix<double, kContextFeatures, kContextFeatures>;

Features FeaturesOf(const Observation& one) {
  Features features;
  for (int i = 0; i < kContextFeatures; ++i) {
    features(i) = one.features[static_cast<std::size_t>(i)] * (kLog2 / 64);
  }
  return features;
}

// The natural logarithm of each component's factor, given the weights.
std::vector<double> FactorsOf(const std::vector<Observation>& seen, int active,
                              const Features& weights) {
  std::vector<double> magnitudes(static_cast<std::size_t>(active), 0.05);
  std::vector<double> expected(static_cast<std::size_t>(active), 1e-9);
  for (const Observation& one : seen) {
    magnitudes[one.component] += std::min(one.magnitude, std::int32_t{kMostFittedMagnitude});
    expected[one.component] += std::exp(std::min(20.0, FeaturesOf(one).dot(weights)));
  }
  std::vector<double> factors;
  for (std::size_t i = 0; i < magnitudes.size(); ++i) {
    factors.push_back(std::log(magnitudes[i] / expected[i]));
  }
  return factors;
}

// One step of Newton's method on the weights, with each component's factor eliminated.
Features NewtonStep(const std::vector<Observation>& seen, const std::vector<double>& factors,
                    const Features& weights) {
  std::vector<double> total(factors.size(), 1e-9);
  std::vector<Features> mean(factors.size(), Features::Zero());
  std::vector<double> expected;
  expected.reserve(seen.size());
  for (const Observation& one : seen) {
    const Features features = FeaturesOf(one);
    expected.push_back(std::exp(std::min(5.0, features.dot(weights) + factors[one.component])));
    total[one.component] += expected.back();
    mean[one.component] += expected.back() * features;
  }
  for (std::size_t i = 0; i < mean.size(); ++i) mean[i] /= total[i];
  FeatureMatrix curvature = FeatureMatrix::Identity();
  Features slope = Features::Zero();
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const Features centred = FeaturesOf(seen[i]) - mean[seen[i].component];
    curvature += expected[i] * centred * centred.transpose();
    slope +=
        (std::min(seen[i].magnitude, std::int32_t{kMostFittedMagnitude}) - expected[i]) * centred;
  }
  return curvature.ldlt().solve(slope).cwiseMax(-0.5).cwiseMin(0.5);
}

std::int16_t In64ths(double value) {
  return static_cast<std::int16_t>(std::lround(std::clamp(64 * value, -32000.0, 32000.0)));
}

void FitExpectations(const Observations& seen, CoefficientModel& model) {
  const auto components = static_cast<std::size_t>(model.components);
  model.offset.assign(model.active.size() * components, -640);
  model.weight.assign(model.active.size() * kContextFeatures, 0);
  for (std::size_t band = 0; band < seen.size(); ++band) {
    if (seen[band].empty()) continue;
    Features weights = Features::Zero();
    weights(0) = 0.5;
    for (int i = 0; i < kNewtonSteps; ++i) {
      const std::vector<double> factors = FactorsOf(seen[band], model.active[band], weights);
      weights = (weights + NewtonStep(seen[band], factors, weights)).cwiseMax(-1.5).cwiseMin(2.0);
    }
    for (int i = 0; i < kContextFeatures; ++i) {
      const std::int16_t weight = In64ths(weights(i));
      model.weight[band * kContextFeatures + static_cast<std::size_t>(i)] = weight;
      weights(i) = weight / 64.0;
    }
    const std::vector<double> factors = FactorsOf(seen[band], model.active[band], weights);
    for (std::size_t i = 0; i < factors.size(); ++i) {
      model.offset[band * components + i] = In64ths(factors[i] / kLog2);
    }
  }
}

int ContextOf(const CoefficientModel& model, std::size_t band, const Observation& one) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < kContextFeatures; ++i) {
    sum += model.weight[band * kContextFeatures + i] * one.features[i];
  }
  return ContextAt(model.offset[band * static_cast<std::size_t>(model.components) + one.component] +
                   (sum >> 6));
}

using Histogram = std::array<double, kUnaryMagnitudes + 1>;

// Neighbouring contexts lend each other some of their counts, and all some that fall off by halves.
std::vector<Histogram> Smooth(const std::vector<Histogram>& counts) {
  constexpr std::array kLent = {0.02, 0.004, 0.001};
  std::vector<Histogram> smooth = counts;
  for (int context = 0; context < kContexts; ++context) {
    for (int far = 1; far <= static_cast<int>(kLent.size()); ++far) {
      for (const int other : {context - far, context + far}) {
        if (other < 0 || other >= kContexts) continue;
        for (std::size_t i = 0; i < counts[0].size(); ++i) {
          smooth[static_cast<std::size_t>(context)][i] +=
              kLent[static_cast<std::size_t>(far - 1)] * counts[static_cast<std::size_t>(other)][i];
        }
      }
    }
    double prior = 0.5;
    for (double& count : smooth[static_cast<std::size_t>(context)]) {
      count += prior;
      prior /= 2;
    }
  }
  return smooth;
}

void FitTables(const Observations& seen, CoefficientModel& model) {
  std::vector<Histogram> counts(kContexts, Histogram{});
  for (std::size_t band = 0; band < seen.size(); ++band) {
    for (const Observation& one : seen[band]) {
      const auto context = static_cast<std::size_t>(ContextOf(model, band, one));
      const auto magnitude = static_cast<std::size_t>(one.magnitude);
      counts[context][std::min<std::size_t>(magnitude, kUnaryMagnitudes)] += 1;
    }
  }
  model.chance.clear();
  for (const Histogram& histogram : Smooth(counts)) {
    double left = 0;
    for (const double count : histogram) left += count;
    for (int i = 0; i < kUnaryMagnitudes; ++i) {
      const double above = left - histogram[static_cast<std::size_t>(i)];
      const double chance = std::clamp(above / left, kLeastChance, 1 - kLeastChance);
      model.chance.push_back(static_cast<std::uint16_t>(std::lround(65536 * chance)));
      left = above;
    }
  }
}

}  // namespace

CoefficientModel FitCoefficientModel(const std::vector<FittedItem>& items, int bands,
                                     int components, float step, float lambda) {
  CoefficientModel model;
  model.components = components;
  model.active = FindActive(items, bands, components, step);
  model.offset.assign(static_cast<std::size_t>(bands) * static_cast<std::size_t>(components), 0);
  model.weight.assign(static_cast<std::size_t>(bands) * kContextFeatures, 0);
  Observations seen = Observe(items, model, step, [](const ContextTracker&, int, float size) {
    return RoundWithDeadZone(size);
  });
  FitExpectations(seen, model);
  FitTables(seen, model);
  for (int pass = 1; pass < kPasses; ++pass) {
    const MagnitudeCosts costs(model);
    seen = Observe(items, model, step, [&](const ContextTracker& tracker, int i, float size) {
      return BestMagnitude(costs, tracker.ContextOf(i), size, lambda);
    });
    FitExpectations(seen, model);
    FitTables(seen, model);
  }
  return model;
}

}  // namespace cleave
