#include "codec/input_geometry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "codec/image.h"
#include "support/picture_files.h"

namespace cleave {
namespace {

using Fit = Preprocessing::Fit;
using ::testing::HasSubstr;

Preprocessing Of(Fit fit, int width, int height) {
  Preprocessing how;
  how.fit = fit;
  how.width = width;
  how.height = height;
  return how;
}

Placement Place(ImageSize picture, const Preprocessing& how) {
  return PlacePicture(picture, how, "p").value();
}

TEST(PlacePictureTest, ALetterboxKeepsTheAspectRatioAndCentres) {
  const Placement wide = Place({640, 480}, Of(Fit::kLetterbox, 416, 416));
  EXPECT_EQ(wide.resized, (ImageSize{416, 312}));
  EXPECT_EQ(wide.taken.size, wide.resized);
  EXPECT_EQ(wide.left, 0);
  EXPECT_EQ(wide.top, 52);

  // An odd rest goes to the right and below, as in Ultralytics' LetterBox.
  const Placement tall = Place({100, 201}, Of(Fit::kLetterbox, 64, 101));
  EXPECT_EQ(tall.resized, (ImageSize{50, 101}));
  EXPECT_EQ(tall.left, 7);
  EXPECT_EQ(tall.top, 0);
  EXPECT_EQ(Place({7, 7}, Of(Fit::kLetterbox, 8, 9)).top, 0);
  EXPECT_EQ(Place({5000, 2}, Of(Fit::kLetterbox, 32, 32)).resized, (ImageSize{32, 1}));
  EXPECT_EQ(Place({3, 60000}, Of(Fit::kLetterbox, 32, 32)).resized, (ImageSize{1, 32}));
}

TEST(PlacePictureTest, AStretchTakesTheWholePicture) {
  const Placement place = Place({640, 480}, Of(Fit::kStretch, 320, 200));
  EXPECT_EQ(place.resized, (ImageSize{320, 200}));
  EXPECT_EQ(place.taken.size, place.resized);
}

TEST(PlacePictureTest, ACropTakesTheCentre) {
  const Placement place = Place({640, 480}, Of(Fit::kCrop, 224, 224));
  EXPECT_EQ(place.resized, (ImageSize{341, 256}));
  EXPECT_EQ(place.taken.left, 59);
  EXPECT_EQ(place.taken.top, 16);
  EXPECT_EQ(place.taken.size, (ImageSize{224, 224}));
}

void ExpectPoint(ImagePoint found, ImagePoint expected) {
  EXPECT_NEAR(found.x, expected.x, 1e-9);
  EXPECT_NEAR(found.y, expected.y, 1e-9);
}

TEST(MapInputToPictureTest, TurnsThePlacementRound) {
  const InputToPicture box =
      MapInputToPicture(ImageSize{640, 480}, Of(Fit::kLetterbox, 416, 416), "p").value();
  ExpectPoint(box.ToUpright({0, 52}), {0, 0});
  ExpectPoint(box.ToUpright({416, 364}), {640, 480});
  ExpectPoint(box.ToUpright({208, 208}), {320, 240});
  ExpectPoint(box.ToUpright({0, 0}), {0, -80});

  const InputToPicture stretch =
      MapInputToPicture(ImageSize{640, 480}, Of(Fit::kStretch, 320, 120), "p").value();
  ExpectPoint(stretch.ToUpright({320, 120}), {640, 480});
  ExpectPoint(stretch.ToUpright({1, 1}), {2, 4});

  Preprocessing how = Of(Fit::kCrop, 200, 200);
  how.resize = 240;
  const InputToPicture crop = MapInputToPicture(ImageSize{640, 480}, how, "p").value();
  ExpectPoint(crop.ToUpright({0, 0}), {120, 40});
  ExpectPoint(crop.ToUpright({200, 200}), {520, 440});
}

TEST(MapInputToPictureTest, RefusesWhatCannotBeAnInput) {
  EXPECT_FALSE(MapInputToPicture("no picture", Of(Fit::kStretch, 8, 8), "p").ok());
  EXPECT_FALSE(
      MapInputToPicture(testing::PlainPng(4, 4, 1, 2, 3), Of(Fit::kStretch, 0, 8), "p").ok());
  Preprocessing how = Of(Fit::kCrop, 32, 8);
  how.resize = 8;
  EXPECT_THAT(
      std::string(MapInputToPicture(testing::PlainPng(4, 4, 1, 2, 3), how, "p").status().message()),
      HasSubstr("for the crop"));
}

// A gray picture with one white block, whose corner is found again in the file's own pixels.
class OrientationTest : public ::testing::TestWithParam<int> {
 protected:
  static constexpr int kWidth = 96;
  static constexpr int kHeight = 64;
  static constexpr int kBlock = 16;
  static constexpr int kLeft = 16;
  static constexpr int kTop = 32;

  static std::string File(int orientation) {
    std::vector<std::uint8_t> rgb(std::size_t{3} * kWidth * kHeight, 40);
    for (int y = kTop; y < kTop + kBlock; ++y) {
      for (int x = 3 * kLeft; x < 3 * (kLeft + kBlock); ++x) rgb[3 * kWidth * y + x] = 255;
    }
    return testing::JpegFile(kWidth, kHeight, rgb, {.exif = testing::ExifOf(orientation)});
  }
};

TEST_P(OrientationTest, PointsOfTheInputLeadToThePixelsOfTheFile) {
  const std::string file = File(GetParam());
  for (Preprocessing how :
       {Of(Fit::kLetterbox, 80, 80), Of(Fit::kStretch, 96, 96), Of(Fit::kCrop, 64, 64)}) {
    if (how.fit == Fit::kCrop) how.resize = 64;
    const std::vector<std::uint8_t> pixels = ImageToPixels(file, how, "p").value();
    const InputToPicture map = MapInputToPicture(file, how, "p").value();
    int white = 0;
    for (int y = 0; y < how.height; ++y) {
      for (int x = 0; x < how.width; ++x) {
        if (pixels[3 * (std::size_t{1} * y * how.width + x)] < 200) continue;
        ++white;
        const ImagePoint at = map.ToStored({x + 0.5, y + 0.5});
        EXPECT_GT(at.x, kLeft - 1);
        EXPECT_LT(at.x, kLeft + kBlock + 1);
        EXPECT_GT(at.y, kTop - 1);
        EXPECT_LT(at.y, kTop + kBlock + 1);
      }
    }
    EXPECT_GT(white, 100);
    const ImagePoint corner = map.ToStored({0, 0});
    const ImagePoint upright = map.ToUpright({0, 0});
    if (GetParam() == 1) ExpectPoint(corner, upright);
    EXPECT_EQ(map.upright.width, GetParam() < 5 ? kWidth : kHeight);
  }
}

INSTANTIATE_TEST_SUITE_P(All, OrientationTest, ::testing::Range(1, 9));

}  // namespace
}  // namespace cleave
