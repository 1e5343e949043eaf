#include "codec/range_coder.h"

#include <utility>

namespace cleave {

void RangeEncoder::ShiftLow() {
  const auto top = static_cast<std::uint32_t>(low_ >> 24);
  if (top < 0xFF || top > 0xFF) {
    const auto carry = static_cast<std::uint8_t>(low_ >> 32);
    if (started_) bytes_.push_back(static_cast<char>(cache_ + carry));
    for (; pending_ > 0; --pending_) bytes_.push_back(static_cast<char>(0xFF + carry));
    cache_ = static_cast<std::uint8_t>(top);
    started_ = true;
  } else {
    ++pending_;
  }
  low_ = (low_ & 0x00FFFFFF) << 8;
}

void RangeEncoder::EncodeRaw(std::uint32_t bits, int count) {
  for (int i = count - 1; i >= 0; --i) {
    range_ >>= 1;
    if (((bits >> i) & 1) != 0) low_ += range_;
    while (range_ < kLeastRange) {
      range_ <<= 8;
      ShiftLow();
    }
  }
}

std::string RangeEncoder::Finish() && {
  for (int i = 0; i < 5; ++i) ShiftLow();
  while (!bytes_.empty() && bytes_.back() == '\0') bytes_.pop_back();
  return std::move(bytes_);
}

RangeDecoder::RangeDecoder(absl::string_view bytes) : bytes_(bytes) {
  for (int i = 0; i < 4; ++i) code_ = (code_ << 8) | NextByte();
}

}  // namespace cleave
