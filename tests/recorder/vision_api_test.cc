#include "recorder/vision_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cleave::recorder {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(VisionApiTest, ReadsTheLeastConfidence) {
  EXPECT_EQ(ParseMinConfidence(std::nullopt).value(), kDefaultMinConfidence);
  EXPECT_EQ(ParseMinConfidence("").value(), kDefaultMinConfidence);
  EXPECT_EQ(ParseMinConfidence("0.65").value(), 0.65);
  for (const char* const text : {"-0.1", "1.1", "nan", "much", "0.5x"}) {
    EXPECT_THAT(ParseMinConfidence(text).status().message(), HasSubstr("min_confidence: found"))
        << text;
  }
}

TEST(VisionApiTest, GivesPredictionsInWholePixels) {
  const std::vector<Detection> found = {
      {{10.4, 20.6, 100, 200.5}, 1, 0.9}, {{1, 2, 3, 4}, 7, 0.5}, {{1, 2, 3, 4}, 0, 0.3}};
  const json answer = json::parse(PredictionsJson(found, {"person", "dog"}, 0.4, 12'900));
  EXPECT_EQ(answer["success"], true);
  EXPECT_EQ(answer["count"], 2);
  EXPECT_EQ(answer["inferenceMs"], 12);
  ASSERT_EQ(answer["predictions"].size(), 2U);
  EXPECT_EQ(answer["predictions"][0],
            json::parse(R"({"label": "dog", "confidence": 0.9, "x_min": 10, "y_min": 21,
                            "x_max": 100, "y_max": 201})"));
  EXPECT_EQ(answer["predictions"][1]["label"], "7") << "a class without a name";
}

TEST(VisionApiTest, NamesThatAreNoUtf8AreShownAllTheSame) {
  const std::vector<Detection> found = {{{1, 2, 3, 4}, 0, 0.9}};
  const json answer = json::parse(PredictionsJson(found, {"\xff"}, 0, 0));
  EXPECT_EQ(answer["predictions"].size(), 1U);
}

TEST(VisionApiTest, ErrorsHaveTheirStatus) {
  EXPECT_EQ(ErrorOf(absl::InvalidArgumentError("image: found nothing")).http_status, 400);
  EXPECT_EQ(ErrorOf(absl::UnauthenticatedError("api_key")).http_status, 401);
  EXPECT_EQ(ErrorOf(absl::NotFoundError("model")).http_status, 404);
  const ApiError error = ErrorOf(absl::InternalError("the run failed"));
  EXPECT_EQ(error.http_status, 500);
  EXPECT_EQ(json::parse(error.json),
            json::parse(R"({"success": false, "error": "the run failed", "code": 500})"));
}

}  // namespace
}  // namespace cleave::recorder
