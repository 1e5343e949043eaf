#include "wire/encoded.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codec/picture.h"
#include "core/length_prefixed.h"
#include "core/status_macros.h"
#include "support/tiny_codec.h"
#include "wire/convert.h"
#include "wire/payload.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

NamedTensor Wave(const std::string& name, Shape shape) {
  std::vector<float> values(static_cast<std::size_t>(ElementCount(shape).value()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(static_cast<float>(i) * 0.7F) * static_cast<float>(i % 13);
  }
  return {name, Tensor::FromFloats(std::move(shape), std::move(values)).value()};
}

std::string Picture(int side) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(side) * side * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 5);
  return EncodeJpeg(pixels, side, side, 90).value();
}

InferCall Pictures() {
  InferCall call;
  call.model = "m";
  call.images = {Picture(20), Picture(9), Picture(300)};
  call.image_input = "x";
  call.preprocessing.emplace();
  call.preprocessing->height = 24;
  call.preprocessing->mean = {0.49139968F, 0.1F, 0.3F};
  return call;
}

InferCall Frames(const EncodeOptions& options) {
  InferCall call;
  call.model = "m";
  call.cut = 3;
  call.exit = 2;
  call.encode = options;
  call.inputs = {Wave("a", {2, 3, 50, 7}), Wave("b", {5}), Wave("c", {0, 4})};
  return call;
}

inference::ModelInferRequest Parsed(const InferCall& call) {
  const grpc::ByteBuffer buffer = EncodeRequest(call).value().bytes;
  grpc::Slice slice;
  EXPECT_TRUE(buffer.DumpToSingleSlice(&slice).ok());
  inference::ModelInferRequest request;
  EXPECT_TRUE(request.ParseFromArray(slice.begin(), static_cast<int>(slice.size())));
  return request;
}

absl::StatusOr<InferCall> ThereAndBack(const InferCall& call) {
  CLEAVE_ASSIGN_OR_RETURN(EncodedRequest request, EncodeRequest(call));
  CLEAVE_ASSIGN_OR_RETURN(DecodedCall decoded, DecodeRequest(request.bytes));
  if (decoded.call.frames.empty()) return std::move(decoded.call);
  CLEAVE_ASSIGN_OR_RETURN(decoded.call.inputs, DecodeFrames(decoded.call, call.codecs.get()));
  return std::move(decoded.call);
}

// The error of reading the request, or of decoding its frames.
absl::Status StatusOf(inference::ModelInferRequest request) {
  CLEAVE_ASSIGN_OR_RETURN(const DecodedCall decoded, ToInferCall(std::move(request)));
  return DecodeFrames(decoded.call, nullptr).status();
}

std::string ErrorOf(inference::ModelInferRequest request) {
  const absl::Status status = StatusOf(std::move(request));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

std::string ErrorOf(const InferCall& good,
                    const std::function<void(inference::ModelInferRequest&)>& spoil) {
  inference::ModelInferRequest request = Parsed(good);
  spoil(request);
  return ErrorOf(std::move(request));
}

struct FrameCase {
  EncodeOptions options;
  std::string name;
};

std::vector<FrameCase> FrameCases() {
  std::vector<FrameCase> cases;
  for (const Encoding encoding : AllEncodings()) {
    if (IsPicture(encoding) || CodecRate(encoding)) continue;
    for (const auto range : {EncodeOptions::Range::kPerTensor, EncodeOptions::Range::kPerChannel}) {
      for (const bool entropy : {false, true}) {
        const bool channels = range == EncodeOptions::Range::kPerChannel;
        cases.push_back(
            {{.encoding = encoding, .range = range, .channel_axis = 0, .entropy = entropy},
             std::string(EncodingName(encoding)) + (channels ? "_channels" : "") +
                 (entropy ? "_entropy" : "")});
      }
    }
  }
  return cases;
}

class FrameRoundTripTest : public ::testing::TestWithParam<FrameCase> {};

TEST_P(FrameRoundTripTest, GivesWhatTheCodecGives) {
  const InferCall call = Frames(GetParam().options);
  const InferCall back = ThereAndBack(call).value();
  EXPECT_EQ(back.cut, 3);
  EXPECT_EQ(back.exit, 2);
  EXPECT_FALSE(back.encode.has_value());
  ASSERT_EQ(back.inputs.size(), call.inputs.size());
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    const Tensor& sent = call.inputs[i].tensor;
    const Tensor expected =
        DecodeTensor(EncodeTensor(sent, GetParam().options).value(), "frame", 1 << 20).value();
    EXPECT_EQ(back.inputs[i].name, call.inputs[i].name);
    EXPECT_EQ(back.inputs[i].tensor.shape(), sent.shape());
    EXPECT_EQ(back.inputs[i].tensor.bytes(), expected.bytes());
  }
}

