#include "learn/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "model/graph_writer.h"
#include "support/temp_dir.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Pictures of one pixel whose class is its brightest colour.
Preprocessing OnePixel() {
  Preprocessing how;
  how.resize = 1;
  how.height = 1;
  how.width = 1;
  return how;
}

class EvaluateTest : public ::testing::Test {
 protected:
  EvaluateTest() {
    path_ = folder_ + "/net.onnx";
    const std::vector<float> identity = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    const std::vector<float> zeros(9, 0);
    const std::vector<float> none(3, 0);
    const std::vector<float> always_green = {0, 1, 0};
    GraphWriter writer("net");
    const std::string flat = writer.Flatten("flat", writer.Input("x", {3, 1, 1}));
    writer.Output(writer.Gemm("green", flat, 3, {zeros, always_green}));
    writer.Output(writer.Gemm("brightest", flat, 3, {identity, none}));
    EXPECT_TRUE(writer.Save(path_).ok());
  }

  const testing::TempDir temp_;
  const std::string folder_ = temp_.path();
  std::string path_;
};

TEST_F(EvaluateTest, CountsWhatEachExitSays) {
  LabelledImages images;
  images.image_bytes = 3;
  for (int i = 0; i < 300; ++i) {  // More than one batch.
    for (int channel = 0; channel < 3; ++channel) {
      images.pixels.push_back(channel == i % 3 ? 255 : 0);
    }
    images.labels.push_back(static_cast<std::uint8_t>(i < 30 ? 2 : i % 3));
  }

  const auto exits = EvaluateExits(path_, images, OnePixel(), 3);
  ASSERT_TRUE(exits.ok()) << exits.status();
  ASSERT_EQ(exits->size(), 2U);
  EXPECT_EQ((*exits)[0].name, "green");
  EXPECT_DOUBLE_EQ((*exits)[0].accuracy, 0.3);
  EXPECT_EQ((*exits)[1].name, "brightest");
  EXPECT_DOUBLE_EQ((*exits)[1].accuracy, 280.0 / 300);
  EXPECT_THAT((*exits)[1].confusion,
              ElementsAre(ElementsAre(90, 0, 0), ElementsAre(0, 90, 0), ElementsAre(10, 10, 100)));
}

TEST_F(EvaluateTest, AModelOfOtherClassesIsRefused) {
  LabelledImages images{3, {1, 2, 3}, {0}};
  const auto exits = EvaluateExits(path_, images, OnePixel(), 10);
  EXPECT_THAT(std::string(exits.status().message()),
              ::testing::AllOf(HasSubstr("'green'"), HasSubstr("1x3"), HasSubstr("1x10")));
}

}  // namespace
}  // namespace cleave
