#include "detect/average_precision.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/file.h"

namespace cleave {
namespace {

using Json = nlohmann::json;

Box ReadBox(const Json& json) {
  const auto [x, y, width, height] = json.get<std::array<double, 4>>();
  return {x, y, x + width, y + height};
}

AveragePrecision OfPictures(const Json& pictures) {
  AveragePrecision precision;
  for (const Json& picture : pictures) {
    std::vector<Detection> found;
    std::vector<TrueBox> truth;
    for (const Json& each : picture.at("found")) {
      found.push_back({ReadBox(each.at("box")), each.at("class"), each.at("score")});
    }
    for (const Json& each : picture.at("truth")) {
      truth.push_back({ReadBox(each.at("box")), each.at("class"), each.at("crowd") == 1});
    }
    precision.Add(found, truth);
  }
  return precision;
}

// average_precision_cases.py made the file and tells how.
TEST(AveragePrecision, SaysWhatPycocotoolsSaysOfTheSameBoxes) {
  const auto text =
      ReadFile(CLEAVE_SOURCE_DIR "/tests/detect/average_precision_cases.json", 1 << 20);
  ASSERT_TRUE(text.ok()) << text.status();
  const Json file = Json::parse(*text);
  const Json& cases = file.at("cases");
  ASSERT_EQ(cases.size(), 6U);
  for (const Json& each : cases) {
    const std::optional<MeanPrecision> mean = OfPictures(each.at("pictures")).Mean();
    ASSERT_TRUE(mean);
    EXPECT_NEAR(mean->at_50_to_95, each.at("at_50_to_95").get<double>(), 1e-9);
    EXPECT_NEAR(mean->at_50, each.at("at_50").get<double>(), 1e-9);
  }
}

TEST(AveragePrecision, IsOneForTheTruthItselfAndZeroForNothing) {
  const Box box = {1, 2, 11, 22};
  AveragePrecision itself;
  itself.Add({{box, 3, 0.5}}, {{box, 3}});
  itself.Add({{box, 3, 0.1}}, {});  // Below all that is right.
  EXPECT_EQ(itself.Mean()->at_50_to_95, 1);
  AveragePrecision nothing;
  nothing.Add({}, {{box, 3}});
  EXPECT_EQ(nothing.Mean()->at_50_to_95, 0);
  EXPECT_EQ(nothing.Mean()->at_50, 0);
}

TEST(AveragePrecision, HasNothingToSayWithoutATrueBox) {
  AveragePrecision precision;
  EXPECT_FALSE(precision.Mean());
  precision.Add({{{0, 0, 1, 1}, 0, 0.9}}, {});
  precision.Add({}, {{{0, 0, 1, 1}, 0, /*crowd=*/true}});
  EXPECT_FALSE(precision.Mean());
  EXPECT_FALSE(precision.Bootstrap(100, 1));
}

TEST(AveragePrecision, DrawingAPictureTwiceCountsAsItsCopy) {
  const auto text =
      ReadFile(CLEAVE_SOURCE_DIR "/tests/detect/average_precision_cases.json", 1 << 20);
  ASSERT_TRUE(text.ok()) << text.status();
  const Json file = Json::parse(*text);
  const Json pictures = file.at("cases")[1].at("pictures");
  AveragePrecision once = OfPictures(pictures);
  Json twice = pictures;
  for (const Json& each : pictures) twice.push_back(each);
  // Every picture twice changes nothing, and the interval holds the mean.
  EXPECT_NEAR(OfPictures(twice).Mean()->at_50_to_95, once.Mean()->at_50_to_95, 0.02);
  const auto interval = once.Bootstrap(200, 1);
  ASSERT_TRUE(interval);
  EXPECT_LT(interval->low, once.Mean()->at_50_to_95);
  EXPECT_GT(interval->high, once.Mean()->at_50_to_95);
  const auto again = once.Bootstrap(200, 1);
  EXPECT_EQ(interval->low, again->low);
  EXPECT_EQ(interval->high, again->high);
}

}  // namespace
}  // namespace cleave
