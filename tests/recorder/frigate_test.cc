#include "recorder/frigate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace cleave::recorder {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

absl::StatusOr<FrigateRequest> Parse(absl::string_view header, absl::string_view body,
                                     PixelOrder order = PixelOrder::kRgb) {
  const std::array<absl::string_view, 2> frames = {header, body};
  return ParseFrigateRequest(frames, order);
}

std::string Bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

RgbImage PictureOf(const absl::StatusOr<FrigateRequest>& request) {
  EXPECT_TRUE(request.ok()) << request.status();
  return std::get<FrameRequest>(*request).picture;
}

std::vector<float> Rows(const std::string& answer) {
  std::vector<float> rows(answer.size() / sizeof(float));
  std::memcpy(rows.data(), answer.data(), answer.size());
  return rows;
}

constexpr char kHwc[] = R"({"shape": [1, 1, 2, 3], "dtype": "uint8", "model_type": "ssd"})";

TEST(FrigateRequestTest, ReadsChannelsLast) {
  const RgbImage picture = PictureOf(Parse(kHwc, "\x01\x02\x03\x04\x05\x06"));
  EXPECT_EQ(picture.size, (ImageSize{2, 1}));
  EXPECT_THAT(picture.rgb, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(FrigateRequestTest, TurnsBgrAround) {
  const RgbImage picture = PictureOf(Parse(kHwc, "\x01\x02\x03\x04\x05\x06", PixelOrder::kBgr));
  EXPECT_THAT(picture.rgb, ElementsAre(3, 2, 1, 6, 5, 4));
}

TEST(FrigateRequestTest, ReadsChannelsFirstAsSharesOfOne) {
  const RgbImage picture = PictureOf(Parse(R"({"shape": [1, 3, 2, 1], "dtype": "float32"})",
                                           Bytes({0, 1, 0.2F, 0.4F, 0.6F, 0.8F})));
  EXPECT_EQ(picture.size, (ImageSize{1, 2}));
  EXPECT_THAT(picture.rgb, ElementsAre(0, 51, 153, 255, 102, 204));
}

TEST(FrigateRequestTest, ReadsFloatsUpTo255) {
  const RgbImage picture =
      PictureOf(Parse(R"({"shape": [1, 1, 1, 3], "dtype": "float32"})", Bytes({0, 254.6F, 1.4F})));
  EXPECT_THAT(picture.rgb, ElementsAre(0, 255, 1));
}

TEST(FrigateRequestTest, ReadsQuestionsAndOffers) {
  const std::array<absl::string_view, 1> question = {
      R"({"model_request": true, "model_name": "nanodet.onnx"})"};
  EXPECT_EQ(std::get<ModelQuestion>(*ParseFrigateRequest(question, PixelOrder::kRgb)).name,
            "nanodet.onnx");
  const auto offer = Parse(R"({"model_data": true, "model_name": "yolo.onnx"})", "1234");
  EXPECT_EQ(std::get<ModelOffer>(*offer).name, "yolo.onnx");
  EXPECT_EQ(std::get<ModelOffer>(*offer).bytes, 4U);
}

TEST(FrigateRequestTest, SaysWhatIsWrong) {
  const auto why = [](absl::string_view header, absl::string_view body) {
    const auto request = Parse(header, body);
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << header;
    return std::string(request.status().message());
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(why("[]", ""), HasSubstr("header: found text that is no JSON object"));
  EXPECT_THAT(why("{", ""), HasSubstr("header: found text that is no JSON object"));
  EXPECT_THAT(why(std::string(70'000, ' '), ""), HasSubstr("header: found 70000 bytes"));
  EXPECT_THAT(why("{}", ""), HasSubstr("shape: found no list of four numbers"));
  EXPECT_THAT(why(R"({"shape": [1, 1, 2, 3]})", "123456"), HasSubstr("dtype: found nothing"));
  EXPECT_THAT(why(R"({"shape": [1, 1, 2, 3], "dtype": "float64"})", "123456"),
              HasSubstr("dtype: found \"float64\""));
  EXPECT_THAT(why(R"({"shape": [2, 1, 1, 3], "dtype": "uint8"})", "123456"),
              HasSubstr("shape: found [2, 1, 1, 3]"));
  EXPECT_THAT(why(R"({"shape": [1, 1, 2, 4], "dtype": "uint8"})", "12345678"),
              HasSubstr("expected 3 channels"));
  EXPECT_THAT(why(R"({"shape": [1, 0, 2, 3], "dtype": "uint8"})", ""), HasSubstr("2x0 pixels"));
  EXPECT_THAT(why(R"({"shape": [1, -1, 2, 3], "dtype": "uint8"})", ""), HasSubstr("shape[1]"));
  EXPECT_THAT(why(R"({"shape": [1, 1e9, 2, 3], "dtype": "uint8"})", ""), HasSubstr("shape[1]"));
  EXPECT_THAT(why(R"({"shape": [1, 8193, 2, 3], "dtype": "uint8"})", ""), HasSubstr("8193"));
  EXPECT_THAT(why(kHwc, "12345"), HasSubstr("tensor: found 5 bytes, expected 6"));
  EXPECT_THAT(why(kHwc, "1234567"), HasSubstr("tensor: found 7 bytes, expected 6"));
  EXPECT_THAT(why(R"({"shape": [1, 1, 1, 3], "dtype": "float32"})", Bytes({0, nan, 0})),
              HasSubstr("no number"));
  EXPECT_THAT(why(R"({"shape": [1, 1, 1, 3], "dtype": "float32"})", Bytes({0, -1, 0})),
              HasSubstr("below 0"));
  EXPECT_THAT(why(R"({"model_request": true})", ""), HasSubstr("model_name: found nothing"));
  EXPECT_THAT(why(R"({"model_data": true, "model_name": 7})", ""), HasSubstr("found number"));
}

TEST(FrigateRequestTest, WantsOneOrTwoFrames) {
  EXPECT_FALSE(ParseFrigateRequest({}, PixelOrder::kRgb).ok());
  const std::array<absl::string_view, 3> three = {kHwc, "123456", ""};
  EXPECT_FALSE(ParseFrigateRequest(three, PixelOrder::kRgb).ok());
  EXPECT_FALSE(ParseFrigateRequest({three.data(), 1}, PixelOrder::kRgb).ok());
}

TEST(FrigateAnswerTest, HasARowForEachObjectAndZerosBehind) {
  const std::vector<Detection> found = {{{50, 20, 150, 80}, 2, 0.75}, {{0, 0, 200, 100}, 0, 0.5}};
  const std::vector<float> rows = Rows(FrigateAnswer(found, {200, 100}));
  ASSERT_EQ(rows.size(), 120U);
  EXPECT_THAT(std::vector<float>(rows.begin(), rows.begin() + 12),
              ElementsAreArray({2.0F, 0.75F, 0.2F, 0.25F, 0.8F, 0.75F,  //
                                0.0F, 0.5F, 0.0F, 0.0F, 1.0F, 1.0F}));
  EXPECT_EQ(std::accumulate(rows.begin() + 12, rows.end(), 0.0F), 0);
}

TEST(FrigateAnswerTest, KeepsTheHighestScores) {
  std::vector<Detection> found;
  for (int i = 0; i < 30; ++i) found.push_back({{0, 0, 1, 1}, i, 1.0 - 0.01 * i});
  const std::vector<float> rows = Rows(FrigateAnswer(found, {10, 10}));
  ASSERT_EQ(rows.size(), 120U);
  EXPECT_EQ(rows[19 * 6], 19);
}

TEST(FrigateAnswerTest, ErrorsAreNoTensors) {
  EXPECT_EQ(FrigateError(absl::InvalidArgumentError("shape: found \"x\"\n")),
            R"({"error":"shape: found \"x\"\\n"})");
  EXPECT_EQ(ModelAnswer(true), R"({"model_available":true,"model_loaded":true})");
  EXPECT_EQ(OfferAnswer(false), R"({"model_loaded":false,"model_saved":false})");
}

}  // namespace
}  // namespace cleave::recorder
