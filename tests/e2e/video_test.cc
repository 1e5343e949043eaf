// A video as the input of a run, with an edge in another process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "e2e/processes.h"
#include "support/bright_detector.h"
#include "support/video_file.h"
#include "video/frame_reader.h"

namespace cleave {
namespace {

using testing::RunOutput;

class VideoTest : public testing::ProcessTest {
 protected:
  void SetUp() override {
    if (!video::HasVideo()) GTEST_SKIP() << "this build reads no videos";
    if (!testing::CanWriteVideos()) GTEST_SKIP() << "there is no ffmpeg to make a video with";
    model_ = folder_.Write("bright.onnx", testing::BrightDetector());
    folder_.Write("bright.json", testing::BrightDetectorSidecar());
    video_ = testing::WriteVideo(folder_.path() + "/street.avi", "-c:v mjpeg -huffman default");
  }

  std::string model_;
  std::string video_;
};

TEST_F(VideoTest, EveryFrameIsRunAndTheRunEndsWithTheVideo) {
  const auto [edge, target] = Serve(model_);
  const RunOutput run =
      Finish(*StartRun(model_, {"--input", video_, "--edge", target, "--policy", "fixed:0/jpeg"}));
  EXPECT_EQ(run.exit_code, 0) << LastErrors();
  ASSERT_EQ(run.records.size(), 10U);
  EXPECT_EQ(run.records[3]["inputs"][0], video_ + "#3");
  EXPECT_EQ(run.CountWhere("edge"), 10) << "the camera's own JPEGs travel";
  EXPECT_TRUE(run.records.front()["detections"][0].empty()) << "dark";
  EXPECT_FALSE(run.records.back()["detections"][0].empty()) << "bright";
  EXPECT_EQ(run.summary["dropped"], 0);
}

TEST_F(VideoTest, WhatIsFoundBecomesAVideoOrLinesOfAFile) {
  const std::string annotated = folder_.path() + "/out.mp4";
  const RunOutput run =
      Finish(*StartRun(model_, {"--input", video_, "--output", annotated, "--in-flight", "3"}));
  EXPECT_EQ(run.exit_code, 0) << LastErrors();
  auto reader = video::FrameReader::Open(annotated);
  ASSERT_TRUE(reader.ok()) << reader.status();
  int frames = 0;
  while ((*reader)->Next().ok()) ++frames;
  EXPECT_EQ(frames, 10);

  const std::string lines = folder_.path() + "/out.ndjson";
  const RunOutput shown = Finish(*StartRun(model_, {"--input", video_, "--output", lines}));
  std::ifstream file(lines);
  std::string line;
  for (const testing::Json& record : shown.records) {
    ASSERT_TRUE(std::getline(file, line));
    EXPECT_EQ(testing::Json::parse(line), record);
  }
  ASSERT_TRUE(std::getline(file, line));
  EXPECT_EQ(testing::Json::parse(line)["summary"]["inferences"], 10);

  EXPECT_EQ(Finish(*StartRun(model_, {"--input", video_, "--output", "out.txt"})).exit_code, 1);
  EXPECT_THAT(LastErrors(), ::testing::HasSubstr("--output: found 'out.txt'"));
}

TEST_F(VideoTest, InRealTimeEveryFrameIsRunOrDropped) {
  const RunOutput run = Finish(*StartRun(model_, {"--input", video_, "--realtime"}));
  EXPECT_EQ(run.exit_code, 0) << LastErrors();
  EXPECT_GE(run.summary["seconds"], 0.9) << "the last frame comes after that time";
  EXPECT_EQ(run.summary["inferences"].get<int>() + run.summary["dropped"].get<int>(), 10);
}

}  // namespace
}  // namespace cleave
