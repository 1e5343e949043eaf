#include "video/frame_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>

#include "codec/image_reader.h"
#include "support/temp_dir.h"
#include "video/frame_reader.h"

namespace cleave::video {
namespace {

using ::testing::HasSubstr;

RgbImage Grey(ImageSize size, int value) {
  RgbImage image(size);
  std::fill(image.rgb.begin(), image.rgb.end(), static_cast<std::uint8_t>(value));
  return image;
}

class FrameWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasVideo()) GTEST_SKIP() << "this build writes no videos";
  }
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  cleave::testing::TempDir folder_;
};

TEST_F(FrameWriterTest, WhatIsWrittenIsReadAgain) {
  for (const std::string name : {"a.mp4", "a.mkv", "a.avi", "a.webm"}) {
    auto writer = FrameWriter::Open(Path(name), {65, 48});
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (int i = 0; i < 12; ++i) {
      ASSERT_TRUE((*writer)->Write(Grey({65, 48}, 20 * i), i * 40'000).ok());
    }
    ASSERT_TRUE((*writer)->Finish().ok());
    auto reader = FrameReader::Open(Path(name));
    ASSERT_TRUE(reader.ok()) << reader.status();
    for (int i = 0; i < 12; ++i) {
      const auto frame = (*reader)->Next();
      ASSERT_TRUE(frame.ok()) << name << ": " << frame.status();
      const auto image = (*ImageReader::Open(frame->file, name))->ReadUpright();
      ASSERT_TRUE(image.ok()) << image.status();
      EXPECT_EQ(image->size.width, 64);
      EXPECT_EQ(image->size.height, 48);
      EXPECT_NEAR(image->row(24)[96], 20 * i, 12) << name;
      if (name == "a.avi") continue;  // It knows no times, only a rate.
      EXPECT_NEAR(static_cast<double>(frame->time_us), i * 40e3, 2e3) << name;
    }
    EXPECT_TRUE(absl::IsOutOfRange((*reader)->Next().status()));
  }
}

TEST_F(FrameWriterTest, TimesThatDoNotRiseAreMadeToRise) {
  auto writer = FrameWriter::Open(Path("b.mp4"), {32, 32});
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (const std::int64_t time_us : {0, 40'000, 40'000, 10'000, 80'000}) {
    ASSERT_TRUE((*writer)->Write(Grey({32, 32}, 128), time_us).ok());
  }
  ASSERT_TRUE((*writer)->Finish().ok());
  auto reader = FrameReader::Open(Path("b.mp4"));
  ASSERT_TRUE(reader.ok()) << reader.status();
  int frames = 0;
  while ((*reader)->Next().ok()) ++frames;
  EXPECT_EQ(frames, 5);
}

TEST_F(FrameWriterTest, AVideoThatIsLeftUnfinishedEndsThere) {
  {
    auto writer = FrameWriter::Open(Path("c.mp4"), {32, 32});
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Write(Grey({32, 32}, 128), 0).ok());
  }
  auto reader = FrameReader::Open(Path("c.mp4"));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_TRUE((*reader)->Next().ok());
}

TEST_F(FrameWriterTest, WrongPathsAndSizesAreNamed) {
  EXPECT_TRUE(absl::IsNotFound(FrameWriter::Open(Path("no/such.mp4"), {32, 32}).status()));
  const auto text = FrameWriter::Open(Path("a.txt"), {32, 32}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(text)) << text;
  EXPECT_THAT(std::string(text.message()), HasSubstr(".mp4"));
  EXPECT_TRUE(absl::IsInvalidArgument(FrameWriter::Open(Path("a.mp4"), {1, 32}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(FrameWriter::Open(Path("a.mp4"), {32, 1 << 20}).status()));
  auto writer = FrameWriter::Open(Path("a.mp4"), {32, 32});
  ASSERT_TRUE(writer.ok()) << writer.status();
  const auto other = (*writer)->Write(Grey({64, 32}, 0), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(other)) << other;
  EXPECT_THAT(std::string(other.message()), HasSubstr("found a frame of 64x32, expected 32x32"));
}

}  // namespace
}  // namespace cleave::video