INSTANTIATE_TEST_SUITE_P(Encodings, FrameRoundTripTest, ::testing::ValuesIn(FrameCases()),
                         [](const auto& one) { return one.param.name; });

TEST(Frames, TravelAsOneElementOfBytesEach) {
  const inference::ModelInferRequest request = Parsed(Frames({.encoding = Encoding::kQ4}));
  EXPECT_EQ(request.parameters().at("cleave_encoding").string_param(), "frame");
  EXPECT_EQ(request.parameters().at("cleave_exit").int64_param(), 2);
  ASSERT_EQ(request.inputs_size(), 3);
  EXPECT_EQ(request.inputs(0).name(), "a");
  EXPECT_EQ(request.inputs(0).datatype(), "BYTES");
  EXPECT_THAT(request.inputs(0).shape(), ElementsAre(1));
  const std::string& raw = request.raw_input_contents(0);
  const std::string frame =
      EncodeTensor(Wave("a", {2, 3, 50, 7}).tensor, {.encoding = Encoding::kQ4}).value();
  EXPECT_EQ(raw, LengthPrefix(frame.size()) + frame);
  EXPECT_EQ(LengthPrefix(0x01020304), "\x04\x03\x02\x01");
}

TEST(Frames, CarryAnyTypeAsItIs) {
  InferCall call;
  call.encode.emplace();
  call.inputs = {{"i", Tensor::FromBytes(DataType::kInt64, {2}, std::string(16, '\x7f')).value()}};
  const InferCall back = ThereAndBack(call).value();
  EXPECT_EQ(back.inputs.at(0).tensor.dtype(), DataType::kInt64);
  EXPECT_EQ(back.inputs.at(0).tensor.bytes(), call.inputs[0].tensor.bytes());
}

TEST(Frames, WhatCannotBeEncodedIsNamedBeforeItIsSent) {
  InferCall call = Frames({.encoding = Encoding::kQ8});
  call.inputs[1].tensor =
      Tensor::FromFloats({2}, {1, std::numeric_limits<float>::quiet_NaN()}).value();
  const absl::Status status = EncodeRequest(call).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("input 'b': encoding as q8"));
  call = Frames({.encoding = Encoding::kJpeg75});
  EXPECT_EQ(EncodeRequest(call).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Frames, AreStringsToOneWhoIsNotToldThatTheyAreFrames) {
  inference::ModelInferRequest request = Parsed(Frames({.encoding = Encoding::kQ8}));
  request.mutable_parameters()->erase("cleave_encoding");
  const DecodedCall decoded = ToInferCall(std::move(request)).value();
  EXPECT_EQ(decoded.call.inputs[0].tensor.dtype(), DataType::kString);
  EXPECT_EQ(decoded.call.inputs[0].tensor.shape(), Shape{1});
}

