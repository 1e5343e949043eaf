#include "codec/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "codec/kernels.h"
#include "support/picture_files.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;

struct Picture {
  int width;
  int height;
  std::vector<std::uint8_t> rgb;

  Picture(int w, int h) : width(w), height(h), rgb(static_cast<std::size_t>(w) * h * 3) {}
  std::uint8_t& at(int x, int y, int channel) {
    return rgb[(static_cast<std::size_t>(y) * width + x) * 3 + channel];
  }
};

std::string Png(const Picture& picture) {
  return testing::PngFile(picture.width, picture.height, picture.rgb);
}

std::string Jpeg(const Picture& picture) {
  return testing::JpegFile(picture.width, picture.height, picture.rgb);
}

// In this picture, red grows to the right, green grows downwards, and blue is flat.
Picture Ramp(int width, int height) {
  Picture picture(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      picture.at(x, y, 0) = static_cast<std::uint8_t>(255 * x / std::max(1, width - 1));
      picture.at(x, y, 1) = static_cast<std::uint8_t>(255 * y / std::max(1, height - 1));
      picture.at(x, y, 2) = 128;
    }
  }
  return picture;
}

Preprocessing Plain(int side) {
  Preprocessing how;
  how.resize = how.height = how.width = side;
  how.mean = {0, 0, 0};
  how.deviation = {1, 1, 1};
  return how;
}

std::string ErrorOf(absl::string_view encoded, const Preprocessing& how = Plain(8)) {
  const absl::Status status = ImageToTensor(encoded, how, "cat.jpg").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

TEST(ImageToTensorTest, TakesPixelsAsTheyAreWhenTheSizeFits) {
  Picture picture = Ramp(8, 8);
  const Tensor tensor = ImageToTensor(Png(picture), Plain(8), "p").value();
  ASSERT_EQ(tensor.shape(), (Shape{1, 3, 8, 8}));
  ASSERT_EQ(tensor.dtype(), DataType::kFloat32);
  for (int channel = 0; channel < 3; ++channel) {
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 8; ++x) {
        const float expected = static_cast<float>(picture.at(x, y, channel)) / 255;
        ASSERT_NEAR(tensor.floats()[(channel * 8 + y) * 8 + x], expected, 1e-6);
      }
    }
  }
}

TEST(ImageToTensorTest, NormalizesEachChannel) {
  Preprocessing how;
  how.height = how.width = how.resize = 4;
  Picture picture(4, 4);
  for (int i = 0; i < 16; ++i) picture.at(i % 4, i / 4, 1) = 255;
  const Tensor tensor = ImageToTensor(Png(picture), how, "p").value();
  EXPECT_NEAR(tensor.floats()[0], -0.485 / 0.229, 1e-5);
  EXPECT_NEAR(tensor.floats()[16], (1 - 0.456) / 0.224, 1e-5);
  EXPECT_NEAR(tensor.floats()[32], -0.406 / 0.225, 1e-5);
}

TEST(ImageToTensorTest, LaysOutChannelsLastWhenAsked) {
  Preprocessing how = Plain(8);
  const Tensor nchw = ImageToTensor(Png(Ramp(8, 8)), how, "p").value();
  how.channels_first = false;
  const Tensor nhwc = ImageToTensor(Png(Ramp(8, 8)), how, "p").value();
  ASSERT_EQ(nhwc.shape(), (Shape{1, 8, 8, 3}));
  for (int pixel = 0; pixel < 64; ++pixel) {
    for (int channel = 0; channel < 3; ++channel) {
      ASSERT_EQ(nhwc.floats()[pixel * 3 + channel], nchw.floats()[channel * 64 + pixel]);
    }
  }
}

TEST(ImageToTensorTest, CropsTheCentreAfterResizingTheShorterSide) {
  // The picture is resized from 40 x 20 to 20 x 10, of which the middle 10 columns stay: red goes
  // from a quarter to three quarters.
  const Tensor tensor = ImageToTensor(Png(Ramp(40, 20)), Plain(10), "p").value();
  ASSERT_EQ(tensor.shape(), (Shape{1, 3, 10, 10}));
  EXPECT_NEAR(tensor.floats()[0], 0.27, 0.02);
  EXPECT_NEAR(tensor.floats()[9], 0.73, 0.02);
  EXPECT_NEAR(tensor.floats()[200], 128.0 / 255, 0.005);
}

