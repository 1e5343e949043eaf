#include "codec/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "codec/frames.h"
#include "support/tiny_codec.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kPlenty = 1 << 20;

Tensor Decoded(const std::string& frame) { return DecodeTensor(frame, "f", kPlenty).value(); }

std::vector<float> Values(const Tensor& tensor) {
  return {tensor.floats().begin(), tensor.floats().end()};
}

std::string ErrorOf(const Tensor& tensor, const EncodeOptions& options) {
  const absl::Status status = EncodeTensor(tensor, options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

// These are the examples of docs/wire-format.md.
constexpr char kScalar[] =
    "43 4c 56 54  01 00 00 00  00 00 00 00"
    "04 00 00 00 00 00 00 00  00 00 c0 3f  d2 f0 65 7f";
constexpr char kHalves[] =
    "43 4c 56 54  01 00 01 00  00 00 01 00  03 00 00 00 00 00 00 00"
    "06 00 00 00 00 00 00 00  00 3c 00 c0 ff 7b  82 e6 83 fb";
constexpr char kFourBits[] =
    "43 4c 56 54  01 00 05 00  01 00 02 00  01 00 00 00 00 00 00 00  05 00 00 00 00 00 00 00"
    "00 00 00 00  00 00 70 40"
    "03 00 00 00 00 00 00 00  10 84 0f  2e 83 50 ff";
constexpr char kThreeBits[] =
    "43 4c 56 54  01 00 06 00  02 01 03 00"
    "01 00 00 00 00 00 00 00  02 00 00 00 00 00 00 00  03 00 00 00 00 00 00 00"
    "00 00 80 bf  00 00 c0 40  00 00 00 00  00 00 60 3f"
    "03 00 00 00 00 00 00 00  c8 b1 03  68 87 61 d8";
constexpr char kCompressed[] =
    "43 4c 56 54  01 01 02 00  01 00 01 00  20 00 00 00 00 00 00 00"
    "00 00 00 00  00 00 7f 43"
    "0a 00 00 00 00 00 00 00  28 b5 2f fd 20 20 03 01 00 07  fb 01 72 42";
constexpr char kRansCoded[] =
    "43 4c 56 54  01 02 05 00  01 00 01 00  64 00 00 00 00 00 00 00"
    "00 00 00 00  00 00 70 40"
    "21 00 00 00 00 00 00 00  00 64 00 01 01 00 68 0c 0c 87 27 43 00 0a 26 43"
    "00 1e 40 43 00 87 27 43 00 80 4a 00 3d 80 99 00 3d  75 4b ff 30";

TEST(FrameTest, ReadsAndWritesTheExamplesOfTheDocument) {
  struct Example {
    std::string hex;
    Shape shape;
    std::vector<float> values;
    EncodeOptions options;
  };
  const Example examples[] = {
      {kScalar, {}, {1.5F}, {}},
      {kHalves, {3}, {1, -2, 65504}, {.encoding = Encoding::kFp16}},
      {kFourBits, {1, 5}, {0, 0.25F, 1, 2, 3.75F}, {.encoding = Encoding::kQ4}},
      {kThreeBits,
       {1, 2, 3},
       {-1, 0, 6, 0, 0.375F, 0.875F},
       {.encoding = Encoding::kQ3, .range = EncodeOptions::Range::kPerChannel}},
  };
  for (const Example& example : examples) {
    const std::string frame = FromHex(example.hex);
    const Tensor tensor = Decoded(frame);
    EXPECT_EQ(tensor.shape(), example.shape);
    EXPECT_EQ(Values(tensor), example.values);
    EXPECT_EQ(EncodeTensor(tensor, example.options).value(), frame) << example.hex;
  }
}

TEST(FrameTest, ReadsTheCompressedExamplesOfTheDocument) {
  const Tensor tensor = Decoded(FromHex(kCompressed));
  EXPECT_EQ(tensor.shape(), Shape{32});
  EXPECT_EQ(Values(tensor), std::vector<float>(32, 7));

  std::vector<float> values(70, 0);
  for (int i = 0; i < 10; ++i) values.insert(values.end(), {0.25F, 0, 0.5F});
  const Tensor coded = Decoded(FromHex(kRansCoded));
  EXPECT_EQ(coded.shape(), Shape{100});
  EXPECT_EQ(Values(coded), values);
}

TEST(FrameTest, Fp32CarriesEveryTypeBitByBit) {
  for (int type = 0; type <= static_cast<int>(DataType::kBool); ++type) {
    const auto dtype = static_cast<DataType>(type);
    std::string bytes(6 * ElementSize(dtype), '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      // Some floats are NaNs, too.
      bytes[i] = static_cast<char>(dtype == DataType::kBool ? i % 2 : 255 - i);
    }
    const Tensor tensor = Tensor::FromBytes(dtype, {2, 3}, bytes).value();
    const Tensor back = Decoded(EncodeTensor(tensor, {}).value());
    EXPECT_EQ(back.dtype(), dtype);
    EXPECT_EQ(back.shape(), (Shape{2, 3}));
    EXPECT_EQ(std::string(back.bytes()), bytes);
  }
}

TEST(FrameTest, EmptyTensorsHaveNoRangesAndNoPayload) {
  for (const Encoding encoding : kAllEncodings) {
    for (const Shape& shape : {Shape{0}, Shape{0, 3, 7}, Shape{2, 0}, Shape{2, 3, 0}}) {
      for (const bool entropy : {false, true}) {
        const std::string frame =
            EncodeTensor(FloatTensor(shape, {}),
                         {.encoding = encoding, .channel_axis = 0, .entropy = entropy})
                .value();
        EXPECT_EQ(frame.size(), 12 + 8 * shape.size() + 8 + 4);
        EXPECT_EQ(Decoded(frame).shape(), shape);
      }
    }
    const EncodeOptions per_channel = {.encoding = encoding,
                                       .range = EncodeOptions::Range::kPerChannel};
    EXPECT_EQ(Decoded(EncodeTensor(FloatTensor({0, 3}, {}), per_channel).value()).shape(),
              (Shape{0, 3}));
  }
}

TEST(FrameTest, AConstantComesBackExactly) {
  for (const Encoding encoding : kAllEncodings) {
    for (const float value : {0.0F, 1.0F, -0.625F, 1024.0F}) {
      const Tensor tensor = FloatTensor({2, 3, 5}, std::vector<float>(30, value));
      EXPECT_EQ(Values(Decoded(EncodeTensor(tensor, {.encoding = encoding}).value())),
                std::vector<float>(30, value))
          << EncodingName(encoding);
    }
  }
}

TEST(FrameTest, ZerosStayZerosAfterARelu) {
  // What follows a ReLU may rely on it: min is 0, so that its level is exact.
  const std::vector<float> values = Activations(1000, 1);
  for (const Encoding encoding : kAllEncodings) {
    const std::vector<float> back =
        Values(Decoded(EncodeTensor(FloatTensor({1000}, values), {.encoding = encoding}).value()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] == 0) {
        ASSERT_EQ(back[i], 0) << EncodingName(encoding);
      }
    }
  }
}

TEST(FrameTest, NegativeZeroIsKeptWhereTheDocumentSaysSo) {
  const Tensor tensor = FloatTensor({3}, {-0.0F, 0.0F, 1.0F});
  for (const Encoding encoding : {Encoding::kFp32, Encoding::kFp16}) {
    const std::vector<float> back =
        Values(Decoded(EncodeTensor(tensor, {.encoding = encoding}).value()));
    EXPECT_TRUE(std::signbit(back[0]));
    EXPECT_FALSE(std::signbit(back[1]));
  }
}

TEST(FrameTest, ChannelsHaveRangesOfTheirOwn) {
  // The second channel would be lost in the range of the first.
  const Tensor tensor = FloatTensor({1, 2, 2}, {-1000, 1000, 0.25F, 0.5F});
  const EncodeOptions per_channel = {.encoding = Encoding::kQ2,
                                     .range = EncodeOptions::Range::kPerChannel};
  EXPECT_THAT(Values(Decoded(EncodeTensor(tensor, per_channel).value())),
              ElementsAre(-1000, 1000, 0.25F, 0.5F));
  EXPECT_NE(Values(Decoded(EncodeTensor(tensor, {.encoding = Encoding::kQ2}).value()))[2], 0.25F);
}

TEST(FrameTest, CompressionIsUsedWhereItGains) {
  const std::vector<float> values = Activations(10'000, 1);
  for (const Encoding encoding : kAllEncodings) {
    EncodeOptions options = {.encoding = encoding};
    const Tensor tensor = FloatTensor({10'000}, values);
    const std::string plain = EncodeTensor(tensor, options).value();
    options.entropy = true;
    const std::string smaller = EncodeTensor(tensor, options).value();
    EXPECT_LT(smaller.size(), plain.size()) << EncodingName(encoding);
    const bool below_a_byte = encoding >= Encoding::kQ6;
    EXPECT_EQ(smaller[5], below_a_byte ? 2 : 1) << EncodingName(encoding);
    EXPECT_EQ(Values(Decoded(smaller)), Values(Decoded(plain))) << EncodingName(encoding);
    const Tensor few = FloatTensor({3}, {1, 2, 4});
    EXPECT_EQ(EncodeTensor(few, options).value(),
              EncodeTensor(few, {.encoding = encoding}).value());
  }
}

TEST(FrameTest, TheSmallerOfTwoCompressionsIsUsed) {
  // zstd compresses a pattern best, rANS what has none.
  std::vector<float> pattern(4000);
  for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = static_cast<float>(i * i % 100);
  const std::vector<float> noise = Activations(4000, 1);
  for (const Encoding encoding : kAllEncodings) {
    if (encoding < Encoding::kQ6) continue;
    const auto compression = [&](const std::vector<float>& values) {
      const EncodeOptions options = {.encoding = encoding, .entropy = true};
      return static_cast<int>(EncodeTensor(FloatTensor({4000}, values), options).value()[5]);
    };
    EXPECT_EQ(compression(pattern), 1) << EncodingName(encoding);
    EXPECT_EQ(compression(noise), 2) << EncodingName(encoding);
  }
}

TEST(FrameTest, CompressionChangesNoBit) {
  for (const Encoding encoding : kAllEncodings) {
    // The shapes are one chunk of the kernels and less, several chunks, and order 1 of rANS.
    for (const Shape& shape : {Shape{4, 100}, Shape{3, 4097}, Shape{16, 2500}, Shape{2, 7, 3000}}) {
      const Tensor tensor = FloatTensor(shape, Activations(*ElementCount(shape), 2));
      for (int axis = -1; axis < static_cast<int>(shape.size()); ++axis) {
        EncodeOptions options = {.encoding = encoding, .channel_axis = std::max(axis, 0)};
        if (axis >= 0) options.range = EncodeOptions::Range::kPerChannel;
        const std::string plain = EncodeTensor(tensor, options).value();
        options.entropy = true;
        const std::string smaller = EncodeTensor(tensor, options).value();
        EXPECT_LE(smaller.size(), plain.size());
        EXPECT_EQ(Decoded(smaller).bytes(), Decoded(plain).bytes())
            << EncodingName(encoding) << " " << ShapeString(shape) << " axis " << axis;
      }
    }
  }
}

TEST(FrameTest, SmallRemaindersDoNotChangeTheSize) {
  for (std::int64_t count = 1; count <= 17; ++count) {
    const Tensor tensor = FloatTensor({count}, std::vector<float>(count, 1));
    const std::int64_t around = 12 + 8 + 8 + 8 + 4;
    const auto size = [&](Encoding encoding) {
      return static_cast<std::int64_t>(EncodeTensor(tensor, {.encoding = encoding})->size());
    };
    EXPECT_EQ(size(Encoding::kQ8), around + count);
    EXPECT_EQ(size(Encoding::kQ6), around + (6 * count + 7) / 8);
    EXPECT_EQ(size(Encoding::kQ5), around + (5 * count + 7) / 8);
    EXPECT_EQ(size(Encoding::kQ4), around + (4 * count + 7) / 8);
    EXPECT_EQ(size(Encoding::kQ3), around + (3 * count + 7) / 8);
    EXPECT_EQ(size(Encoding::kQ2), around + (2 * count + 7) / 8);
  }
}

TEST(FrameTest, LossyEncodingsRefuseWhatIsNotFiniteAndSayWhere) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const Encoding encoding : kAllEncodings) {
    if (encoding == Encoding::kFp32) continue;
    for (const float bad : {inf, -inf, std::numeric_limits<float>::quiet_NaN()}) {
      std::vector<float> values(100, 1);
      values[42] = bad;
      EXPECT_THAT(
          ErrorOf(FloatTensor({100}, values), {.encoding = encoding}),
          HasSubstr(absl::StrCat("encoding as ", EncodingName(encoding), ": element 42: found ")));
    }
  }
}

TEST(FrameTest, HalvesRefuseWhatTheyCannotHold) {
  const EncodeOptions halves = {.encoding = Encoding::kFp16};
  EXPECT_THAT(ErrorOf(FloatTensor({3}, {1, -70000, 65505}), halves),
              HasSubstr("element 1: found -70000, expected at most 65504 in magnitude for fp16"));
  EXPECT_THAT(ErrorOf(FloatTensor({2}, {1, 65505}), halves), HasSubstr("element 1: found 65505"));
  EXPECT_TRUE(EncodeTensor(FloatTensor({2}, {-65504, 65504}), halves).ok());
}

TEST(FrameTest, OnlyFp32TakesOtherTypes) {
  const Tensor integers = Tensor::Zeros(DataType::kInt64, {2}).value();
  for (const Encoding encoding : kAllEncodings) {
    if (encoding == Encoding::kFp32) continue;
    EXPECT_THAT(ErrorOf(integers, {.encoding = encoding}),
                HasSubstr("found INT64, expected FP32 (fp32 carries any type)"));
  }
  const Tensor two = Tensor::FromBytes(DataType::kBool, {2}, std::string("\1\2")).value();
  EXPECT_THAT(ErrorOf(two, {}), HasSubstr("BOOL element 1: found 2, expected 0 or 1"));
}

TEST(FrameTest, RefusesAxesAndRanksThatAreNotThere) {
  const EncodeOptions per_channel = {.encoding = Encoding::kQ8,
                                     .range = EncodeOptions::Range::kPerChannel};
  EXPECT_THAT(ErrorOf(FloatTensor({2}, {1, 2}), per_channel),
              HasSubstr("channel axis: found 1, expected an axis of 2"));
  EXPECT_THAT(ErrorOf(FloatTensor({}, {1}), per_channel),
              HasSubstr("channel axis: found 1, expected an axis of scalar"));
  EXPECT_THAT(ErrorOf(FloatTensor(Shape(33, 1), {1}), {}),
              HasSubstr("found 33 dimensions, expected at most 32"));
  EXPECT_TRUE(EncodeTensor(FloatTensor(Shape(32, 1), {1}), per_channel).ok());
}

TEST(FrameTest, ValidatesItsOptions) {
  const Tensor tensor = FloatTensor({1}, {1});
  EXPECT_THAT(ErrorOf(tensor, {.encoding = Encoding::kJpeg}),
              HasSubstr("encoding: found 14, expected 0 to 13"));
  EXPECT_THAT(ErrorOf(tensor, {.range = static_cast<EncodeOptions::Range>(2)}),
              HasSubstr("range: found 2, expected 0 to 1"));
  EXPECT_THAT(ErrorOf(tensor, {.channel_axis = -1}),
              HasSubstr("channel_axis: found -1, expected 0 to 31"));
  EXPECT_THAT(ErrorOf(tensor, {.entropy_level = 0}),
              HasSubstr("entropy_level: found 0, expected 1 to 19"));
}

class CodecFrameTest : public ::testing::Test {
 protected:
  const TensorCodec codec_ = TensorCodec::Create(testing::TinyCodec(3, 4)).value();
  const Tensor tensor_ = FloatTensor({2, 3, 5, 7}, Activations(210, 5));
};

TEST_F(CodecFrameTest, CarryWhatTheCodecMakesOfTheTensor) {
  for (int rate = 0; rate < kCodecRates; ++rate) {
    const auto encoding = static_cast<Encoding>(static_cast<int>(Encoding::kT1) + rate);
    const std::string frame =
        EncodeTensor(tensor_, {.encoding = encoding, .entropy = true, .codec = &codec_}).value();
    const std::string coded = codec_.Encode(tensor_, rate)->bytes;
    EXPECT_EQ(frame.substr(0, 12), std::string("CLVT\1\0", 6) + static_cast<char>(8 + rate) +
                                       std::string("\0\0\0\4\0", 5));
    EXPECT_EQ(frame.substr(12 + 4 * 8 + 8, coded.size()), coded);
    EXPECT_EQ(frame.size(), 12 + 4 * 8 + 8 + coded.size() + 4);
    const Tensor back = DecodeTensor(frame, "f", kPlenty, &codec_).value();
    EXPECT_EQ(back.shape(), tensor_.shape());
    EXPECT_EQ(Values(back), Values(codec_.Decode(coded, tensor_.shape(), rate).value()));
    const FrameInfo info = ReadFrameInfo(frame, "f", kPlenty).value();
    EXPECT_EQ(info.encoding, encoding);
    EXPECT_EQ(info.tensor.shape, tensor_.shape());
  }
}

TEST_F(CodecFrameTest, NeedTheCodecOnBothSides) {
  EXPECT_THAT(ErrorOf(tensor_, {.encoding = Encoding::kT2}),
              HasSubstr("encoding as t2: codec: found none, expected that of the tensor"));
  EXPECT_THAT(ErrorOf(tensor_, {.encoding = Encoding::kQ8, .codec = &codec_}),
              HasSubstr("codec: found one, expected none"));
  EXPECT_THAT(ErrorOf(FloatTensor({1, 4, 5, 7}, Activations(140, 5)),
                      {.encoding = Encoding::kT2, .codec = &codec_}),
              HasSubstr("shape: found 1x4x5x7, expected 3 channels"));
  const std::string frame =
      EncodeTensor(tensor_, {.encoding = Encoding::kT2, .codec = &codec_}).value();
  const absl::Status status = DecodeTensor(frame, "f", kPlenty).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("f: frame: codec: found none, expected that of the tensor for t2"));
}

TEST_F(CodecFrameTest, WhatIsNotFiniteIsTheSendersError) {
  std::vector<float> values = Activations(210, 5);
  values[17] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(ErrorOf(FloatTensor({2, 3, 5, 7}, std::move(values)),
                      {.encoding = Encoding::kT2, .codec = &codec_}),
              HasSubstr("element 17"));
}

TEST_F(CodecFrameTest, SayThatATensorIsUnfamiliar) {
  const TensorCodec narrow = TensorCodec::Create(testing::TinyCodec(3, 4, 0.01F)).value();
  EXPECT_FALSE(EncodeFrame(tensor_, {.encoding = Encoding::kT1, .codec = &codec_})->unfamiliar);
  const EncodedFrame frame =
      EncodeFrame(tensor_, {.encoding = Encoding::kT1, .codec = &narrow}).value();
  EXPECT_TRUE(frame.unfamiliar);
  EXPECT_TRUE(DecodeTensor(frame.bytes, "f", kPlenty, &narrow).ok());
}

TEST_F(CodecFrameTest, ZerosAtTheEndFillThemUp) {
  EncodeOptions options = {.encoding = Encoding::kT4, .codec = &codec_};
  const std::string frame = EncodeTensor(tensor_, options).value();
  options.least_payload_bytes = 2000;
  const std::string filled = EncodeTensor(tensor_, options).value();
  EXPECT_EQ(filled.size(), 12 + 4 * 8 + 8 + 2000 + 4);
  EXPECT_EQ(Values(DecodeTensor(filled, "f", kPlenty, &codec_).value()),
            Values(DecodeTensor(frame, "f", kPlenty, &codec_).value()));
  options.least_payload_bytes = 1;
  EXPECT_EQ(EncodeTensor(tensor_, options).value(), frame);
}

TEST_F(CodecFrameTest, EmptyTensorsHaveNoPayload) {
  const std::string frame =
      EncodeTensor(FloatTensor({0, 3, 4, 4}, {}), {.encoding = Encoding::kT1, .codec = &codec_})
          .value();
  EXPECT_EQ(frame.size(), 12 + 4 * 8 + 8 + 4);
  EXPECT_EQ(DecodeTensor(frame, "f", kPlenty, &codec_)->shape(), (Shape{0, 3, 4, 4}));
}

TEST_F(CodecFrameTest, TheSizeIsTheMeanOfWhatTheCodecWasFittedTo) {
  EXPECT_EQ(
      FrameBytes(DataType::kFloat32, {2, 3, 5, 7}, {.encoding = Encoding::kT1, .codec = &codec_})
          .value(),
      12 + 4 * 8 + 8 + 2 * 210 + 4);
  EXPECT_FALSE(
      FrameBytes(DataType::kFloat32, {2, 4, 5, 7}, {.encoding = Encoding::kT1, .codec = &codec_})
          .ok());
}

}  // namespace
}  // namespace cleave
