#include "learn/mixed_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "learn/toy_environments.h"

namespace cleave {
namespace {

using testing::Chain2;
using testing::CutShort;
using ::testing::HasSubstr;
using testing::MaskedBandit;
using testing::Overruling;

template <typename... Processes>
absl::StatusOr<std::unique_ptr<MixedEnvironment>> Mix() {
  std::vector<std::unique_ptr<Environment>> parts;
  (parts.push_back(std::make_unique<Processes>()), ...);
  return MixedEnvironment::Create(std::move(parts), {"a.toml", "b.toml", "c.toml"});
}

TEST(MixedEnvironmentTest, EveryEpisodeIsOneOfTheirs) {
  const auto mixed = Mix<CutShort, Overruling>();
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  std::set<double> rewards;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    ASSERT_TRUE((*mixed)->Reset(seed).ok());
    const double paid = (*mixed)->Step(0)->reward;
    rewards.insert(paid);
    ASSERT_TRUE((*mixed)->Reset(seed).ok());
    EXPECT_EQ((*mixed)->OracleReward(), paid) << "equal seeds, equal episodes";
    EXPECT_EQ((*mixed)->RandomReward(), paid);
  }
  EXPECT_EQ(rewards, (std::set<double>{0.5, 1.0}));
}

TEST(MixedEnvironmentTest, OtherPlansAreRefused) {
  EXPECT_THAT(std::string(Mix<CutShort, Chain2, MaskedBandit>().status().message()),
              HasSubstr("c.toml: found other plans than in a.toml (4 and 2)"));
  EXPECT_THAT(std::string(Mix<>().status().message()), HasSubstr("expected at least one"));
}

}  // namespace
}  // namespace cleave