TEST(Frames, WhatDoesNotFitIsRefusedByName) {
  const InferCall good = Frames({.encoding = Encoding::kQ8});
  const auto error = [&](const auto& spoil) { return ErrorOf(good, spoil); };
  const auto set = [](auto& request, const std::string& value) {
    (*request.mutable_parameters())["cleave_encoding"].set_string_param(value);
  };
  EXPECT_THAT(error([&](auto& r) { set(r, "zip"); }), HasSubstr("expected a string_param 'frame'"));
  EXPECT_THAT(error([&](auto& r) { set(r, "zip"); }), HasSubstr("zip"));
  EXPECT_THAT(error([&](auto& r) { set(r, ""); }), HasSubstr("parameter cleave_encoding"));
  EXPECT_THAT(
      error([](auto& r) { (*r.mutable_parameters())["cleave_encoding"].set_int64_param(1); }),
      HasSubstr("parameter cleave_encoding"));
  EXPECT_THAT(error([](auto& r) { r.mutable_inputs(1)->set_datatype("FP32"); }),
              HasSubstr("input 'b': found datatype 'FP32', expected BYTES"));
  EXPECT_THAT(error([](auto& r) { r.mutable_inputs(1)->set_name("a"); }),
              HasSubstr("input 'a': found twice"));
  EXPECT_THAT(error([](auto& r) { r.mutable_inputs(0)->set_shape(0, 2); }),
              HasSubstr("input 'a': found shape 2, expected 1"));
  EXPECT_THAT(error([](auto& r) { r.mutable_inputs(0)->add_shape(1); }),
              HasSubstr("found shape 1x1"));
  EXPECT_THAT(error([](auto& r) { r.mutable_raw_input_contents()->RemoveLast(); }),
              HasSubstr("found 2 raw contents for 3 inputs"));
  EXPECT_THAT(error([](auto& r) { r.clear_raw_input_contents(); }), HasSubstr("0 raw contents"));
  EXPECT_THAT(
      error([](auto& r) { r.mutable_inputs(0)->mutable_contents()->add_bytes_contents("x"); }),
      HasSubstr("input 'a': found typed contents"));
  EXPECT_THAT(error([](auto& r) { r.mutable_raw_input_contents(0)->pop_back(); }),
              HasSubstr("input 'a': element 0"));
  EXPECT_THAT(error([](auto& r) { r.mutable_raw_input_contents(0)->append("\1\0", 2); }),
              HasSubstr("input 'a': element 1: found 2 bytes, expected 4 bytes of length"));
  EXPECT_THAT(error([](auto& r) { r.mutable_raw_input_contents(0)->append("\xff\xff\xff\xff"); }),
              HasSubstr("input 'a': element 1: found 0 bytes, expected its length of 4294967295"));
  EXPECT_THAT(error([](auto& r) {
                r.mutable_raw_input_contents(0)->append(4, '\0');
                r.mutable_inputs(0)->set_shape(0, 2);
              }),
              HasSubstr("input 'a': found 2 frames, expected 1"));
  EXPECT_THAT(error([](auto& r) { r.mutable_raw_input_contents(0)->back() ^= 1; }),
              HasSubstr("input 'a': frame checksum"));
  EXPECT_THAT(error([](auto& r) {
                (*r.mutable_parameters())["cleave_preprocessing"].set_string_param("{}");
              }),
              HasSubstr("parameter cleave_preprocessing"));
  for (const std::int64_t exit : {std::int64_t{-1}, std::int64_t{1} << 40}) {
    EXPECT_THAT(
        error([&](auto& r) { (*r.mutable_parameters())["cleave_exit"].set_int64_param(exit); }),
        HasSubstr("parameter cleave_exit"));
  }
}

TEST(Frames, EveryTruncationIsAnError) {
  inference::ModelInferRequest request;
  InferCall call = Frames({.encoding = Encoding::kQ3});
  call.inputs.resize(1);
  const std::string raw = Parsed(call).raw_input_contents(0);
  for (std::size_t size = 0; size < raw.size(); ++size) {
    request = Parsed(call);
    request.mutable_raw_input_contents(0)->resize(size);
    ErrorOf(request);
    // With a length that fits what is left.
    if (size < 4) continue;
    request.mutable_raw_input_contents(0)->replace(0, 4, LengthPrefix(size - 4));
    EXPECT_THAT(ErrorOf(request), HasSubstr("input 'a': frame"));
  }
}

