// These tests give a reader frames that no writer made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "codec/frame.h"
#include "codec/frames.h"
#include "codec/rans.h"
#include "support/tiny_codec.h"

namespace {
std::atomic<std::size_t> allocated_bytes = 0;
}  // namespace

// GCC assumes that the standard operator new is called where this one is.
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

// It counts the bytes that are allocated; the working memory of zstd and htscodecs does not come
// this way.
void* operator new(std::size_t size) {
  allocated_bytes += size;
  if (void* bytes = std::malloc(size == 0 ? 1 : size)) return bytes;
  throw std::bad_alloc();
}
void operator delete(void* bytes) noexcept { std::free(bytes); }
void operator delete(void* bytes, std::size_t /*size*/) noexcept { std::free(bytes); }

namespace cleave {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kPlenty = std::int64_t{1} << 40;

std::string ErrorOf(const std::string& frame, std::int64_t max_elements = kPlenty) {
  const absl::StatusOr<Tensor> tensor = DecodeTensor(frame, "peer", max_elements);
  EXPECT_EQ(tensor.status().code(), absl::StatusCode::kInvalidArgument) << tensor.status();
  return std::string(tensor.status().message());
}

// Returns the frame with other bytes from `at` on and a checksum that fits them.
std::string Forged(std::string frame, std::size_t at, const std::string& bytes) {
  frame.replace(at, bytes.size(), bytes);
  return WithChecksum(frame);
}

// The rank is 2: dimensions start at byte 12, ranges at 28, the length at 36 (one range) or 28
// (none).
std::string Sample(Encoding encoding, bool entropy = false,
                   EncodeOptions::Range range = EncodeOptions::Range::kPerTensor) {
  return EncodeTensor(FloatTensor({2, 21}, Activations(42, 3)),
                      {.encoding = encoding, .range = range, .entropy = entropy})
      .value();
}

std::string Compressible(Encoding encoding) {
  return EncodeTensor(FloatTensor({10, 100}, std::vector<float>(1000, 1)),
                      {.encoding = encoding, .entropy = true})
      .value();
}

// The tensor is long enough for rANS to be the smallest, if the encoding has rANS.
std::string Coded(Encoding encoding) {
  return EncodeTensor(FloatTensor({10, 40}, Activations(400, 3)),
                      {.encoding = encoding, .entropy = true})
      .value();
}

std::vector<std::string> ManyFrames() {
  std::vector<std::string> frames;
  for (const Encoding encoding : kAllEncodings) {
    frames.push_back(Sample(encoding));
    frames.push_back(Sample(encoding, false, EncodeOptions::Range::kPerChannel));
    frames.push_back(Compressible(encoding));
    frames.push_back(Coded(encoding));
  }
  return frames;
}

std::string Little(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

TEST(FrameRobustnessTest, RefusesEveryTruncationAndEveryByteTooMany) {
  for (const std::string& frame : ManyFrames()) {
    ASSERT_TRUE(DecodeTensor(frame, "peer", kPlenty).ok());
    for (std::size_t size = 0; size < frame.size(); ++size) {
      ASSERT_FALSE(DecodeTensor(frame.substr(0, size), "peer", kPlenty).ok()) << size;
    }
    EXPECT_THAT(ErrorOf(frame + "x"), HasSubstr("peer: frame length: found"));
  }
}

TEST(FrameRobustnessTest, RefusesEveryChangeOfOneByte) {
  for (const std::string& frame : ManyFrames()) {
    for (std::size_t at = 0; at < frame.size(); ++at) {
      for (int change = 1; change < 256; ++change) {
        std::string damaged = frame;
        damaged[at] = static_cast<char>(damaged[at] ^ change);
        ASSERT_FALSE(DecodeTensor(damaged, "peer", kPlenty).ok()) << at << " ^ " << change;
      }
    }
  }
}

// With a checksum that fits, a change may make another frame, but the reader may never allocate
// more than one of its size needs, and never crash.
TEST(FrameRobustnessTest, ChangesUnderAFittingChecksumAreRefusedOrHarmless) {
  for (const std::string& frame : ManyFrames()) {
    for (std::size_t at = 0; at + 4 < frame.size(); ++at) {
      for (const int change : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
        const std::string other =
            Forged(frame, at, std::string(1, static_cast<char>(frame[at] ^ change)));
        const absl::StatusOr<Tensor> tensor = DecodeTensor(other, "peer", 100'000);
        if (!tensor.ok()) {
          ASSERT_EQ(tensor.status().code(), absl::StatusCode::kInvalidArgument);
          continue;
        }
        ASSERT_LE(tensor->elements(), 100'000);
        ASSERT_EQ(tensor->elements(), ElementCount(tensor->shape()).value());
      }
    }
  }
}

TEST(FrameRobustnessTest, RandomBytesBehindAGoodHeadAreRefusedOrHarmless) {
  std::mt19937 random(2);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes("CLVT\1", 5);
    const std::size_t size = 16 + random() % 100;
    while (bytes.size() < size)
      bytes.push_back(static_cast<char>(random() % 4 == 0 ? random() : 0));
    const absl::StatusOr<Tensor> tensor = DecodeTensor(WithChecksum(bytes), "peer", 1000);
    ASSERT_TRUE(!tensor.ok() || tensor->elements() <= 1000);
  }
}

TEST(FrameRobustnessTest, NamesTheFieldOfTheFixedPart) {
  const std::string frame = Sample(Encoding::kQ8);
  const auto forged = [&](std::size_t at, int value) {
    return ErrorOf(Forged(frame, at, std::string(1, static_cast<char>(value))));
  };
  EXPECT_THAT(ErrorOf(""), HasSubstr("peer: frame magic: found '', expected 'CLVT'"));
  EXPECT_THAT(forged(0, 'X'), HasSubstr("frame magic: found 'XLVT', expected 'CLVT'"));
  EXPECT_THAT(forged(4, 2), HasSubstr("frame version: found 2, expected 1"));
  EXPECT_THAT(forged(5, 3), HasSubstr("frame compression: found 3, expected 0 to 2"));
  EXPECT_THAT(forged(5, 2), HasSubstr("frame compression: found 2 (rANS), expected 0 or 1 for q8"));
  EXPECT_THAT(forged(6, 14), HasSubstr("frame encoding: found 14, expected 0 to 13"));
  EXPECT_THAT(forged(7, 13), HasSubstr("frame data type: found 13, expected 0 to 12"));
  EXPECT_THAT(forged(7, 7), HasSubstr("frame data type: found INT64, expected FP32 for q8"));
  EXPECT_THAT(forged(8, 3), HasSubstr("frame range kind: found 3, expected 0 to 2"));
  EXPECT_THAT(forged(8, 0), HasSubstr("frame range kind: found 0, expected 1 or 2 for q8"));
  EXPECT_THAT(forged(9, 1), HasSubstr("frame channel axis: found 1, expected 0 for range kind 1"));
  EXPECT_THAT(forged(10, 33), HasSubstr("frame rank: found 33, expected at most 32"));
  EXPECT_THAT(forged(11, 1), HasSubstr("frame reserved byte: found 1, expected 0"));
  EXPECT_THAT(ErrorOf(Forged(Sample(Encoding::kFp16), 8, "\1")),
              HasSubstr("frame range kind: found 1, expected 0 for fp16"));
  const std::string per_channel = Sample(Encoding::kQ8, false, EncodeOptions::Range::kPerChannel);
  EXPECT_THAT(ErrorOf(Forged(per_channel, 9, "\2")),
              HasSubstr("frame channel axis: found 2, expected an axis of 2"));
}

TEST(FrameRobustnessTest, NamesTheRestOfTheFields) {
  const std::string frame = Sample(Encoding::kQ8);
  EXPECT_THAT(ErrorOf(Forged(frame, 12, Little(1ULL << 63))),
              HasSubstr("frame dimension 0: found"));
  EXPECT_THAT(ErrorOf(Forged(frame, 12, Little(1ULL << 60))), HasSubstr("frame shape: found"));
  EXPECT_THAT(ErrorOf(frame, 41), HasSubstr("found 2x21, expected at most 41 elements"));
  EXPECT_TRUE(DecodeTensor(frame, "peer", 42).ok());
  EXPECT_THAT(ErrorOf(Forged(frame, 12, Little(3))),
              HasSubstr("frame payload length: found 42, expected 63 for q8 3x21"));
  EXPECT_THAT(ErrorOf(Forged(frame, 36, Little(41))), HasSubstr("frame payload length: found 41"));
  std::string damaged = frame;
  damaged[frame.size() - 5] ^= 1;
  EXPECT_THAT(ErrorOf(damaged), HasSubstr("frame checksum: found"));
  const std::string nan("\0\0\xC0\x7F", 4);
  const std::string inf("\0\0\x80\x7F", 4);
  const std::string minus_one("\0\0\x80\xBF", 4);
  EXPECT_THAT(ErrorOf(Forged(frame, 28, nan)), HasSubstr("frame range: found [nan, "));
  EXPECT_THAT(ErrorOf(Forged(frame, 32, inf)), HasSubstr("inf], expected two finite numbers"));
  EXPECT_THAT(ErrorOf(Forged(frame, 32, minus_one)), HasSubstr("[0, -1], expected two finite"));
}

TEST(FrameRobustnessTest, NamesWhatIsWrongInThePayload) {
  // There are 42 levels of 2 bits: 4 bits of the last byte, just before the checksum, are free.
  const std::string twos = Sample(Encoding::kQ2);
  EXPECT_THAT(ErrorOf(Forged(twos, twos.size() - 5, "\x1F")),
              HasSubstr("unused bits of the last byte: found 1, expected 0"));
  const std::string halves = Sample(Encoding::kFp16);
  EXPECT_THAT(ErrorOf(Forged(halves, halves.size() - 6, std::string("\0\x7C", 2))),
              HasSubstr("found a half that is not finite"));
  const std::string bools = EncodeTensor(Tensor::Zeros(DataType::kBool, {4}).value(), {}).value();
  EXPECT_THAT(ErrorOf(Forged(bools, bools.size() - 6, "\2")),
              HasSubstr("BOOL element 2: found 2, expected 0 or 1"));
}

TEST(FrameRobustnessTest, NamesWhatIsWrongInTheCompression) {
  const std::string good = Compressible(Encoding::kQ8);
  constexpr std::size_t kLength = 36;
  constexpr std::size_t kPayload = 44;
  const auto with_payload = [&](const std::string& payload) {
    return WithChecksum(good.substr(0, kLength) + Little(payload.size()) + payload + "CRC.");
  };
  const std::string zstd = good.substr(kPayload, good.size() - kPayload - 4);
  ASSERT_TRUE(DecodeTensor(with_payload(zstd), "peer", kPlenty).ok());
  EXPECT_THAT(ErrorOf(with_payload("no zstd")), HasSubstr("no zstd frame that says its size"));
  EXPECT_THAT(ErrorOf(with_payload(zstd + zstd)), HasSubstr("not the whole payload"));
  EXPECT_THAT(ErrorOf(with_payload(zstd.substr(0, zstd.size() - 1))), HasSubstr("payload: found"));
  EXPECT_THAT(ErrorOf(with_payload("")), HasSubstr("payload length: found 0, expected 1 to 1000"));
  EXPECT_THAT(ErrorOf(with_payload(std::string(1000, 'x'))),
              HasSubstr("payload length: found 1000, expected 1 to 1000 - 1"));
  // The zstd frame was made for another shape.
  EXPECT_THAT(ErrorOf(Forged(good, 12, Little(11))), HasSubstr("expected one of 1100 bytes"));
}

TEST(FrameRobustnessTest, NamesWhatIsWrongInTheRansStream) {
  const std::string good = Coded(Encoding::kQ4);
  constexpr std::size_t kLength = 36;
  constexpr std::size_t kPayload = 44;
  ASSERT_EQ(good[5], 2);
  const auto with_payload = [&](const std::string& payload) {
    return WithChecksum(good.substr(0, kLength) + Little(payload.size()) + payload + "CRC.");
  };
  const std::string rans = good.substr(kPayload, good.size() - kPayload - 4);
  ASSERT_EQ(with_payload(rans), good);
  EXPECT_THAT(ErrorOf(with_payload("\x20" + rans.substr(1))),
              HasSubstr("peer: frame payload: rANS order: found 32, expected 0 or 1"));
  EXPECT_THAT(ErrorOf(Forged(good, 12, Little(9))),
              HasSubstr("frame payload: rANS length: found 400, expected 360 levels"));
  EXPECT_THAT(ErrorOf(with_payload(rans.substr(0, 10))), HasSubstr("frame payload: rANS stream"));
  EXPECT_THAT(ErrorOf(with_payload(std::string(200, '\0'))),
              HasSubstr("payload length: found 200, expected 1 to 200 - 1"));
  std::vector<std::uint8_t> levels(400, 0);
  levels[123] = 16;
  EXPECT_THAT(ErrorOf(with_payload(RansEncode(levels, 100).value())),
              HasSubstr("frame payload: rANS level 123: found 16, expected at most 15"));
  EXPECT_THAT(ErrorOf(Forged(good, 6, "\1")),
              HasSubstr("frame compression: found 2 (rANS), expected 0 or 1 for fp16"));
}

TEST(FrameRobustnessTest, AllocatesNothingForAShapeThatItsBytesDoNotBear) {
  for (const Encoding encoding : kAllEncodings) {
    const std::string frame = Forged(Sample(encoding), 12, Little(1ULL << 30));
    allocated_bytes = 0;
    const absl::StatusOr<Tensor> tensor = DecodeTensor(frame, "peer", kPlenty);
    EXPECT_LT(allocated_bytes.load(), 4096U) << EncodingName(encoding);
    EXPECT_FALSE(tensor.ok());
  }
  const std::string channels =
      Forged(Forged(Sample(Encoding::kQ8, false, EncodeOptions::Range::kPerChannel), 20,
                    Little(1ULL << 30)),
             9, "\1");
  allocated_bytes = 0;
  EXPECT_THAT(ErrorOf(channels), HasSubstr("frame ranges: found"));
  EXPECT_LT(allocated_bytes.load(), 4096U);
  // The stream does not have these levels.
  const std::string rans = Forged(Coded(Encoding::kQ4), 12, Little(1ULL << 24));
  allocated_bytes = 0;
  EXPECT_THAT(ErrorOf(rans), HasSubstr("rANS length: found 400"));
  EXPECT_LT(allocated_bytes.load(), 4096U);
}

TEST(FrameRobustnessTest, AllocatesWhatTheShapeNeedsAndNoMore) {
  const Tensor tensor = FloatTensor({100, 1000}, Activations(100'000, 1));
  for (const Encoding encoding : kAllEncodings) {
    const std::string frame = EncodeTensor(tensor, {.encoding = encoding}).value();
    allocated_bytes = 0;
    ASSERT_TRUE(DecodeTensor(frame, "peer", kPlenty).ok());
    EXPECT_LT(allocated_bytes.load(), 400'000U + 4096) << EncodingName(encoding);
    const std::string smaller =
        EncodeTensor(tensor, {.encoding = encoding, .entropy = true}).value();
    allocated_bytes = 0;
    ASSERT_TRUE(DecodeTensor(smaller, "peer", kPlenty).ok());
    // Between frame and tensor there are levels of a byte each, or what the encoding packed.
    const std::size_t between = smaller[5] == 2 ? 100'000 : frame.size();
    EXPECT_LT(allocated_bytes.load(), 400'000 + between + 4096) << EncodingName(encoding);
  }
}

// Whatever stands in a frame of t1 to t6, its reader ends with an error or the tensor that the
// header announces, and allocates in proportion to that.
TEST(FrameRobustnessTest, FramesOfACodecAreRefusedOrHarmless) {
  const TensorCodec codec = TensorCodec::Create(testing::TinyCodec(3, 4)).value();
  const Tensor tensor = FloatTensor({2, 3, 5, 7}, Activations(210, 5));
  const std::string frame =
      EncodeTensor(tensor, {.encoding = Encoding::kT3, .codec = &codec}).value();
  const auto decode = [&](const std::string& bytes) {
    return DecodeTensor(bytes, "peer", 1000, &codec);
  };
  ASSERT_TRUE(decode(frame).ok());
  for (std::size_t size = 0; size < frame.size(); ++size) {
    ASSERT_FALSE(decode(frame.substr(0, size)).ok()) << size;
  }
  for (std::size_t at = 0; at + 4 < frame.size(); ++at) {
    for (const int change : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      const std::string other =
          Forged(frame, at, std::string(1, static_cast<char>(frame[at] ^ change)));
      const std::size_t before = allocated_bytes;
      const absl::StatusOr<Tensor> found = decode(other);
      ASSERT_LT(allocated_bytes - before, 100'000U) << at;
      if (!found.ok()) {
        ASSERT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument) << found.status();
        continue;
      }
      ASSERT_LE(found->elements(), 1000);
    }
  }
  EXPECT_THAT(ErrorOf(Forged(frame, 5, "\1")),
              HasSubstr("frame compression: found 1, expected 0 for t3"));
  EXPECT_THAT(ErrorOf(Forged(frame, 5, "\2")),
              HasSubstr("frame compression: found 2 (rANS), expected 0 for t3"));
  EXPECT_THAT(ErrorOf(Forged(frame, 8, "\1")),
              HasSubstr("frame range kind: found 1, expected 0 for t3"));
  EXPECT_THAT(ErrorOf(Forged(frame, 7, "\1")),
              HasSubstr("frame data type: found FP16, expected FP32 for t3"));
}

// A header of few bytes may claim any shape: nothing is allocated for one that the limit, or the
// codec, or the planes that it would be padded to forbid.
TEST(FrameRobustnessTest, NothingIsAllocatedForAShapeThatTheCodecDoesNotTake) {
  const TensorCodec codec = TensorCodec::Create(testing::TinyCodec(3, 4)).value();
  const std::string frame = EncodeTensor(FloatTensor({2, 3, 5, 7}, Activations(210, 5)),
                                         {.encoding = Encoding::kT3, .codec = &codec})
                                .value();
  constexpr std::int64_t kMost = 1 << 22;
  const auto claim = [&](const Shape& shape) {
    std::string other = frame;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      other.replace(12 + 8 * i, 8, Little(static_cast<std::uint64_t>(shape[i])));
    }
    other = WithChecksum(other);
    const std::size_t before = allocated_bytes;
    const absl::Status status = DecodeTensor(other, "peer", kMost, &codec).status();
    EXPECT_LT(allocated_bytes - before, 10'000U) << ShapeString(shape);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(claim({1 << 20, 3, 5, 7}), HasSubstr("expected at most 4194304 elements"));
  EXPECT_THAT(claim({2, 4, 5, 7}), HasSubstr("expected 3 channels"));
  EXPECT_THAT(claim({1, 3, 1, 1 << 20}),
              HasSubstr("expected at most 4194304 coefficients of an item, which has 12582912"));
}

}  // namespace
}  // namespace cleave
