#include "video/frame_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <string>

#include "codec/image.h"
#include "support/temp_dir.h"
#include "support/video_file.h"

namespace cleave::video {
namespace {

using ::testing::HasSubstr;

int Brightness(const std::string& file) {
  Preprocessing how;
  how.KeepValues();
  how.height = how.width = 16;
  how.fit = Preprocessing::Fit::kStretch;
  how.datatype = DataType::kUint8;
  const Tensor tensor = ImageToTensor(file, how, "frame").value();
  return std::to_integer<int>(tensor.data()[0]);
}

class FrameReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasVideo()) GTEST_SKIP() << "this build reads no videos";
  }

  // Opens a video of ten frames; nothing where none can be made.
  std::unique_ptr<FrameReader> Open(const std::string& name, const std::string& how) {
    if (!cleave::testing::CanWriteVideos()) return nullptr;
    auto reader = FrameReader::Open(cleave::testing::WriteVideo(folder_.path() + "/" + name, how));
    EXPECT_TRUE(reader.ok()) << reader.status();
    return reader.ok() ? *std::move(reader) : nullptr;
  }

  cleave::testing::TempDir folder_;
};

TEST_F(FrameReaderTest, GivesEveryFrameOnceInOrder) {
  const auto reader = Open("a.mp4", "-c:v mpeg4 -q:v 1");
  if (!reader) GTEST_SKIP() << "there is no ffmpeg to make a video with";
  int last = -1;
  for (int i = 0; i < 10; ++i) {
    const auto frame = reader->Next();
    ASSERT_TRUE(frame.ok()) << frame.status();
    EXPECT_EQ(frame->number, i);
    EXPECT_NEAR(static_cast<double>(frame->time_us), i * 1e5, 1e3);
    EXPECT_GT(Brightness(frame->file), last);
    last = Brightness(frame->file);
  }
  EXPECT_TRUE(absl::IsOutOfRange(reader->Next().status()));
  EXPECT_TRUE(absl::IsOutOfRange(reader->Next().status())) << "and stays there";
}

TEST_F(FrameReaderTest, GivesTheJpegsOfACameraAsTheyAre) {
  const auto reader = Open("a.avi", "-c:v mjpeg -huffman default -q:v 2");
  if (!reader) GTEST_SKIP() << "there is no ffmpeg to make a video with";
  const auto frame = reader->Next();
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->file.substr(0, 2), "\xff\xd8") << "a JPEG file";
}

TEST_F(FrameReaderTest, SaysWhatIsWrong) {
  const auto none = FrameReader::Open(folder_.path() + "/none.mp4");
  EXPECT_EQ(none.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(none.status().message(), HasSubstr("none.mp4"));
  const auto text = FrameReader::Open(folder_.Write("text.mp4", "this is no video"));
  EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(text.status().message(), HasSubstr("no readable video"));
  EXPECT_FALSE(FrameReader::Open("a.mp4", {.patience_us = 0}).ok());
  const auto nobody = FrameReader::Open("rtsp://127.0.0.1:9/none", {.patience_us = 2'000'000});
  EXPECT_EQ(nobody.status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(FrameReaderTest, APlaylistOpensNothingElse) {
  const std::string path = folder_.Write(
      "list.mp4", "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/stolen.ts\n#EXT-X-ENDLIST\n");
  EXPECT_FALSE(FrameReader::Open(path).ok());
}

TEST(SourceKindTest, GoesByEndingAndScheme) {
  EXPECT_EQ(KindOf("street.MP4"), SourceKind::kFile);
  EXPECT_EQ(KindOf("a/b.avi"), SourceKind::kFile);
  EXPECT_EQ(KindOf("rtsp://camera/stream"), SourceKind::kCamera);
  EXPECT_EQ(KindOf("http://camera/video.mjpeg"), SourceKind::kCamera);
  EXPECT_EQ(KindOf("dog.jpg"), SourceKind::kNone);
  EXPECT_EQ(KindOf("folder"), SourceKind::kNone);
}

}  // namespace
}  // namespace cleave::video
