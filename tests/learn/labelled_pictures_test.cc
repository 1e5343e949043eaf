#include "learn/labelled_pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "learn/made_up_pictures.h"
#include "support/picture_files.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using testing::TempDir;

// A picture of one colour: R is `red`, G and B are 0.
std::string Png(int red) { return testing::PlainPng(8, 8, red, 0, 0); }

Preprocessing Plain() {
  Preprocessing how;
  how.resize = how.height = how.width = 4;
  how.mean = {0, 0, 0};
  how.deviation = {1, 1, 1};
  return how;
}

class LabelledPicturesTest : public ::testing::Test {
 protected:
  // Six birds and three cats to train, one of each to test; each of another red.
  LabelledPicturesTest() {
    for (const char* name : {"train/bird", "train/cat", "test/bird", "test/cat"}) {
      std::filesystem::create_directories(folder_.path() + "/" + name);
    }
    for (int i = 0; i < 6; ++i) folder_.Write(absl::StrCat("train/bird/", i, ".png"), Png(i));
    for (int i = 0; i < 3; ++i) folder_.Write(absl::StrCat("train/cat/", i, ".png"), Png(100 + i));
    folder_.Write("test/bird/a.png", Png(50));
    folder_.Write("test/cat/a.png", Png(150));
  }

  std::unique_ptr<LabelledPictures> Open(const PictureLimits& limits = {}) const {
    auto pictures = LabelledPictures::Open(folder_.path(), Plain(), limits);
    EXPECT_TRUE(pictures.ok()) << pictures.status();
    return *std::move(pictures);
  }

  // The red of each picture.
  static std::vector<int> Reds(const LabelledPictures& pictures, Part part, std::size_t first,
                               std::size_t count, std::size_t rows) {
    const auto batch = pictures.Batch(part, first, count, rows);
    EXPECT_TRUE(batch.ok()) << batch.status();
    EXPECT_EQ(batch->shape(), (Shape{static_cast<std::int64_t>(rows), 3, 4, 4}));
    std::vector<int> reds;
    for (std::size_t row = 0; row < rows; ++row) {
      reds.push_back(static_cast<int>(batch->floats()[row * 48] * 255 + 0.5F));
    }
    return reds;
  }

  const TempDir folder_;
};

TEST_F(LabelledPicturesTest, BatchesAreThePicturesInOrder) {
  const auto pictures = Open();
  EXPECT_THAT(pictures->classes(), ElementsAre("bird", "cat"));
  EXPECT_THAT(pictures->labels(Part::kTrain), ElementsAre(0, 0, 0, 0, 0, 0, 1, 1, 1));
  EXPECT_THAT(pictures->labels(Part::kTest), ElementsAre(0, 1));
  EXPECT_THAT(Reds(*pictures, Part::kTrain, 4, 4, 4), ElementsAre(4, 5, 100, 101));
  EXPECT_THAT(Reds(*pictures, Part::kTest, 0, 2, 4), ElementsAre(50, 150, 150, 150));
}

TEST_F(LabelledPicturesTest, LimitsTakeAsManyOfEachClassAsThereAre) {
  const auto count = [](const std::vector<int>& labels) {
    std::map<int, int> counts;
    for (const int label : labels) ++counts[label];
    return counts;
  };
  EXPECT_THAT(count(Open({4, 1, 1})->labels(Part::kTrain)), ElementsAre(Pair(0, 2), Pair(1, 2)));
  EXPECT_THAT(count(Open({8, 1, 1})->labels(Part::kTrain)), ElementsAre(Pair(0, 5), Pair(1, 3)));
  EXPECT_EQ(Open({100, 100, 1})->labels(Part::kTrain).size(), 9U);
  EXPECT_EQ(Open({4, 1, 1})->labels(Part::kTest).size(), 1U);
}

TEST_F(LabelledPicturesTest, TheSeedDecidesTheChoice) {
  std::set<std::vector<int>> choices;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const auto reds = Reds(*Open({4, 0, seed}), Part::kTrain, 0, 4, 4);
    EXPECT_EQ(reds, Reds(*Open({4, 0, seed}), Part::kTrain, 0, 4, 4));
    EXPECT_TRUE(std::is_sorted(reds.begin(), reds.end()));
    choices.insert(reds);
  }
  EXPECT_GT(choices.size(), 1U);
}

TEST_F(LabelledPicturesTest, TheDigestIsThatOfTheChosenPictures) {
  const auto digest = Open()->Digest();
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(digest->size(), 64U);
  EXPECT_EQ(*Open()->Digest(), *digest);
  EXPECT_NE(*Open({4, 0, 1})->Digest(), *digest);
  folder_.Write("test/cat/a.png", Png(151));
  EXPECT_NE(*Open()->Digest(), *digest);
}

TEST_F(LabelledPicturesTest, BinaryRecordsAreReadToo) {
  const TempDir folder;
  testing::WriteMadeUpData(folder);
  Preprocessing how = Plain();
  how.resize = how.height = how.width = 32;
  const auto pictures = LabelledPictures::Open(folder.path(), how, {20, 0, 1});
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  EXPECT_EQ((*pictures)->classes().size(), 10U);
  EXPECT_EQ((*pictures)->labels(Part::kTrain).size(), 20U);
  EXPECT_EQ((*pictures)->labels(Part::kTest).size(), 50U);
  EXPECT_TRUE((*pictures)->Batch(Part::kTrain, 0, 20, 20).ok());
  EXPECT_THAT(std::string(LabelledPictures::Open(folder.path(), Plain(), {}).status().message()),
              HasSubstr("32x32; 4x4 was asked for"));
}

TEST_F(LabelledPicturesTest, WhatCannotBeIsNamed) {
  const auto error = [&](const PictureLimits& limits) {
    return std::string(LabelledPictures::Open(folder_.path(), Plain(), limits).status().message());
  };
  EXPECT_THAT(error({1, 0, 1}), HasSubstr("samples: found 1, expected 2 or more"));
  EXPECT_THAT(error({-5, 0, 1}), HasSubstr("samples: found -5"));
  EXPECT_THAT(error({0, -1, 1}), HasSubstr("test samples: found -1"));
  folder_.Write("train/cat/1.png", "no picture");
  EXPECT_THAT(std::string(Open()->Batch(Part::kTrain, 7, 1, 1).status().message()),
              HasSubstr("train/cat/1.png"));
}

}  // namespace
}  // namespace cleave
