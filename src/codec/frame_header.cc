#include "codec/frame_header.h"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are taken as they are");

constexpr absl::string_view kMagic = "CLVT";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kFixedBytes = 12;
constexpr std::size_t kChecksumBytes = 4;

// The numbers that stand in a frame; they stay the same when the enums change.
template <typename Value>
struct Code {
  std::uint8_t code;
  Value value;
};

constexpr std::array kCompressions = std::to_array<Code<Compression>>({
    {0, Compression::kNone},
    {1, Compression::kZstd},
    {2, Compression::kRans},
});

constexpr std::array kEncodings = std::to_array<Code<Encoding>>({
    {0, Encoding::kFp32},
    {1, Encoding::kFp16},
    {2, Encoding::kQ8},
    {3, Encoding::kQ6},
    {4, Encoding::kQ5},
    {5, Encoding::kQ4},
    {6, Encoding::kQ3},
    {7, Encoding::kQ2},
    {8, Encoding::kT1},
    {9, Encoding::kT2},
    {10, Encoding::kT3},
    {11, Encoding::kT4},
    {12, Encoding::kT5},
    {13, Encoding::kT6},
});

constexpr std::array kDataTypes = std::to_array<Code<DataType>>({
    {0, DataType::kFloat32},
    {1, DataType::kFloat16},
    {2, DataType::kBFloat16},
    {3, DataType::kFloat64},
    {4, DataType::kInt8},
    {5, DataType::kInt16},
    {6, DataType::kInt32},
    {7, DataType::kInt64},
    {8, DataType::kUint8},
    {9, DataType::kUint16},
    {10, DataType::kUint32},
    {11, DataType::kUint64},
    {12, DataType::kBool},
});

constexpr std::array kRangeKinds = std::to_array<Code<RangeKind>>({
    {0, RangeKind::kNone},
    {1, RangeKind::kPerTensor},
    {2, RangeKind::kPerChannel},
});

template <typename Value, std::size_t kSize>
std::uint8_t CodeOf(const std::array<Code<Value>, kSize>& codes, Value value) {
  const auto found = std::find_if(codes.begin(), codes.end(),
                                  [value](const auto& entry) { return entry.value == value; });
  return found->code;
}

template <typename Number>
void Append(std::string& out, Number number) {
  char bytes[sizeof(Number)];
  std::memcpy(bytes, &number, sizeof(Number));
  out.append(bytes, sizeof(Number));
}

// The function is libdeflate's, since zlib's takes longer than everything else that is done to a
// tensor.
std::uint32_t FrameChecksum(absl::string_view bytes) {
  return libdeflate_crc32(0, bytes.data(), bytes.size());
}

// REQUIRES: the other fields are set.
std::int64_t RangeCount(const FrameHeader& header) {
  if (header.range_kind == RangeKind::kNone || header.elements() == 0) return 0;
  if (header.range_kind == RangeKind::kPerTensor) return 1;
  return header.shape[header.channel_axis];
}

// Reads a frame from its start, field by field; the first field that does not fit ends it.
class FrameReader {
 public:
  FrameReader(absl::string_view frame, const std::string& origin)
      : frame_(frame), rest_(frame), origin_(origin) {}

  absl::StatusOr<FrameHeader> ReadStart(std::int64_t max_elements) {
    CLEAVE_RETURN_IF_ERROR(ReadFixedPart());
    CLEAVE_RETURN_IF_ERROR(ReadShape(max_elements));
    CLEAVE_RETURN_IF_ERROR(CheckRangeKind());
    return parts_.header;
  }

  absl::StatusOr<FrameParts> Read(std::int64_t max_elements) {
    CLEAVE_RETURN_IF_ERROR(ReadStart(max_elements).status());
    CLEAVE_RETURN_IF_ERROR(ReadRanges());
    CLEAVE_RETURN_IF_ERROR(ReadPayload());
    CLEAVE_RETURN_IF_ERROR(CheckChecksum());
    // The ranges are checked last, so that a damaged frame is reported as damaged, not as having
    // bad ranges.
    CLEAVE_RETURN_IF_ERROR(CheckRanges());
    return std::move(parts_);
  }

