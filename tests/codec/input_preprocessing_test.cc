#include "codec/input_preprocessing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/temp_dir.h"

namespace cleave {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

TensorSpec Input(DataType dtype, Shape shape = {-1, 3, 64, 48}) { return {"x", dtype, shape}; }

class InputPreprocessingTest : public ::testing::Test {
 protected:
  absl::StatusOr<Preprocessing> For(const TensorSpec& input, const std::string& fields = "") {
    if (!fields.empty()) folder_.Write("m.json", "{\"preprocessing\": {" + fields + "}}");
    return PreprocessingFor(input, folder_.path() + "/m.onnx", {});
  }

  testing::TempDir folder_;
};

TEST_F(InputPreprocessingTest, TakesShapeAndTypeFromTheInput) {
  const Preprocessing floats = For(Input(DataType::kFloat32)).value();
  EXPECT_EQ(floats.height, 64);
  EXPECT_EQ(floats.width, 48);
  EXPECT_EQ(floats.datatype, DataType::kFloat32);
  EXPECT_EQ(floats.mean, Preprocessing().mean);
  EXPECT_EQ(For(Input(DataType::kFloat16)).value().datatype, DataType::kFloat16);

  const Preprocessing bytes = For(Input(DataType::kUint8, {1, 64, 48, 3})).value();
  EXPECT_EQ(bytes.datatype, DataType::kUint8);
  EXPECT_FALSE(bytes.channels_first);
  EXPECT_EQ(bytes.scale, 255);
  EXPECT_THAT(bytes.mean, Each(0));
  EXPECT_THAT(bytes.deviation, Each(1));
}

TEST_F(InputPreprocessingTest, TheSidecarDecidesTheRest) {
  const Preprocessing how =
      For(Input(DataType::kUint8), R"("fit": "letterbox", "channel_order": "BGR")").value();
  EXPECT_EQ(how.fit, Preprocessing::Fit::kLetterbox);
  EXPECT_EQ(how.channel_order, Preprocessing::ChannelOrder::kBgr);
  EXPECT_EQ(how.datatype, DataType::kUint8);
}

TEST_F(InputPreprocessingTest, RefusesASidecarOfAnotherType) {
  EXPECT_THAT(
      std::string(For(Input(DataType::kFloat32), R"("datatype": "UINT8")").status().message()),
      HasSubstr("datatype: found UINT8, expected FP32, the type of the model's input"));
}

TEST_F(InputPreprocessingTest, PicturesBecomeThreeTypesOfFourDimensions) {
  for (const DataType dtype : {DataType::kFloat32, DataType::kFloat16, DataType::kUint8}) {
    EXPECT_TRUE(CheckTakesPictures(Input(dtype), "m").ok());
    EXPECT_FALSE(CheckTakesPictures(Input(dtype, {1, 3}), "m").ok());
  }
  EXPECT_THAT(
      std::string(CheckTakesPictures(Input(DataType::kInt64), "m").message()),
      HasSubstr("m: found images for an input of type INT64 and shape ?x3x64x48, expected an "
                "FP32, FP16 or UINT8 input"));
}

}  // namespace
}  // namespace cleave