TEST(ImageToTensorTest, LeavesAnImageOfTheCropsSizeAloneWhenResizeIsItsShorterSide) {
  for (const auto& [width, height] : {std::pair(9, 5), {5, 9}, {7, 7}}) {
    const Picture picture = Ramp(width, height);
    Preprocessing how = Plain(std::min(width, height));
    how.width = width;
    how.height = height;
    EXPECT_EQ(ImageToPixels(Png(picture), how, "p").value(), picture.rgb);
    how.resize = 2 * std::max(width, height);
    EXPECT_NE(ImageToPixels(Png(picture), how, "p").value(), picture.rgb);
  }
}

TEST(ImageToTensorTest, RefusesAnImageThatIsTooNarrowForTheCrop) {
  Preprocessing how = Plain(10);
  how.width = 20;
  EXPECT_THAT(ErrorOf(Png(Ramp(15, 10)), how), HasSubstr("15x10 with its shorter side at 10"));
  EXPECT_TRUE(ImageToTensor(Png(Ramp(20, 10)), how, "p").ok());
}

TEST(ImageToTensorTest, AveragesWhenItReduces) {
  Picture checkers(64, 64);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) checkers.at(x, y, 0) = (x + y) % 2 == 0 ? 255 : 0;
  }
  const Tensor tensor = ImageToTensor(Png(checkers), Plain(8), "p").value();
  for (int i = 0; i < 64; ++i) ASSERT_NEAR(tensor.floats()[i], 0.5, 0.02);
}

TEST(ImageToTensorTest, EnlargesCifarImages) {
  const Tensor tensor = ImageToTensor(Png(Ramp(32, 32)), Preprocessing(), "p").value();
  EXPECT_EQ(tensor.shape(), (Shape{1, 3, 224, 224}));
}

TEST(ImageToTensorTest, TakesExtremeAspectRatios) {
  EXPECT_TRUE(ImageToTensor(Png(Ramp(1, 1)), Plain(16), "p").ok());
  EXPECT_TRUE(ImageToTensor(Png(Ramp(300, 1)), Plain(8), "p").ok());
  EXPECT_TRUE(ImageToTensor(Png(Ramp(1, 300)), Plain(8), "p").ok());
  EXPECT_THAT(ErrorOf(Png(Ramp(3000, 1)), Plain(224)), HasSubstr("pixels"));
}

TEST(ImageToTensorTest, StretchesToTheInputsSides) {
  Preprocessing how = Plain(10);
  how.resize = 0;
  how.fit = Preprocessing::Fit::kStretch;
  const Tensor tensor = ImageToTensor(Png(Ramp(40, 20)), how, "p").value();
  ASSERT_EQ(tensor.shape(), (Shape{1, 3, 10, 10}));
  EXPECT_NEAR(tensor.floats()[0], 0.04, 0.02);
  EXPECT_NEAR(tensor.floats()[9], 0.96, 0.02);
  EXPECT_NEAR(tensor.floats()[100], 0.04, 0.02);
  EXPECT_NEAR(tensor.floats()[190], 0.96, 0.02);
}

TEST(ImageToTensorTest, PadsALetterbox) {
  Preprocessing how = Plain(8);
  how.resize = 0;
  how.fit = Preprocessing::Fit::kLetterbox;
  how.pad = 7;
  Picture wide(16, 8);
  for (std::uint8_t& value : wide.rgb) value = 200;
  const std::vector<std::uint8_t> pixels = ImageToPixels(Png(wide), how, "p").value();
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const std::size_t row = i / 24;
    ASSERT_EQ(pixels[i], row < 2 || row >= 6 ? 7 : 200) << i;
  }
  Picture tall(3, 8);
  const std::vector<std::uint8_t> beside = ImageToPixels(Png(tall), how, "p").value();
  for (std::size_t i = 0; i < beside.size(); ++i) {
    const std::size_t column = i % 24 / 3;
    ASSERT_EQ(beside[i], column < 2 || column >= 5 ? 7 : 0) << i;
  }
}