// A frame of few bytes that says, and can prove, that it holds very many elements.
std::string Bomb(std::int64_t elements) {
  const Tensor flat = Tensor::Zeros(DataType::kFloat32, {elements}).value();
  return EncodeTensor(flat, {.encoding = Encoding::kQ2, .entropy = true}).value();
}

inference::ModelInferRequest Raw(const std::vector<std::string>& frames) {
  inference::ModelInferRequest request;
  (*request.mutable_parameters())["cleave_encoding"].set_string_param("frame");
  for (std::size_t i = 0; i < frames.size(); ++i) {
    auto& input = *request.add_inputs();
    input.set_name(std::string(1, static_cast<char>('a' + i)));
    input.set_datatype("BYTES");
    input.add_shape(1);
    request.add_raw_input_contents(LengthPrefix(frames[i].size()) + frames[i]);
  }
  return request;
}

TEST(Frames, AFewBytesDoNotBecomeManyElements) {
  const std::string bomb = Bomb(1 << 24);
  ASSERT_LT(bomb.size(), 2000U);
  EXPECT_THAT(ErrorOf(Raw({bomb})), HasSubstr("input 'a': frame shape: found 16777216"));
  // Nor in portions: all frames of a message share one allowance.
  const std::string small = Bomb(1 << 18);
  EXPECT_TRUE(ToInferCall(Raw({small})).ok());
  EXPECT_THAT(ErrorOf(Raw({small, small, small})), HasSubstr("input 'b': frame shape"));
}

