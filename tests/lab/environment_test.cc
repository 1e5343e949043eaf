#include "lab/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "lab/environment_tables.h"

namespace cleave {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::LivelyOptions;
using testing::MakeEnvironment;
using ::testing::Not;
using testing::SmallTable;

// A valid action by chance.
int AnyAction(const Environment& environment, std::mt19937& random) {
  std::vector<int> valid;
  for (std::size_t i = 0; i < environment.plans().size(); ++i) {
    if (environment.Now().valid[i] > 0) valid.push_back(static_cast<int>(i));
  }
  return valid[std::uniform_int_distribution<std::size_t>(0, valid.size() - 1)(random)];
}

struct Episode {
  std::vector<double> rewards;
  std::vector<float> states;
};

Episode Play(Environment& environment, std::uint64_t seed, unsigned actions_seed) {
  Episode episode;
  std::mt19937 random(actions_seed);
  EXPECT_TRUE(environment.Reset(seed).ok());
  for (bool truncated = false; !truncated;) {
    const std::vector<float>& state = environment.Now().state;
    episode.states.insert(episode.states.end(), state.begin(), state.end());
    const auto step = environment.Take(AnyAction(environment, random));
    if (!step.ok()) {
      ADD_FAILURE() << step.status();
      return episode;
    }
    episode.rewards.push_back(step->reward);
    truncated = step->truncated;
  }
  return episode;
}

TEST(EnvironmentTest, SameSeedSameEpisode) {
  const auto one = MakeEnvironment(LivelyOptions());
  const auto other = MakeEnvironment(LivelyOptions());
  Play(*other, 1, 1);  // What was before is forgotten.
  const Episode a = Play(*one, 7, 3);
  const Episode b = Play(*other, 7, 3);
  EXPECT_EQ(a.rewards.size(), 64U);
  EXPECT_EQ(a.rewards, b.rewards);
  EXPECT_EQ(a.states, b.states);
  EXPECT_NE(a.rewards, Play(*one, 8, 3).rewards);
}

}  // namespace
}  // namespace cleave