TEST(ImageToTensorTest, OtherFitsLeaveAnImageOfTheInputsSizeAlone) {
  for (const auto fit : {Preprocessing::Fit::kStretch, Preprocessing::Fit::kLetterbox}) {
    Preprocessing how = Plain(0);
    how.fit = fit;
    how.width = 9;
    how.height = 5;
    const Picture picture = Ramp(9, 5);
    EXPECT_EQ(ImageToPixels(Png(picture), how, "p").value(), picture.rgb);
  }
}

// NanoDet's values are those of BGR in 0 to 255.
TEST(ImageToTensorTest, NormalizesBgrIn0To255) {
  Preprocessing how = Plain(4);
  how.channel_order = Preprocessing::ChannelOrder::kBgr;
  how.scale = 255;
  how.mean = {103.53F, 116.28F, 123.675F};
  how.deviation = {57.375F, 57.12F, 58.395F};
  Picture picture(4, 4);
  picture.at(0, 0, 0) = 10;
  picture.at(0, 0, 1) = 20;
  picture.at(0, 0, 2) = 30;
  const Tensor tensor = ImageToTensor(Png(picture), how, "p").value();
  EXPECT_NEAR(tensor.floats()[0], (30 - 103.53) / 57.375, 1e-6);
  EXPECT_NEAR(tensor.floats()[16], (20 - 116.28) / 57.12, 1e-6);
  EXPECT_NEAR(tensor.floats()[32], (10 - 123.675) / 58.395, 1e-6);
}

TEST(ImageToTensorTest, GivesBytesAsTheyAre) {
  Preprocessing how = Plain(8);
  how.KeepValues();
  how.datatype = DataType::kUint8;
  how.channels_first = false;
  const Picture picture = Ramp(8, 8);
  const Tensor tensor = ImageToTensor(Png(picture), how, "p").value();
  EXPECT_EQ(tensor.dtype(), DataType::kUint8);
  EXPECT_EQ(tensor.shape(), (Shape{1, 8, 8, 3}));
  EXPECT_EQ(tensor.bytes(), absl::string_view(reinterpret_cast<const char*>(picture.rgb.data()),
                                              picture.rgb.size()));
  how.channel_order = Preprocessing::ChannelOrder::kBgr;
  const Tensor turned = ImageToTensor(Png(picture), how, "p").value();
  for (std::size_t i = 0; i < picture.rgb.size(); ++i) {
    ASSERT_EQ(static_cast<std::uint8_t>(turned.data()[i]), picture.rgb[i - i % 3 + 2 - i % 3]);
  }
}

TEST(ImageToTensorTest, RoundsToHalves) {
  Preprocessing how;
  how.height = how.width = how.resize = 8;
  const Tensor floats = ImageToTensor(Png(Ramp(8, 8)), how, "p").value();
  how.datatype = DataType::kFloat16;
  const Tensor halves = ImageToTensor(Png(Ramp(8, 8)), how, "p").value();
  ASSERT_EQ(halves.dtype(), DataType::kFloat16);
  std::vector<float> values(192);
  ASSERT_TRUE(
      HalvesToFloats(reinterpret_cast<const std::uint16_t*>(halves.data()), 192, values.data()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_NEAR(values[i], floats.floats()[i], std::abs(floats.floats()[i]) / 2048 + 1e-7);
  }
}

TEST(PixelsToTensorTest, RefusesOtherCounts) {
  const std::vector<std::uint8_t> pixels(15);
  EXPECT_THAT(std::string(PixelsToTensor(pixels, Plain(2)).status().message()),
              HasSubstr("pixels of 2x2: found 15 bytes of RGB, expected 12"));
}

TEST(ImageToTensorTest, ReadsJpeg) {
  const Tensor jpeg = ImageToTensor(Jpeg(Ramp(64, 64)), Plain(64), "p").value();
  const Tensor png = ImageToTensor(Png(Ramp(64, 64)), Plain(64), "p").value();
  for (std::size_t i = 0; i < jpeg.floats().size(); ++i) {
    ASSERT_NEAR(jpeg.floats()[i], png.floats()[i], 0.05);
  }
}

TEST(ImageToTensorTest, RefusesWhatIsNoImage) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("cat.jpg: found neither"));
  EXPECT_THAT(ErrorOf("GIF89a"), HasSubstr("found neither"));
  EXPECT_THAT(ErrorOf("\xFF\xD8"), HasSubstr("cat.jpg"));
  EXPECT_THAT(ErrorOf("\x89PNG\r\n\x1a\n"), HasSubstr("cat.jpg"));
}

