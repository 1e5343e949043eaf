#include "detect/draw.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace cleave {
namespace {

using Pixel = std::array<int, 3>;

RgbImage Black(int width, int height) { return RgbImage(ImageSize{width, height}); }

Pixel At(const RgbImage& picture, int x, int y) {
  const std::uint8_t* const rgb = picture.row(y) + 3 * x;
  return {rgb[0], rgb[1], rgb[2]};
}

constexpr Pixel kBlack = {0, 0, 0};

TEST(DrawTest, ABoxIsAFrameOfTheColourOfItsClass) {
  RgbImage picture = Black(60, 40);
  DrawDetections({{{5, 15, 50, 35}, 1, 0.9}}, {}, picture);
  const Pixel colour = At(picture, 5, 15);
  EXPECT_NE(colour, kBlack);
  EXPECT_EQ(At(picture, 49, 15), colour);
  EXPECT_EQ(At(picture, 5, 34), colour);
  EXPECT_EQ(At(picture, 49, 34), colour);
  EXPECT_EQ(At(picture, 25, 25), kBlack);
  EXPECT_EQ(At(picture, 50, 34), kBlack);
  EXPECT_EQ(At(picture, 4, 34), kBlack);
  RgbImage other = Black(60, 40);
  DrawDetections({{{5, 15, 50, 35}, 2, 0.9}}, {}, other);
  EXPECT_NE(At(other, 5, 34), colour);
}

TEST(DrawTest, TheNameStandsAboveInWhite) {
  RgbImage picture = Black(100, 60);
  DrawDetections({{{10, 20, 90, 50}, 0, 1}}, {"I"}, picture);
  // The letter I of the font has a stem of 7 rows below its first serif, in the middle of the
  // letter, which starts a pixel right of the box's edge, 13 rows above it.
  const Pixel white = {255, 255, 255};
  int stem = 0;
  for (int y = 7; y < 20; ++y) stem += At(picture, 13, y) == white ? 1 : 0;
  EXPECT_EQ(stem, 9);
  EXPECT_EQ(At(picture, 30, 6), kBlack);
}

TEST(DrawTest, WhatLiesOutsideIsCutOff) {
  for (const Box& box : {Box{0, 0, 8, 8}, Box{3, 2, 8, 8}, Box{7, 7, 8, 8}}) {
    RgbImage picture = Black(8, 8);
    DrawDetections({{box, 3, 0.5}}, {"", "", "", "a name that is much too long for it"}, picture);
    EXPECT_NE(At(picture, 7, 7), kBlack);
    EXPECT_EQ(picture.rgb.size(), 8U * 8 * 3);
  }
}

TEST(DrawTest, AnyNameCanBeDrawn) {
  RgbImage foreign = Black(60, 40);
  RgbImage question = Black(60, 40);
  DrawDetections({{{5, 15, 50, 35}, 0, 0.5}}, {"\xc3\xa4\x01"}, foreign);
  DrawDetections({{{5, 15, 50, 35}, 0, 0.5}}, {"??"}, question);
  EXPECT_EQ(foreign.rgb, question.rgb);
  EXPECT_EQ(ClassName(1, {"cat"}), "class 1");
  EXPECT_EQ(ClassName(0, {"cat"}), "cat");
}

}  // namespace
}  // namespace cleave
