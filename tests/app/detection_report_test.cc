#include "app/detection_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "codec/image_reader.h"
#include "codec/picture.h"
#include "core/file.h"

namespace cleave::app {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

PictureFile Gray(const std::string& path, int width, int height) {
  RgbImage picture({width, height});
  std::fill(picture.rgb.begin(), picture.rgb.end(), 128);
  return {path, EncodeJpeg(picture, 90).value()};
}

std::string NewFolder(const std::string& name) {
  const std::string folder = ::testing::TempDir() + "/" + name;
  fs::remove_all(folder);
  return folder;
}

TEST(DetectionLinesTest, SayWhatIsWhere) {
  const BatchDetections batch = {
      {{{10.4, 20, 30, 39.6}, 1, 0.931}, {{0, 0, 5, 5}, 7, 0.5}}, {}, {{{1, 2, 3, 4}, 0, 1}}};
  EXPECT_THAT(DetectionLines(batch, {"a.jpg", "b.jpg"}, {"cat", "dog"}),
              ElementsAre("a.jpg: 2 objects: dog 93.1% (10,20)-(30,40), class 7 50.0% (0,0)-(5,5)",
                          "b.jpg: no objects", "item 2: 1 object: cat 100.0% (1,2)-(3,4)"));
}

TEST(DetectionLinesTest, AreShortAndCannotWriteToTheTerminal) {
  const BatchDetections many = {std::vector<Detection>(12, {{0, 0, 1, 1}, 0, 0.5})};
  const auto lines = DetectionLines(many, {"a\x1b[2J.jpg"}, {"c\nat"});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr("12 objects: "));
  EXPECT_THAT(lines[0], HasSubstr(" and 2 more"));
  EXPECT_EQ(lines[0].find_first_of("\x1b\n"), std::string::npos);
}

TEST(AnnotatorTest, WritesThePictureWithItsBoxes) {
  const std::string folder = NewFolder("annotated");
  Annotator annotator(folder, {"cat"});
  ASSERT_TRUE(annotator.Write(Gray("in/a.png", 60, 40), {{{5, 15, 50, 35}, 0, 0.9}}).ok());
  const auto file = ReadFile(folder + "/a.jpg");
  ASSERT_TRUE(file.ok()) << file.status();
  const auto picture = ImageReader::Open(*file, "a.jpg").value()->ReadUpright();
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->size, (ImageSize{60, 40}));
  // The box's colour is a red; the inside stays gray.
  const std::uint8_t* const edge = picture->row(25) + 3 * 5;
  EXPECT_GT(edge[0], edge[1] + 40);
  const std::uint8_t* const inside = picture->row(25) + 3 * 30;
  EXPECT_NEAR(inside[0], 128, 8);
  EXPECT_NEAR(inside[1], 128, 8);
}

TEST(AnnotatorTest, PicturesOfOneNameAreKeptApartAndEachIsWrittenOnce) {
  const std::string folder = NewFolder("apart");
  Annotator annotator(folder, {});
  ASSERT_TRUE(annotator.Write(Gray("in/a.png", 8, 8), {}).ok());
  ASSERT_TRUE(annotator.Write(Gray("in/a.jpg", 9, 9), {}).ok());
  ASSERT_TRUE(annotator.Write(Gray("in/a.png", 8, 8), {}).ok());
  EXPECT_TRUE(fs::exists(folder + "/a.jpg"));
  EXPECT_TRUE(fs::exists(folder + "/a-2.jpg"));
  EXPECT_FALSE(fs::exists(folder + "/a-3.jpg"));
}

TEST(AnnotatorTest, NeverWritesOverAPicture) {
  const std::string folder = NewFolder("originals");
  const PictureFile picture = Gray(folder + "/a.jpg", 8, 8);
  ASSERT_TRUE(WriteFileAtomically(picture.path, picture.bytes).ok());
  Annotator annotator(folder, {});
  const absl::Status status = annotator.Write(picture, {{{0, 0, 8, 8}, 0, 0.9}});
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("--annotate"));
  EXPECT_EQ(ReadFile(picture.path).value(), picture.bytes);
}

}  // namespace
}  // namespace cleave::app