TEST(ImageToTensorTest, RefusesTruncatedImagesAtAnyLength) {
  for (const std::string& whole : {Jpeg(Ramp(40, 40)), Png(Ramp(40, 40))}) {
    for (std::size_t size = 0; size + 12 < whole.size(); size += 7) {
      ASSERT_FALSE(ImageToTensor(whole.substr(0, size), Plain(8), "p").ok()) << size;
    }
  }
}

TEST(ImageToTensorTest, SeesATruncatedJpegBehindAWholeThumbnail) {
  const std::string thumbnail = Jpeg(Ramp(8, 8));
  const std::string picture = Jpeg(Ramp(64, 64));
  const std::size_t length = thumbnail.size() + 2;
  std::string exif = "\xFF\xE1";
  exif += static_cast<char>(length >> 8);
  exif += static_cast<char>(length & 0xFF);
  const std::string whole = picture.substr(0, 2) + exif + thumbnail + picture.substr(2);
  EXPECT_TRUE(ImageToTensor(whole, Plain(8), "p").ok());
  EXPECT_THAT(ErrorOf(whole.substr(0, whole.size() - 200)), HasSubstr("breaks off"));
}

TEST(ImageToTensorTest, RefusesHuffmanTablesWithTooManyCodes) {
  const std::string whole = Jpeg(Ramp(16, 16));
  const std::size_t table = whole.find("\xFF\xC4");
  ASSERT_NE(table, std::string::npos);
  for (const std::size_t count : {0, 7, 15}) {
    std::string broken = whole;
    broken[table + 5 + count] = '\xFF';
    broken[table + 5 + (count + 1) % 16] = '\xFF';
    EXPECT_THAT(ErrorOf(broken), HasSubstr("Huffman table"));
  }
  // The table may come between two scans as well.
  const std::string late = std::string("\xFF\xC4\x01\x21\x00", 5) + std::string(16, '\x20');
  const std::size_t end = whole.size() - 2;
  EXPECT_THAT(ErrorOf(whole.substr(0, end) + late + whole.substr(end)), HasSubstr("Huffman table"));
}

