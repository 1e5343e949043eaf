#include "app/filter_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cleave::app {
namespace {

using Json = nlohmann::json;
using Outcome = FilterRecord::Outcome;

InferenceRecord Record(std::optional<Outcome> outcome) {
  InferenceRecord record;
  if (outcome) record.filter = {.outcome = *outcome, .logit = -2};
  return record;
}

const BatchDetections kNothing = {{}};
const BatchDetections kSomething = {{}, {{{1, 2, 3, 4}, 0, 0.75}}};

TEST(FilterCountsTest, ChecksTellHowOftenTheFilterErrs) {
  FilterCounts counts;
  EXPECT_FALSE(counts.any());
  counts.Add(Record(std::nullopt), kSomething);
  EXPECT_FALSE(counts.any());
  for (int i = 0; i < 6; ++i) counts.Add(Record(Outcome::kFiltered), kNothing);
  for (int i = 0; i < 3; ++i) counts.Add(Record(Outcome::kPassed), kSomething);
  EXPECT_EQ(counts.ToText(), "x6 of 9");
  EXPECT_TRUE(Json::parse(counts.ToJson())["wrong"].is_null());
  for (int i = 0; i < 9; ++i) counts.Add(Record(Outcome::kChecked), kNothing);
  counts.Add(Record(Outcome::kChecked), kSomething);
  const Json json = Json::parse(counts.ToJson());
  EXPECT_EQ(json["passed"], 3);
  EXPECT_EQ(json["filtered"], 6);
  EXPECT_EQ(json["checked"], 10);
  EXPECT_EQ(json["wrong"], 1);
  // The exact interval of 1 of 10.
  EXPECT_NEAR(json["low"], 0.0025, 1e-4);
  EXPECT_NEAR(json["high"], 0.4450, 1e-4);
  EXPECT_EQ(counts.ToText(),
            "x6 of 19; checked x10, of which 1 showed something (95% interval 0.3% to 44.5%)");
}

TEST(FilterCountsTest, WithoutADetectorNothingIsJudged) {
  FilterCounts counts;
  counts.Add(Record(Outcome::kChecked), std::nullopt);
  EXPECT_EQ(counts.ToText(), "x0 of 1; checked x1");
  EXPECT_TRUE(Json::parse(counts.ToJson())["high"].is_null());
}

TEST(FilterCountsTest, FilteredIsWhatAFilterEnded) {
  EXPECT_TRUE(IsFiltered(Record(Outcome::kFiltered)));
  EXPECT_FALSE(IsFiltered(Record(Outcome::kChecked)));
  EXPECT_FALSE(IsFiltered(Record(std::nullopt)));
}

}  // namespace
}  // namespace cleave::app