 private:
  template <typename Found, typename Expected>
  absl::Status Refuse(absl::string_view field, const Found& found, const Expected& expected) const {
    return FieldError(absl::StrCat(origin_, ": frame ", field), found, expected);
  }

  template <typename Number>
  absl::StatusOr<Number> Take(absl::string_view field) {
    if (rest_.size() < sizeof(Number)) {
      return Refuse(
          field, absl::StrCat("the end after ", frame_.size(), " bytes"),
          absl::StrCat(sizeof(Number), " bytes from byte ", frame_.size() - rest_.size(), " on"));
    }
    Number number;
    std::memcpy(&number, rest_.data(), sizeof(Number));
    rest_.remove_prefix(sizeof(Number));
    return number;
  }

  template <typename Value, std::size_t kSize>
  absl::StatusOr<Value> TakeCode(absl::string_view field,
                                 const std::array<Code<Value>, kSize>& codes) {
    CLEAVE_ASSIGN_OR_RETURN(const int code, Take<std::uint8_t>(field));
    for (const Code<Value>& entry : codes) {
      if (entry.code == code) return entry.value;
    }
    return Refuse(field, code, absl::StrCat("0 to ", kSize - 1));
  }

  absl::Status TakeExactly(absl::string_view field, int expected) {
    CLEAVE_ASSIGN_OR_RETURN(const int found, Take<std::uint8_t>(field));
    return found == expected ? absl::OkStatus() : Refuse(field, found, expected);
  }

  absl::Status ReadFixedPart() {
    FrameHeader& header = parts_.header;
    if (!absl::StartsWith(rest_, kMagic)) {
      return Refuse("magic",
                    absl::StrCat("'", absl::CHexEscape(rest_.substr(0, kMagic.size())), "'"),
                    absl::StrCat("'", kMagic, "'"));
    }
    rest_.remove_prefix(kMagic.size());
    CLEAVE_RETURN_IF_ERROR(TakeExactly("version", kVersion));
    CLEAVE_ASSIGN_OR_RETURN(header.compression, TakeCode("compression", kCompressions));
    CLEAVE_ASSIGN_OR_RETURN(header.encoding, TakeCode("encoding", kEncodings));
    if (header.compression == Compression::kRans && !TakesRans(header.encoding)) {
      return Refuse("compression", "2 (rANS)",
                    absl::StrCat(CodecRate(header.encoding) ? "0 for " : "0 or 1 for ",
                                 EncodingName(header.encoding)));
    }
    if (header.compression != Compression::kNone && CodecRate(header.encoding)) {
      return Refuse("compression", CodeOf(kCompressions, header.compression),
                    absl::StrCat("0 for ", EncodingName(header.encoding)));
    }
    CLEAVE_ASSIGN_OR_RETURN(header.dtype, TakeCode("data type", kDataTypes));
    if (header.encoding != Encoding::kFp32 && header.dtype != DataType::kFloat32) {
      return Refuse("data type", DataTypeName(header.dtype),
                    absl::StrCat("FP32 for ", EncodingName(header.encoding)));
    }
    CLEAVE_ASSIGN_OR_RETURN(header.range_kind, TakeCode("range kind", kRangeKinds));
    CLEAVE_ASSIGN_OR_RETURN(header.channel_axis, Take<std::uint8_t>("channel axis"));
    CLEAVE_ASSIGN_OR_RETURN(rank_, Take<std::uint8_t>("rank"));
    if (rank_ > kMaxFrameRank) {
      return Refuse("rank", rank_, absl::StrCat("at most ", kMaxFrameRank));
    }
    return TakeExactly("reserved byte", 0);
  }

