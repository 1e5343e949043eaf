#include "policy/policy_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;

PolicyCard SmallCard() {
  PolicyCard card;
  card.feature_version = 1;
  card.algorithm = Algorithm::kSacd;
  card.model_digest = std::string(64, 'a');
  card.plans = {{0, 0, Encoding::kJpeg}, {0, 1, Encoding::kQ8}, {1, 4, Encoding::kFp32}};
  card.state_low = {-1.25F, 0, 0.1F};
  card.state_high = {2.5F, 0, 0.3F};
  card.seed = std::numeric_limits<std::uint64_t>::max();
  card.steps = 123'456;
  card.environment = "lte \"held out\".toml";
  return card;
}

void ExpectSame(const PolicyCard& a, const PolicyCard& b) {
  EXPECT_EQ(a.feature_version, b.feature_version);
  EXPECT_EQ(a.algorithm, b.algorithm);
  EXPECT_EQ(a.model_digest, b.model_digest);
  EXPECT_EQ(a.plans, b.plans);
  EXPECT_EQ(a.state_low, b.state_low);
  EXPECT_EQ(a.state_high, b.state_high);
  EXPECT_EQ(a.seed, b.seed);
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(a.environment, b.environment);
}

// The small card with one piece of its text replaced by another.
std::string Broken(const std::string& from, const std::string& to) {
  const std::string text = SmallCard().ToJson();
  EXPECT_THAT(text, HasSubstr(from));
  return absl::StrReplaceAll(text, {{from, to}});
}

void ExpectRefused(const std::string& text, const std::string& field) {
  const auto card = PolicyCard::FromJson(text, "p.onnx");
  ASSERT_FALSE(card.ok()) << text;
  EXPECT_EQ(card.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(card.status().message()), HasSubstr("p.onnx: "));
  EXPECT_THAT(std::string(card.status().message()), HasSubstr(field));
  EXPECT_LT(card.status().message().size(), 400U);
}

TEST(PolicyCardTest, ComesBackAsItWas) {
  const auto card = PolicyCard::FromJson(SmallCard().ToJson(), "p.onnx");
  ASSERT_TRUE(card.ok()) << card.status();
  ExpectSame(*card, SmallCard());
}

TEST(PolicyCardTest, EveryAlgorithmComesBack) {
  for (const Algorithm algorithm : {Algorithm::kSacd, Algorithm::kDqn}) {
    PolicyCard card = SmallCard();
    card.algorithm = algorithm;
    const std::string text = card.ToJson();
    EXPECT_THAT(text, HasSubstr(absl::StrCat("\"algorithm\":\"", AlgorithmName(algorithm), "\"")));
    const auto again = PolicyCard::FromJson(text, "p.onnx");
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->algorithm, algorithm);
  }
}

TEST(PolicyCardTest, AnyFiniteRangeComesBackToTheBit) {
  std::mt19937 random(3);
  PolicyCard card = SmallCard();
  for (int i = 0; i < 200; ++i) {
    std::uniform_real_distribution<float> uniform(-1e3F, 1e3F);
    for (float& low : card.state_low) low = uniform(random) * uniform(random);
    card.state_high = card.state_low;
    const auto again = PolicyCard::FromJson(card.ToJson(), "p.onnx");
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->state_low, card.state_low);
  }
}

TEST(PolicyCardTest, TextThatIsNoCardIsRefused) {
  ExpectRefused("", "JSON");
  ExpectRefused("{", "JSON");
  ExpectRefused("[]", "object");
  ExpectRefused("3", "object");
  ExpectRefused(std::string(100'000, '['), "JSON");
  ExpectRefused(std::string((1 << 20) + 1, ' '), "bytes");
}

TEST(PolicyCardTest, FieldsAreTheOnesThereAre) {
  for (const std::string field : {"version", "features", "algorithm", "model_digest", "plans",
                                  "state_low", "state_high", "seed", "steps", "environment"}) {
    ExpectRefused(Broken("\"" + field + "\"", "\"other\""), field);
  }
  ExpectRefused(Broken("\"exit\"", "\"exits\""), "plans[0].exit");
  ExpectRefused(Broken("{\"version\"", "{\"more\":1,\"version\""), "more");
}

TEST(PolicyCardTest, AnotherVersionIsSaidToBeOne) {
  ExpectRefused(Broken("\"version\":1", "\"version\":2"), "version: found 2, expected 1");
  ExpectRefused("{\"version\":7}", "version: found 7");
}

TEST(PolicyCardTest, TypesAndRangesAreChecked) {
  ExpectRefused(Broken("\"features\":1", "\"features\":1.5"), "features");
  ExpectRefused(Broken("\"features\":1", "\"features\":0"), "features");
  ExpectRefused(Broken("\"features\":1", "\"features\":99999999999999"), "features");
  ExpectRefused(Broken("\"sacd\"", "\"ppo\""), "algorithm");
  ExpectRefused(Broken("\"sacd\"", "[\"sacd\"]"), "algorithm");
  ExpectRefused(Broken("aaaa\"", "aaaA\""), "model_digest");
  ExpectRefused(Broken("aaaa\"", "aaa\""), "model_digest");
  ExpectRefused(Broken("\"steps\":123456", "\"steps\":-1"), "steps");
  ExpectRefused(Broken("\"steps\":123456", "\"steps\":\"1\""), "steps");
  ExpectRefused(Broken("\"seed\":18446744073709551615", "\"seed\":-1"), "seed");
  ExpectRefused(Broken("lte", std::string(300, 'x')), "environment");
}

TEST(PolicyCardTest, PlansAreChecked) {
  PolicyCard card = SmallCard();
  card.plans.clear();
  ExpectRefused(card.ToJson(), "plans");
  for (int i = 0; i < 1025; ++i) card.plans.push_back({0, i, Encoding::kFp32});
  ExpectRefused(card.ToJson(), "plans");
  ExpectRefused(Broken("\"q8\"", "\"q9\""), "plans[1].encoding");
  ExpectRefused(Broken("\"cut\":4", "\"cut\":-4"), "plans[2].cut");
  ExpectRefused(Broken("\"cut\":4", "\"cut\":1e3"), "plans[2].cut");
  ExpectRefused(Broken("\"exit\":1", "\"exit\":2000000"), "plans[2].exit");
  ExpectRefused(Broken("\"q8\"", "\"jpeg\""), "plans[1]");
  ExpectRefused(Broken("{\"exit\":1,\"cut\":4,\"encoding\":\"fp32\"}", "7"), "plans[2]");
  card.plans = {{0, 1, Encoding::kQ8}, {1, 1, Encoding::kQ8}, {0, 1, Encoding::kQ8}};
  ExpectRefused(card.ToJson(), "twice");
}

TEST(PolicyCardTest, RangesAreChecked) {
  PolicyCard card = SmallCard();
  card.state_high.push_back(1);
  ExpectRefused(card.ToJson(), "state_high");
  card = SmallCard();
  card.state_high[1] = -0.5F;
  ExpectRefused(card.ToJson(), "state_high[1]");
  card = SmallCard();
  card.state_low[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(card.Validate().ok());
  ExpectRefused(card.ToJson(), "state_low");
  card = SmallCard();
  card.state_low.clear();
  card.state_high.clear();
  ExpectRefused(card.ToJson(), "state_low");
  ExpectRefused(Broken("-1.25", "-1e300"), "state_low");
  ExpectRefused(Broken("-1.25", "-1e999"), "JSON");
  ExpectRefused(Broken("-1.25", "\"-1.25\""), "state_low");
}

}  // namespace
}  // namespace cleave
