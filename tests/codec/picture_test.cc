#include "codec/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace cleave {
namespace {

using testing::HasSubstr;

// Returns a smooth picture with an edge in the middle.
std::vector<std::uint8_t> Pixels(int height, int width) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      pixels.push_back(static_cast<std::uint8_t>(255 * x / width));
      pixels.push_back(static_cast<std::uint8_t>(127 + 120 * std::sin(y * 0.2)));
      pixels.push_back(x < width / 2 ? 40 : 200);
    }
  }
  return pixels;
}

std::string File(int height, int width) {
  return EncodeJpeg(Pixels(height, width), height, width, 95).value();
}

Preprocessing Cut(int height, int width) {
  Preprocessing how;
  how.height = height;
  how.width = width;
  return how;
}

Tensor TensorOf(const TravellingPicture& picture) {
  return ImageToTensor(picture.file, picture.how, "picture").value();
}

double MeanDifference(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(int{a[i]} - int{b[i]});
  return sum / static_cast<double>(a.size());
}

absl::StatusOr<std::string> ToJpeg(std::span<const std::uint8_t> pixels, int height, int width,
                                   int quality) {
  return EncodeJpeg(pixels, height, width, quality);
}

using Encode = absl::StatusOr<std::string> (*)(std::span<const std::uint8_t>, int, int, int);

// Checks that higher qualities take more bytes and come nearer to the pixels; returns how near the
// last one comes.
double LeastDifference(Encode encode, const std::vector<int>& qualities) {
  const std::vector<std::uint8_t> pixels = Pixels(48, 56);
  Preprocessing how = Cut(48, 56);
  how.resize = 48;
  double last = 100;
  std::size_t size = 0;
  for (const int quality : qualities) {
    const std::string file = encode(pixels, 48, 56, quality).value();
    const double difference = MeanDifference(ImageToPixels(file, how, "p").value(), pixels);
    EXPECT_LT(difference, last) << quality;
    EXPECT_GT(file.size(), size) << quality;
    last = difference;
    size = file.size();
  }
  return last;
}

TEST(EncodeJpegTest, DecodesToAboutThePixelsAndBetterWithMoreQuality) {
  EXPECT_LT(LeastDifference(ToJpeg, {10, 50, 75, 90}), 4);
}

