#include "learn/agent.h"

#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "core/uniform.h"

namespace cleave {
namespace {

constexpr double kMaxBatch = 4096;
constexpr double kMaxWidth = 1024;
constexpr double kMaxStates = 1 << 22;
constexpr double kMaxWarmUp = 1e7;
constexpr double kMaxGradient = 1e6;

}  // namespace

absl::Status LearningOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("gamma", gamma, 0, 0.999));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("batch", batch, 1, kMaxBatch));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("rate", rate, 1e-7, 1));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("tau", tau, 1e-6, 1));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("max_gradient", max_gradient, 1e-6, kMaxGradient));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("overruled_cost", overruled_cost, 0, 1));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("side_weight", side_weight, 0, 1e3));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("warm_up", warm_up, 2, kMaxWarmUp));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("capacity", capacity, batch + 1, kMaxStates));
  CLEAVE_RETURN_IF_ERROR(
      CheckRange<double>("decisions_per_update", decisions_per_update, 1, kMaxBatch));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("hidden", hidden, 1, kMaxWidth));
  return CheckRange<double>("inner_hidden", inner_hidden, 1, kMaxWidth);
}

std::map<std::string, std::string> LearningOptions::Describe() const {
  return {{"gamma", absl::StrCat(gamma)},
          {"batch", absl::StrCat(batch)},
          {"rate", absl::StrCat(rate)},
          {"tau", absl::StrCat(tau)},
          {"overruled_cost", absl::StrCat(overruled_cost)},
          {"side_weight", absl::StrCat(side_weight)},
          {"max_gradient", absl::StrCat(max_gradient)},
          {"warm_up", absl::StrCat(warm_up)},
          {"capacity", absl::StrCat(capacity)},
          {"decisions_per_update", absl::StrCat(decisions_per_update)},
          {"hidden", absl::StrCat(hidden)},
          {"inner_hidden", absl::StrCat(inner_hidden)}};
}

int BestValid(const std::vector<float>& scores, const Features& now) {
  int best = -1;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (now.valid[i] == 0) continue;
    if (best < 0 || scores[i] > scores[static_cast<std::size_t>(best)]) best = static_cast<int>(i);
  }
  return best;
}

int DrawPlan(const std::vector<float>& probabilities, std::mt19937_64& random) {
  double sum = 0;
  for (const float chance : probabilities) sum += chance;
  double left = DrawUniform(random) * sum;
  int drawn = -1;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    if (!(probabilities[i] > 0)) continue;
    drawn = static_cast<int>(i);
    left -= probabilities[i];
    if (left < 0) break;
  }
  return drawn;
}

double EntropyOf(const std::vector<float>& probabilities) {
  double entropy = 0;
  for (const float chance : probabilities) {
    if (chance > 0) entropy -= chance * std::log(static_cast<double>(chance));
  }
  return entropy;
}

}  // namespace cleave