  absl::Status ReadShape(std::int64_t max_elements) {
    Shape& shape = parts_.header.shape;
    for (int i = 0; i < rank_; ++i) {
      CLEAVE_ASSIGN_OR_RETURN(const std::uint64_t dim,
                              Take<std::uint64_t>(absl::StrCat("dimension ", i)));
      if (dim > std::uint64_t{1} << 62) {
        return Refuse(absl::StrCat("dimension ", i), dim, "at most 2^62");
      }
      shape.push_back(static_cast<std::int64_t>(dim));
    }
    const absl::StatusOr<std::int64_t> elements = ElementCount(shape);
    if (!elements.ok() || *elements > max_elements) {
      return Refuse("shape", ShapeString(shape),
                    absl::StrCat("at most ", max_elements, " elements"));
    }
    return absl::OkStatus();
  }

  absl::Status CheckRangeKind() const {
    const FrameHeader& header = parts_.header;
    const int kind = CodeOf(kRangeKinds, header.range_kind);
    const bool integers = LevelBits(header.encoding) > 0;
    if (integers != (header.range_kind != RangeKind::kNone)) {
      return Refuse(
          "range kind", kind,
          absl::StrCat(integers ? "1 or 2 for " : "0 for ", EncodingName(header.encoding)));
    }
    if (header.range_kind != RangeKind::kPerChannel) {
      return header.channel_axis == 0 ? absl::OkStatus()
                                      : Refuse("channel axis", header.channel_axis,
                                               absl::StrCat("0 for range kind ", kind));
    }
    if (header.channel_axis >= rank_) {
      return Refuse("channel axis", header.channel_axis, absl::StrCat("an axis of ", rank_));
    }
    return absl::OkStatus();
  }

  absl::Status ReadRanges() {
    const auto count = static_cast<std::size_t>(RangeCount(parts_.header));
    // The shape is not to be trusted before the bytes are there.
    if (count > rest_.size() / (2 * sizeof(float))) {
      return Refuse("ranges", absl::StrCat(rest_.size(), " bytes"),
                    absl::StrCat(count, " pairs of 4-byte floats"));
    }
    parts_.header.ranges.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      CLEAVE_ASSIGN_OR_RETURN(const float min, Take<float>("ranges"));
      CLEAVE_ASSIGN_OR_RETURN(const float max, Take<float>("ranges"));
      parts_.header.ranges.push_back({min, max});
    }
    return absl::OkStatus();
  }

  absl::Status ReadPayload() {
    CLEAVE_ASSIGN_OR_RETURN(const std::uint64_t length, Take<std::uint64_t>("payload length"));
    CLEAVE_RETURN_IF_ERROR(CheckPayloadLength(length));
    if (rest_.size() < kChecksumBytes || rest_.size() - kChecksumBytes != length) {
      return Refuse(
          "length", absl::StrCat(frame_.size(), " bytes"),
          absl::StrCat(frame_.size() - rest_.size(), " + ", length, " + ", kChecksumBytes));
    }
    parts_.payload = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return absl::OkStatus();
  }

  // What a codec makes of a tensor has any length.
  absl::Status CheckPayloadLength(std::uint64_t length) const {
    const FrameHeader& header = parts_.header;
    if (CodecRate(header.encoding)) return absl::OkStatus();
    const auto whole = static_cast<std::uint64_t>(PayloadBytes(header));
    const bool compressed = header.compression != Compression::kNone;
    if (compressed ? length != 0 && length < whole : length == whole) return absl::OkStatus();
    return Refuse("payload length", length,
                  compressed ? absl::StrCat("1 to ", whole, " - 1, as it is compressed")
                             : absl::StrCat(whole, " for ", EncodingName(header.encoding), " ",
                                            ShapeString(header.shape)));
  }

  absl::Status CheckChecksum() {
    const std::uint32_t expected = FrameChecksum(frame_.substr(0, frame_.size() - kChecksumBytes));
    CLEAVE_ASSIGN_OR_RETURN(const std::uint32_t found, Take<std::uint32_t>("checksum"));
    if (found == expected) return absl::OkStatus();
    return Refuse("checksum", absl::Hex(found, absl::kZeroPad8),
                  absl::StrCat(absl::Hex(expected, absl::kZeroPad8), " for its ",
                               frame_.size() - kChecksumBytes, " bytes"));
  }

  absl::Status CheckRanges() const {
    for (const ValueRange& range : parts_.header.ranges) {
      if (!std::isfinite(range.min) || !std::isfinite(range.max) || range.min > range.max) {
        return Refuse("range", absl::StrCat("[", range.min, ", ", range.max, "]"),
                      "two finite numbers in order");
      }
    }
    return absl::OkStatus();
  }

  absl::string_view frame_;
  absl::string_view rest_;
  const std::string& origin_;
  int rank_ = 0;
  FrameParts parts_;
};

}  // namespace