TEST(ImageToTensorTest, RefusesAHugeImageByItsHeader) {
  std::string png = Png(Ramp(8, 8));
  // IHDR holds width and height as big-endian 32-bit numbers from byte 16 on.
  png[18] = png[22] = '\x40';
  EXPECT_THAT(ErrorOf(png), HasSubstr("found an image of 16392x16392"));
  EXPECT_THAT(ErrorOf(png + std::string(100'000, ' ')), HasSubstr("at most 67108864 pixels"));
}

TEST(ImageToTensorTest, TakesTheEmptiestImagesThatEncodersMake) {
  const Picture black(2048, 2048);
  EXPECT_TRUE(ImageToTensor(Png(black), Plain(8), "p").ok());
  EXPECT_TRUE(ImageToTensor(Jpeg(black), Plain(8), "p").ok());
}

TEST(ImageToTensorTest, RefusesThousandsOfScans) {
  std::string scans = Jpeg(Ramp(16, 16));
  const std::string scan = scans.substr(scans.find("\xFF\xDA"), 20);
  for (int i = 0; i < 1000; ++i) scans.insert(scans.size() - 2, scan);
  EXPECT_THAT(ErrorOf(scans), HasSubstr("too many scans"));
}

TEST(PreprocessingTest, ResizesTo256For224ByDefault) {
  EXPECT_EQ(Preprocessing().shorter_side(), 256);
  Preprocessing how;
  how.height = 300;
  EXPECT_EQ(how.shorter_side(), 343);
  how.resize = 310;
  EXPECT_EQ(how.shorter_side(), 310);
}

TEST(PreprocessingTest, ValidateNamesTheField) {
  const auto error_of = [](const Preprocessing& how) {
    return std::string(how.Validate().message());
  };
  Preprocessing how;
  how.height = 0;
  EXPECT_THAT(error_of(how), HasSubstr("height"));
  how = {};
  how.width = kMaxImageSide + 1;
  EXPECT_THAT(error_of(how), HasSubstr("width"));
  how = {};
  how.resize = 100;
  EXPECT_THAT(error_of(how), HasSubstr("resize: found 100, expected 224"));
  how = {};
  how.deviation[1] = 0;
  EXPECT_THAT(error_of(how), HasSubstr("std"));
  how = {};
  how.mean[2] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(error_of(how), HasSubstr("mean"));
  how = {};
  how.pad = 256;
  EXPECT_THAT(error_of(how), HasSubstr("pad: found 256, expected 0 to 255"));
  how = {};
  how.scale = 0;
  EXPECT_THAT(error_of(how), HasSubstr("scale: found 0"));
  how.scale = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(error_of(how), HasSubstr("scale: found nan"));
  how = {};
  how.fit = Preprocessing::Fit::kLetterbox;
  how.resize = 256;
  EXPECT_THAT(error_of(how), HasSubstr("resize: found 256, expected 0"));
  how = {};
  how.datatype = DataType::kInt64;
  EXPECT_THAT(error_of(how), HasSubstr("datatype: found INT64, expected FP32, FP16 or UINT8"));
  how.datatype = DataType::kUint8;
  EXPECT_THAT(error_of(how), HasSubstr("scale: found 1, expected 255 for UINT8"));
  how.scale = 255;
  EXPECT_THAT(error_of(how), HasSubstr("mean: found 0.485, expected 0 for UINT8"));
  how.mean = {0, 0, 0};
  EXPECT_THAT(error_of(how), HasSubstr("std: found 0.229, expected 1 for UINT8"));
  how = {};
  how.datatype = DataType::kFloat16;
  how.deviation[2] = 5e-6F;
  EXPECT_THAT(error_of(how), HasSubstr("expected at most 65504 for FP16"));
  EXPECT_TRUE(Preprocessing().Validate().ok());
}

TEST(StackBatchTest, StacksAlongTheFirstDimension) {
  const Tensor a = Tensor::FromFloats({1, 2}, {1, 2}).value();
  const Tensor b = Tensor::FromFloats({2, 2}, {3, 4, 5, 6}).value();
  const Tensor stacked = StackBatch({a, b}).value();
  EXPECT_EQ(stacked.shape(), (Shape{3, 2}));
  EXPECT_THAT(std::vector<float>(stacked.floats().begin(), stacked.floats().end()),
              ::testing::ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(StackBatch({a}).value().shape(), (Shape{1, 2}));
}

TEST(StackBatchTest, RefusesWhatDoesNotFit) {
  const Tensor a = Tensor::FromFloats({1, 2}, {1, 2}).value();
  const auto error_of = [](const std::vector<Tensor>& items) {
    return std::string(StackBatch(items).status().message());
  };
  EXPECT_THAT(error_of({}), HasSubstr("found no tensors"));
  EXPECT_THAT(error_of({a, Tensor::FromFloats({1, 3}, {1, 2, 3}).value()}),
              HasSubstr("batch item 1: found FP32 1x3, expected FP32 1x2"));
  EXPECT_THAT(error_of({a, Tensor::Zeros(DataType::kInt32, {1, 2}).value()}), HasSubstr("INT32"));
  const Tensor scalar = Tensor::FromFloats({}, {1}).value();
  EXPECT_FALSE(StackBatch({scalar}).ok());
  EXPECT_FALSE(StackBatch({scalar, scalar}).ok());
}

}  // namespace
}  // namespace cleave
