#ifndef CLEAVE_CODEC_RANGE_CODER_H_
#define CLEAVE_CODEC_RANGE_CODER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace cleave {

// The chance of a 1, in 1/65536, as the mean of two estimates that follow what was coded, one fast
// and one slowly. Integers throughout: the same bits give the same chances on every machine.
class AdaptiveBit {
 public:
  AdaptiveBit() = default;
  explicit AdaptiveBit(std::uint16_t chance) : fast_(chance), slow_(chance) {}

  // In 1/32768, and never so small or large that a bit would cost nothing.
  std::uint32_t Chance() const {
    const std::uint32_t chance = (std::uint32_t{fast_} + slow_) >> 2;
    return chance < kLeast ? kLeast : (chance > kOne - kLeast ? kOne - kLeast : chance);
  }

  void Learn(bool one) {
    if (one) {
      fast_ = static_cast<std::uint16_t>(fast_ + ((65535 - fast_) >> kFast));
      slow_ = static_cast<std::uint16_t>(slow_ + ((65535 - slow_) >> kSlow));
    } else {
      fast_ = static_cast<std::uint16_t>(fast_ - (fast_ >> kFast));
      slow_ = static_cast<std::uint16_t>(slow_ - (slow_ >> kSlow));
    }
  }

 private:
  static constexpr std::uint32_t kOne = 32768;
  static constexpr std::uint32_t kLeast = 32;
  static constexpr int kFast = 5;
  static constexpr int kSlow = 8;

  std::uint16_t fast_ = 32768;
  std::uint16_t slow_ = 32768;
};

// Codes bits by the range coder of LZMA: 32 bits of range, a byte at a time, with carries. Thread-
// compatible.
class RangeEncoder {
 public:
  void Encode(bool one, AdaptiveBit& bit) {
    EncodeWithChance(one, bit.Chance());
    bit.Learn(one);
  }
  // Codes the lowest `count` bits, which are taken to be 0 or 1 alike. REQUIRES: count is 0 to 32.
  void EncodeRaw(std::uint32_t bits, int count);

  // Ends the stream and returns it. Zeros at the end are left out, since the decoder reads zeros
  // behind the end.
  std::string Finish() &&;

  // The bytes so far, within a few.
  std::size_t size() const { return bytes_.size(); }

 private:
  static constexpr std::uint32_t kLeastRange = std::uint32_t{1} << 24;

  void EncodeWithChance(bool one, std::uint32_t chance) {
    const std::uint32_t bound = (range_ >> 15) * chance;
    if (one) {
      range_ = bound;
    } else {
      low_ += bound;
      range_ -= bound;
    }
    while (range_ < kLeastRange) {
      range_ <<= 8;
      ShiftLow();
    }
  }
  void ShiftLow();

  std::uint64_t low_ = 0;
  std::uint32_t range_ = 0xFFFFFFFF;
  std::uint8_t cache_ = 0;
  std::size_t pending_ = 0;  // Bytes of 0xFF, or the cache alone, that a carry may still change.
  bool started_ = false;
  std::string bytes_;
};

// Decodes what RangeEncoder coded, as long as it is asked for the same bits in the same order.
// Other bytes give some bits or other, and zeros follow behind their end. Thread-compatible; views
// the bytes.
class RangeDecoder {
 public:
  explicit RangeDecoder(absl::string_view bytes);

  bool Decode(AdaptiveBit& bit) {
    const bool one = DecodeWithChance(bit.Chance());
    bit.Learn(one);
    return one;
  }
  // REQUIRES: count is 0 to 32.
  std::uint32_t DecodeRaw(int count) {
    std::uint32_t bits = 0;
    for (int i = 0; i < count; ++i) {
      range_ >>= 1;
      const std::uint32_t bit = code_ >= range_ ? 1 : 0;
      code_ -= bit * range_;
      bits = (bits << 1) | bit;
      Refill();
    }
    return bits;
  }

  // Whether all bytes were read, as they are when all bits that were coded have been decoded.
  bool AtEnd() const { return at_ >= bytes_.size(); }

 private:
  static constexpr std::uint32_t kLeastRange = std::uint32_t{1} << 24;

  bool DecodeWithChance(std::uint32_t chance) {
    const std::uint32_t bound = (range_ >> 15) * chance;
    const bool one = code_ < bound;
    if (one) {
      range_ = bound;
    } else {
      code_ -= bound;
      range_ -= bound;
    }
    Refill();
    return one;
  }
  void Refill() {
    while (range_ < kLeastRange) {
      range_ <<= 8;
      code_ = (code_ << 8) | NextByte();
    }
  }
  std::uint8_t NextByte() {
    return at_ < bytes_.size() ? static_cast<std::uint8_t>(bytes_[at_++]) : 0;
  }

  absl::string_view bytes_;
  std::size_t at_ = 0;
  std::uint32_t range_ = 0xFFFFFFFF;
  std::uint32_t code_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_CODEC_RANGE_CODER_H_
