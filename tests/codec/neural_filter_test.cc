#include "codec/neural_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Tensor Of(const Shape& shape, const std::vector<float>& values) {
  return *Tensor::FromFloats(shape, values);
}

std::string Error(const absl::Status& status) { return std::string(status.message()); }

TEST(CellFeaturesTest, AreTheGreatestOfACellAndTheMeanAroundIt) {
  const Tensor tensor = Of({1, 1, 2, 2}, {1, 2, 3, 6});
  // One cell: the whole plane.
  EXPECT_THAT(*CellFeatures({&tensor}, 0, 1), ElementsAre(6, 3));
  // Four cells, each of which has all others around it.
  EXPECT_THAT(*CellFeatures({&tensor}, 0, 2), ElementsAre(1, 3, 2, 3, 3, 3, 6, 3));
}

TEST(CellFeaturesTest, TheMeanIsOfTheCellsAroundAlone) {
  std::vector<float> row = {0, 0, 0, 0, 12};
  const Tensor tensor = Of({1, 1, 1, 5}, row);
  const std::vector<float> cells = *CellFeatures({&tensor}, 0, 5);
  ASSERT_EQ(cells.size(), 50U);
  // The row is all five rows of cells. The mean of the first cell knows nothing of the last one.
  EXPECT_EQ(cells[1], 0);
  EXPECT_EQ(cells[2 * 3 + 1], 4);  // One of three columns.
  EXPECT_EQ(cells[2 * 4 + 1], 6);  // At the edge, one of two.
  EXPECT_EQ(cells[2 * 4], 12);
  EXPECT_EQ(cells[2 * 24 + 1], 6);  // In the last row of cells, too.
}

TEST(CellFeaturesTest, TensorsOfSeveralSizesMeetInOneGrid) {
  const Tensor fine = Of({2, 1, 3, 3}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  const Tensor coarse = Of({2, 2, 1, 1}, {0, 0, -1, -2});
  const std::vector<float> cells = *CellFeatures({&fine, &coarse}, 1, 2);
  ASSERT_EQ(cells.size(), 24U);
  // Two cells of three rows share the one in the middle.
  EXPECT_EQ(cells[0], 5);
  EXPECT_EQ(cells[6], 6);
  EXPECT_EQ(cells[12], 8);
  EXPECT_EQ(cells[18], 9);
  EXPECT_FLOAT_EQ(cells[1], 5);  // The mean of 3, 4, 6 and 7.
  for (std::size_t cell = 0; cell < 4; ++cell) {
    EXPECT_EQ(cells[6 * cell + 2], -1);
    EXPECT_EQ(cells[6 * cell + 3], -2);
    EXPECT_EQ(cells[6 * cell + 4], -1);
  }
}

TEST(CellFeaturesTest, RefusesOtherTensors) {
  const Tensor flat = Of({1, 4}, {1, 2, 3, 4});
  EXPECT_THAT(Error(CellFeatures({&flat}, 0, 1).status()), HasSubstr("found FP32 1x4, expected"));
  const Tensor bytes = *Tensor::Zeros(DataType::kUint8, {1, 1, 2, 2});
  EXPECT_THAT(Error(CellFeatures({&bytes}, 0, 1).status()), HasSubstr("UINT8"));
}

NeuralFilterParameters Plain() {
  NeuralFilterParameters parameters;
  parameters.channels = {1};
  parameters.side = 2;
  parameters.units = 2;
  parameters.unit_weight = {1, 0, -1, 0};
  parameters.unit_bias = {-3, 1};
  parameters.output_weight = {2, 10};
  parameters.direct_weight = {0, 0.5F};
  parameters.bias = -1;
  return parameters;
}

TEST(NeuralFilterTest, ThePicturesLogitIsThatOfItsGreatestCell) {
  const NeuralFilter filter = *NeuralFilter::Create(Plain());
  const Tensor tensor = Of({2, 1, 2, 2}, {1, 2, 3, 6, 0, 0, 0, 0});
  const auto logits = filter.Logits({&tensor});
  ASSERT_TRUE(logits.ok()) << logits.status();
  // Of the cell of 6: 2 * (6 - 3) + 0.5 * 3 - 1; of zeros: 10 * 1 - 1.
  EXPECT_THAT(*logits, ElementsAre(6.5, 9));
}

TEST(NeuralFilterTest, WhatIsNoNumberIsNeverHeldBack) {
  const NeuralFilter filter = *NeuralFilter::Create(Plain());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor tensor = Of({1, 1, 2, 2}, {nan, nan, nan, nan});
  EXPECT_EQ(filter.Logits({&tensor})->front(), std::numeric_limits<double>::infinity());
}

TEST(NeuralFilterTest, RefusesTensorsOfAnotherModel) {
  const NeuralFilter filter = *NeuralFilter::Create(Plain());
  const Tensor two = Of({1, 2, 1, 1}, {1, 2});
  const Tensor one = Of({1, 1, 1, 1}, {1});
  EXPECT_THAT(Error(filter.Logits({&two}).status()), HasSubstr("found 1x2x1x1, expected 1x1 x"));
  EXPECT_THAT(Error(filter.Logits({&one, &one}).status()), HasSubstr("filter's tensors: found 2"));
}

TEST(NeuralFilterTest, ParametersAreCheckedOneByOne) {
  const auto error = [](void (*change)(NeuralFilterParameters&)) {
    NeuralFilterParameters parameters = Plain();
    change(parameters);
    return Error(NeuralFilter::Create(parameters).status());
  };
  using P = NeuralFilterParameters;
  EXPECT_EQ(error([](P&) {}), "");
  EXPECT_THAT(error([](P& p) { p.channels.clear(); }), HasSubstr("tensors: found 0"));
  EXPECT_THAT(error([](P& p) { p.channels = {0}; }), HasSubstr("channels: found 0"));
  EXPECT_THAT(error([](P& p) { p.channels = {8000, 8000}; }), HasSubstr("of all tensors: found"));
  EXPECT_THAT(error([](P& p) { p.side = 0; }), HasSubstr("side: found 0"));
  EXPECT_THAT(error([](P& p) { p.side = 65; }), HasSubstr("side: found 65"));
  EXPECT_THAT(error([](P& p) { p.units = -1; }), HasSubstr("units: found -1"));
  EXPECT_THAT(error([](P& p) { p.units = 3; }),
              HasSubstr("unit_weight: found 4 values, expected 6"));
  EXPECT_THAT(error([](P& p) { p.unit_bias.clear(); }), HasSubstr("unit_bias"));
  EXPECT_THAT(error([](P& p) { p.output_weight.clear(); }), HasSubstr("output_weight"));
  EXPECT_THAT(error([](P& p) { p.direct_weight.clear(); }), HasSubstr("direct_weight"));
  EXPECT_THAT(error([](P& p) { p.bias = std::numeric_limits<float>::infinity(); }),
              HasSubstr("bias"));
}

}  // namespace
}  // namespace cleave