std::int64_t FrameHeader::elements() const { return ElementCount(shape).value_or(0); }

RangeLayout FrameHeader::Layout() const {
  if (range_kind != RangeKind::kPerChannel) {
    return {.channels = 1, .inner = std::max<std::int64_t>(1, elements())};
  }
  RangeLayout layout{.channels = shape[channel_axis], .inner = 1};
  for (std::size_t i = channel_axis + 1; i < shape.size(); ++i) layout.inner *= shape[i];
  return layout;
}

int LevelBits(Encoding encoding) {
  switch (encoding) {
    case Encoding::kQ8:
      return 8;
    case Encoding::kQ6:
      return 6;
    case Encoding::kQ5:
      return 5;
    case Encoding::kQ4:
      return 4;
    case Encoding::kQ3:
      return 3;
    case Encoding::kQ2:
      return 2;
    default:
      return 0;
  }
}

bool TakesRans(Encoding encoding) { return LevelBits(encoding) > 0 && LevelBits(encoding) < 8; }

std::int64_t PayloadBytes(const FrameHeader& header) {
  const std::int64_t elements = header.elements();
  if (const int bits = LevelBits(header.encoding); bits > 0) return PackedBytes(elements, bits);
  if (header.encoding == Encoding::kFp16) return 2 * elements;
  return elements * static_cast<std::int64_t>(ElementSize(header.dtype));
}

std::int64_t FrameOverhead(const FrameHeader& header) {
  const auto dims = static_cast<std::int64_t>(header.shape.size());
  return static_cast<std::int64_t>(kFixedBytes + sizeof(std::int64_t) + kChecksumBytes) +
         8 * (dims + RangeCount(header));
}

std::string StartFrame(const FrameHeader& header, std::int64_t payload_bytes) {
  std::string frame;
  frame.reserve(FrameOverhead(header) + payload_bytes);
  frame.append(kMagic.data(), kMagic.size());
  Append<std::uint8_t>(frame, kVersion);
  Append<std::uint8_t>(frame, CodeOf(kCompressions, header.compression));
  Append<std::uint8_t>(frame, CodeOf(kEncodings, header.encoding));
  Append<std::uint8_t>(frame, CodeOf(kDataTypes, header.dtype));
  Append<std::uint8_t>(frame, CodeOf(kRangeKinds, header.range_kind));
  Append<std::uint8_t>(frame, static_cast<std::uint8_t>(header.channel_axis));
  Append<std::uint8_t>(frame, static_cast<std::uint8_t>(header.shape.size()));
  Append<std::uint8_t>(frame, 0);
  for (const std::int64_t dim : header.shape) Append<std::int64_t>(frame, dim);
  for (const ValueRange& range : header.ranges) {
    Append<float>(frame, range.min);
    Append<float>(frame, range.max);
  }
  Append<std::int64_t>(frame, payload_bytes);
  return frame;
}

void FinishFrame(std::string& frame) { Append<std::uint32_t>(frame, FrameChecksum(frame)); }

absl::StatusOr<FrameHeader> ParseFrameStart(absl::string_view frame, const std::string& origin,
                                            std::int64_t max_elements) {
  return FrameReader(frame, origin).ReadStart(max_elements);
}

absl::StatusOr<FrameParts> ParseFrame(absl::string_view frame, const std::string& origin,
                                      std::int64_t max_elements) {
  return FrameReader(frame, origin).Read(max_elements);
}

}  // namespace cleave