TEST(Frames, MaxElementsGrowsWithTheBytesUpToACap) {
  EXPECT_EQ(MaxFrameElements(0), 1 << 18);
  EXPECT_EQ(MaxFrameElements(1000), (1 << 18) + 128'000);
  EXPECT_EQ(MaxFrameElements(1 << 19), 1 << 26);
  EXPECT_EQ(MaxFrameElements(std::numeric_limits<std::int64_t>::max()), 1 << 26);
}

// What would be refused for its density travels without compression.
TEST(Frames, TheSenderSendsNothingThatTheReceiverTakesForABomb) {
  InferCall call;
  call.encode = EncodeOptions{.encoding = Encoding::kQ2, .entropy = true};
  call.inputs = {{"a", Tensor::Zeros(DataType::kFloat32, {1 << 22}).value()}};
  const InferCall back = ThereAndBack(call).value();
  EXPECT_EQ(back.inputs.at(0).tensor.bytes(), call.inputs[0].tensor.bytes());
}

// A request whose frames cannot be decoded is read all the same: whether it is wanted at all is
// found out first.
TEST(Frames, AreNotDecodedWhileTheRequestIsRead) {
  inference::ModelInferRequest request = Parsed(Frames({.encoding = Encoding::kQ8}));
  std::string& raw = *request.mutable_raw_input_contents(0);
  const std::string sent = raw.substr(kLengthPrefixBytes);
  raw.back() ^= 1;
  const InferCall call = ToInferCall(std::move(request))->call;
  EXPECT_TRUE(call.inputs.empty());
  ASSERT_EQ(call.frames.size(), 3U);
  EXPECT_EQ(call.frames[0].name, "a");
  EXPECT_EQ(call.frames[0].info.encoding, Encoding::kQ8);
  EXPECT_EQ(call.frames[0].info.tensor.dtype, DataType::kFloat32);
  EXPECT_EQ(call.frames[0].info.tensor.shape, (Shape{2, 3, 50, 7}));
  EXPECT_EQ(call.frames[0].frame().size(), sent.size());
  EXPECT_THAT(std::string(DecodeFrames(call, nullptr).status().message()),
              HasSubstr("input 'a': frame checksum"));
  CancelToken cancel;
  cancel.Cancel();
  EXPECT_EQ(DecodeFrames(call, nullptr, cancel).status().code(), absl::StatusCode::kCancelled);
}

InferCall Coded(Encoding encoding) {
  InferCall call;
  call.model = "m";
  call.encode = EncodeOptions{.encoding = encoding};
  call.codecs =
      testing::TinyCodecFile({{"a", testing::TinyCodec(3, 4)}, {"b", testing::TinyCodec(5)}});
  call.inputs = {Wave("a", {2, 3, 9, 7}), Wave("b", {2, 4, 5})};
  return call;
}

TEST(CodecFrames, GiveWhatTheCodecGivesAndNameItsFile) {
  for (const Encoding encoding : AllEncodings()) {
    const std::optional<int> rate = CodecRate(encoding);
    if (!rate) continue;
    const InferCall call = Coded(encoding);
    EXPECT_EQ(Parsed(call).parameters().at("cleave_codec").string_param(), call.codecs->digest());
    const InferCall back = ThereAndBack(call).value();
    EXPECT_EQ(back.codec_digest, call.codecs->digest());
    ASSERT_EQ(back.inputs.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
      const Tensor& sent = call.inputs[i].tensor;
      const TensorCodec& codec = *call.codecs->Find(call.inputs[i].name);
      const Tensor expected =
          codec.Decode(codec.Encode(sent, *rate)->bytes, sent.shape(), *rate).value();
      EXPECT_EQ(back.frames[i].info.encoding, encoding);
      EXPECT_EQ(back.inputs[i].tensor.shape(), sent.shape());
      EXPECT_EQ(back.inputs[i].tensor.bytes(), expected.bytes());
    }
  }
}

TEST(CodecFrames, OtherFramesNameNoCodecFile) {
  InferCall call = Coded(Encoding::kQ8);
  EXPECT_FALSE(Parsed(call).parameters().contains("cleave_codec"));
  EXPECT_EQ(ThereAndBack(call)->codec_digest, std::nullopt);
}

TEST(CodecFrames, WhatDoesNotFitIsRefusedByName) {
  const auto error = [](const auto& spoil) { return ErrorOf(Coded(Encoding::kT3), spoil); };
  const auto set = [](auto& request, const std::string& value) {
    (*request.mutable_parameters())["cleave_codec"].set_string_param(value);
  };
  EXPECT_THAT(error([&](auto& r) { set(r, "abc"); }), HasSubstr("parameter cleave_codec: found"));
  EXPECT_THAT(error([&](auto& r) { set(r, std::string(64, 'G')); }), HasSubstr("cleave_codec"));
  EXPECT_THAT(error([](auto& r) { (*r.mutable_parameters())["cleave_codec"].set_int64_param(1); }),
              HasSubstr("parameter cleave_codec: found another type, expected a string_param"));
  EXPECT_THAT(ErrorOf(Coded(Encoding::kQ8), [&](auto& r) { set(r, std::string(64, 'a')); }),
              HasSubstr("parameter cleave_codec: found no frame of t1 to t6"));
  EXPECT_THAT(error([](auto& r) { r.mutable_parameters()->erase("cleave_encoding"); }),
              HasSubstr("parameter cleave_codec: found no cleave_encoding 'frame'"));
  // The digest may be missing as far as the request goes; the model decides.
  EXPECT_THAT(error([](auto& r) { r.mutable_parameters()->erase("cleave_codec"); }),
              HasSubstr("input 'a': frame: codec: found none, expected that of the tensor for t3"));
}

TEST(CodecFrames, ATensorWithoutACodecIsNamedBeforeItIsSent) {
  const auto error = [](const InferCall& call) {
    const absl::Status status = EncodeRequest(call).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  InferCall call = Coded(Encoding::kT1);
  call.inputs[1].name = "c";
  EXPECT_THAT(error(call), HasSubstr("input 'c': encoding as t1: codec: found none"));
  call.codecs.reset();
  EXPECT_THAT(error(call), HasSubstr("input 'a': encoding as t1: codec: found none"));
  call = Coded(Encoding::kT1);
  call.inputs[1].tensor = Wave("b", {2, 4, 6}).tensor;
  EXPECT_THAT(error(call), HasSubstr("input 'b': encoding as t1: shape"));
}

TEST(CodecFrames, TheRequestSaysThatATensorIsUnfamiliar) {
  InferCall call = Coded(Encoding::kT1);
  EXPECT_FALSE(EncodeRequest(call)->unfamiliar);
  call.codecs = testing::TinyCodecFile(
      {{"a", testing::TinyCodec(3, 4)}, {"b", testing::TinyCodec(5, 1, 0.01F)}});
  EXPECT_TRUE(EncodeRequest(call)->unfamiliar);
}

// A codec makes a few bytes of very much when all of it is alike; the receiver takes it filled up.
TEST(CodecFrames, TheSenderSendsNothingThatTheReceiverTakesForABomb) {
  InferCall call = Coded(Encoding::kT6);
  call.inputs = {{"a", Tensor::Zeros(DataType::kFloat32, {1, 3, 1024, 1024}).value()}};
  const TensorCodec& codec = *call.codecs->Find("a");
  const std::size_t coded = codec.Encode(call.inputs[0].tensor, 5)->bytes.size();
  ASSERT_GT(call.inputs[0].tensor.elements(), MaxFrameElements(static_cast<int>(coded) + 100));
  const InferCall back = ThereAndBack(call).value();
  EXPECT_EQ(back.inputs.at(0).tensor.bytes(), call.inputs[0].tensor.bytes());
  EXPECT_LE(back.frames.at(0).frame().size(), 3U * 1024 * 1024 / 128 + 100);
}

// Without a bound a plane of one row would become four of coefficients.
TEST(CodecFrames, PaddedPlanesCountAsElements) {
  InferCall call = Coded(Encoding::kT6);
  call.inputs = {{"a", Tensor::Zeros(DataType::kFloat32, {1, 3, 1, 16}).value()}};
  const std::string frame(EncodeFrames(call)->at(0).bytes);
  const TensorCodec* codec = call.codecs->Find("a");
  EXPECT_TRUE(DecodeTensor(frame, "f", 3 * 4 * 16, codec).ok());
  const absl::Status status = DecodeTensor(frame, "f", 3 * 4 * 16 - 1, codec).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("expected at most 191 coefficients of an item, which has 192"));
}

TEST(Images, TravelAsTheyAreWithTheirPreprocessing) {
  const InferCall call = Pictures();
  const inference::ModelInferRequest request = Parsed(call);
  EXPECT_EQ(request.parameters().at("cleave_encoding").string_param(), "image");
  EXPECT_EQ(request.parameters().at("cleave_preprocessing").string_param(),
            call.preprocessing->ToJson());
  ASSERT_EQ(request.inputs_size(), 1);
  EXPECT_EQ(request.inputs(0).datatype(), "BYTES");
  EXPECT_THAT(request.inputs(0).shape(), ElementsAre(3));
  ASSERT_EQ(request.raw_input_contents_size(), 1);

  const InferCall back = ThereAndBack(call).value();
  EXPECT_EQ(back.images, call.images);
  EXPECT_EQ(back.image_input, "x");
  EXPECT_TRUE(back.inputs.empty());
  ASSERT_TRUE(back.preprocessing.has_value());
  EXPECT_EQ(back.preprocessing->ToJson(), call.preprocessing->ToJson());
  EXPECT_EQ(back.preprocessing->mean, call.preprocessing->mean);
}

TEST(Images, WhatDoesNotFitIsRefusedByName) {
  const InferCall good = Pictures();
  const auto error = [&](const auto& spoil) { return ErrorOf(good, spoil); };
  const auto how = [](auto& request, const std::string& json) {
    (*request.mutable_parameters())["cleave_preprocessing"].set_string_param(json);
  };
  EXPECT_THAT(error([](auto& r) { r.mutable_parameters()->erase("cleave_preprocessing"); }),
              HasSubstr("parameter cleave_preprocessing: found none"));
  EXPECT_THAT(error([](auto& r) {
                (*r.mutable_parameters())["cleave_preprocessing"].set_bool_param(true);
              }),
              HasSubstr("parameter cleave_preprocessing"));
  EXPECT_THAT(error([&](auto& r) { how(r, "{}"); }), HasSubstr("parameter cleave_preprocessing"));
  EXPECT_THAT(error([&](auto& r) { how(r, std::string(5000, '[')); }),
              HasSubstr("found 5000 bytes"));
  EXPECT_THAT(error([&](auto& r) { how(r, std::string(4000, '[')); }), HasSubstr("no JSON object"));
  EXPECT_THAT(error([&](auto& r) { how(r, R"({"preprocessing": {"height": -3}})"); }),
              HasSubstr("preprocessing.height: found -3"));
  EXPECT_THAT(error([&](auto& r) {
                how(r, R"({"preprocessing": {"height": 8192, "width": 8192, "resize": 8192}})");
              }),
              HasSubstr("input 'x': found 3 pictures of 201326592 elements"));
  EXPECT_THAT(error([](auto& r) { r.mutable_inputs(0)->set_shape(0, 4); }),
              HasSubstr("input 'x': found shape 4, expected 3"));
  EXPECT_THAT(error([](auto& r) { r.mutable_inputs(0)->clear_shape(); }),
              HasSubstr("found shape scalar"));
  EXPECT_THAT(error([](auto& r) { r.mutable_raw_input_contents(0)->pop_back(); }),
              HasSubstr("input 'x': element 2"));
  EXPECT_THAT(error([](auto& r) {
                r.set_raw_input_contents(0, "");
                r.mutable_inputs(0)->set_shape(0, 0);
              }),
              HasSubstr("found no picture"));
  EXPECT_THAT(error([](auto& r) {
                *r.add_inputs() = r.inputs(0);
                r.mutable_inputs(1)->set_name("y");
                r.add_raw_input_contents(r.raw_input_contents(0));
              }),
              HasSubstr("found 2 inputs"));
  EXPECT_THAT(error([](auto& r) { r.mutable_parameters()->erase("cleave_encoding"); }),
              HasSubstr("cleave_preprocessing"));
}

// An older peer makes other pixels of the same file, and says no revision.
TEST(Images, OfAnotherRevisionAreRefused) {
  const InferCall good = Pictures();
  const auto error = [&](const std::string& json) {
    return ErrorOf(good, [&](auto& request) {
      (*request.mutable_parameters())["cleave_preprocessing"].set_string_param(json);
    });
  };
  EXPECT_THAT(error(R"({"preprocessing": {"resize": 256, "height": 224, "width": 224}})"),
              HasSubstr("cleave_preprocessing: preprocessing.revision: found none, expected 2"));
  EXPECT_THAT(error(R"({"preprocessing": {"revision": 1}})"),
              HasSubstr("preprocessing.revision: found 1, expected 2"));
  InferCall other = good;
  other.preprocessing->fit = Preprocessing::Fit::kLetterbox;
  other.preprocessing->channel_order = Preprocessing::ChannelOrder::kBgr;
  const InferCall back = ThereAndBack(other).value();
  EXPECT_EQ(back.preprocessing->fit, Preprocessing::Fit::kLetterbox);
  EXPECT_EQ(back.preprocessing->ToJson(), other.preprocessing->ToJson());
}

TEST(FormOf, RefusesACallThatSaysTwoThings) {
  const auto error = [](const std::function<void(InferCall&)>& spoil) {
    InferCall call = Pictures();
    spoil(call);
    const absl::Status status = EncodeRequest(call).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(error([](auto& c) { c.inputs = {Wave("x", {1})}; }), HasSubstr("one of them"));
  EXPECT_THAT(error([](auto& c) { c.encode.emplace(); }), HasSubstr("one of them"));
  EXPECT_THAT(error([](auto& c) { c.preprocessing.reset(); }), HasSubstr("expected a preproc"));
  EXPECT_THAT(error([](auto& c) { c.preprocessing->width = 0; }), HasSubstr("width"));
  EXPECT_THAT(error([](auto& c) { c.images.clear(); }), HasSubstr("expected pictures"));
  EXPECT_THAT(error([](auto& c) {
                c.frames.push_back({"x", {}, std::string(4, '\0')});
              }),
              HasSubstr("one of them"));
}

}  // namespace
}  // namespace cleave