TEST(EncodeJpegTest, RefusesWhatDoesNotFit) {
  const std::vector<std::uint8_t> pixels = Pixels(4, 5);
  const auto error_of = [&](int height, int width, int quality) {
    const absl::Status status = EncodeJpeg(pixels, height, width, quality).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(error_of(4, 4, 90), HasSubstr("JPEG of 4x4: found 60 bytes of RGB, expected 48"));
  EXPECT_THAT(error_of(0, 4, 90), HasSubstr("height: found 0"));
  EXPECT_THAT(error_of(4, kMaxImageSide + 1, 90), HasSubstr("width"));
  EXPECT_THAT(error_of(4, 5, 0), HasSubstr("quality: found 0, expected 1 to 100"));
  EXPECT_THAT(error_of(4, 5, 101), HasSubstr("quality"));
}

TEST(EncodeJpegTest, IsProgressiveFromTheSizeOnWhereThatSaves) {
  // The marker FF C2 starts the frame of a progressive file, FF C0 that of a baseline one.
  const auto has = [](const std::string& file, char marker) {
    return file.find(std::string{'\xff', marker, '\x00'} + '\x11') != std::string::npos;
  };
  const std::string small = EncodeJpeg(Pixels(32, 32), 32, 32, 75).value();
  const std::string large = EncodeJpeg(Pixels(128, 128), 128, 128, 75).value();
  EXPECT_TRUE(has(small, '\xc0'));
  EXPECT_TRUE(has(large, '\xc2'));
}

TEST(EncodeWebpTest, DecodesToAboutThePixelsAndIsRefusedLikeAJpeg) {
  const std::vector<std::uint8_t> pixels = Pixels(48, 56);
  EXPECT_LT(LeastDifference(EncodeWebp, {5, 50, 95}), 6);
  EXPECT_THAT(std::string(EncodeWebp(pixels, 48, 56, 0).status().message()),
              HasSubstr("WebP quality: found 0"));
  EXPECT_THAT(std::string(EncodeWebp(pixels, 56, 56, 50).status().message()),
              HasSubstr("WebP of 56x56: found 8064 bytes of RGB"));
}

TEST(EncodePictureTest, TheFileTravelsAsItIs) {
  const std::string file = File(60, 80);
  const Preprocessing how = Cut(32, 32);
  const TravellingPicture picture = EncodePicture(file, how, Encoding::kJpeg, "p").value();
  EXPECT_EQ(picture.file, file);
  EXPECT_EQ(picture.how.ToJson(), how.ToJson());
  EXPECT_EQ(TensorOf(picture).bytes(), ImageToTensor(file, how, "p").value().bytes());
}

struct Size {
  int height;
  int width;
  int resize;
};

class EncodePictureOfSizeTest : public testing::TestWithParam<Size> {};

// The pixels of the file that is sent are all of the model's input: nothing resizes or crops them
// again, whatever the shape and the `resize` of the model.
TEST_P(EncodePictureOfSizeTest, WhatIsMadeOfTheModelsPixelsIsLeftAlone) {
  Preprocessing how = Cut(GetParam().height, GetParam().width);
  how.resize = GetParam().resize;
  const std::string file = File(70, 90);
  const auto seen = ImageToPixels(file, how, "p").value();
  for (const auto& [encoding, quality, encode] : {std::tuple(Encoding::kJpeg90, 90, &ToJpeg),
                                                  {Encoding::kJpeg75, 75, &ToJpeg},
                                                  {Encoding::kJpeg50, 50, &ToJpeg},
                                                  {Encoding::kWebp90, 90, &EncodeWebp},
                                                  {Encoding::kWebp75, 75, &EncodeWebp},
                                                  {Encoding::kWebp50, 50, &EncodeWebp},
                                                  {Encoding::kWebp25, 25, &EncodeWebp}}) {
    const TravellingPicture picture = EncodePicture(file, how, encoding, "p").value();
    EXPECT_EQ(picture.file, encode(seen, how.height, how.width, quality).value());
    ASSERT_TRUE(picture.how.Validate().ok()) << picture.how.Validate();

    const auto decoded = ImageToPixels(picture.file, picture.how, "p").value();
    EXPECT_LT(MeanDifference(decoded, seen), 12);
    std::vector<float> values(decoded.size());
    NormalizePixels(decoded, how, values);
    const Tensor tensor = TensorOf(picture);
    EXPECT_EQ(std::vector<float>(tensor.floats().begin(), tensor.floats().end()), values);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, EncodePictureOfSizeTest,
                         testing::Values(Size{32, 32, 0}, Size{32, 32, 40}, Size{24, 48, 0},
                                         Size{48, 24, 48}, Size{48, 24, 300}, Size{1, 1, 1}));

// Both sides use one code path: the same bytes give the same tensor, whoever decodes them.
TEST(EncodePictureTest, TheOtherSideGetsTheSameTensorBitForBit) {
  Preprocessing how = Cut(32, 40);
  how.mean = {0.49139968F, 0.1F, 0.3F};
  how.deviation = {0.24703233F, 0.3F, 0.7F};
  for (const Encoding encoding : {Encoding::kJpeg, Encoding::kJpeg90, Encoding::kJpeg75,
                                  Encoding::kJpeg50, Encoding::kWebp90, Encoding::kWebp50}) {
    const TravellingPicture picture = EncodePicture(File(70, 90), how, encoding, "p").value();
    const Preprocessing there =
        Preprocessing::FromJson(picture.how.ToJson(), "request", {}).value();
    EXPECT_EQ(ImageToTensor(picture.file, there, "p").value().bytes(), TensorOf(picture).bytes());
  }
}

TEST(EncodePictureTest, RefusesWhatIsNoPicture) {
  const auto error_of = [](absl::string_view file, Encoding encoding) {
    const absl::Status status = EncodePicture(file, Cut(8, 8), encoding, "cat.jpg").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(error_of(File(9, 9), Encoding::kQ8), HasSubstr("found the encoding q8"));
  EXPECT_THAT(error_of("no picture", Encoding::kJpeg75), HasSubstr("cat.jpg"));
}

}  // namespace
}  // namespace cleave
