#include "codec/frame.h"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/frame_header.h"
#include "codec/kernels.h"
#include "codec/quantize.h"
#include "codec/rans.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr float kLargestHalf = 65504;
constexpr int kMaxEntropyLevel = 19;

absl::Status CheckBools(absl::string_view bytes) {
  const auto wrong =
      std::find_if(bytes.begin(), bytes.end(), [](char byte) { return (byte & ~1) != 0; });
  if (wrong == bytes.end()) return absl::OkStatus();
  return FieldError(absl::StrCat("BOOL element ", wrong - bytes.begin()),
                    static_cast<int>(static_cast<unsigned char>(*wrong)), "0 or 1");
}

// REQUIRES: values is not empty.
absl::Status CheckFitsHalf(std::span<const float> values) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ValueRange> ranges, FindRanges(values, {}));
  if (ranges[0].min >= -kLargestHalf && ranges[0].max <= kLargestHalf) return absl::OkStatus();
  const auto beyond = std::find_if(values.begin(), values.end(),
                                   [](float value) { return std::abs(value) > kLargestHalf; });
  return FieldError(absl::StrCat("element ", beyond - values.begin()), *beyond,
                    absl::StrCat("at most ", kLargestHalf, " in magnitude for fp16"));
}

// Halves are converted in batches of this size, since the bytes of a frame may lie at any address.
constexpr std::size_t kHalvesAtOnce = 4096;

void AppendHalves(std::span<const float> values, std::string& out) {
  std::array<std::uint16_t, kHalvesAtOnce> halves;
  for (std::size_t at = 0; at < values.size(); at += kHalvesAtOnce) {
    const std::size_t count = std::min(kHalvesAtOnce, values.size() - at);
    FloatsToHalves(values.data() + at, count, halves.data());
    out.append(reinterpret_cast<const char*>(halves.data()), 2 * count);
  }
}

bool HalvesFrom(absl::string_view bytes, std::span<float> values) {
  std::array<std::uint16_t, kHalvesAtOnce> halves;
  bool finite = true;
  for (std::size_t at = 0; at < values.size(); at += kHalvesAtOnce) {
    const std::size_t count = std::min(kHalvesAtOnce, values.size() - at);
    std::memcpy(halves.data(), bytes.data() + 2 * at, 2 * count);
    finite = HalvesToFloats(halves.data(), count, values.data() + at) && finite;
  }
  return finite;
}

// Sets what depends on the values and refuses those that the encoding cannot carry.
absl::Status Prepare(const Tensor& tensor, FrameHeader& header) {
  if (header.encoding == Encoding::kFp32) {
    return header.dtype == DataType::kBool ? CheckBools(tensor.bytes()) : absl::OkStatus();
  }
  if (header.elements() == 0) return absl::OkStatus();
  if (header.encoding == Encoding::kFp16) return CheckFitsHalf(tensor.floats());
  CLEAVE_ASSIGN_OR_RETURN(header.ranges, FindRanges(tensor.floats(), header.Layout()));
  return absl::OkStatus();
}

void AppendPayload(const Tensor& tensor, const FrameHeader& header, std::string& out) {
  if (header.elements() == 0) return;
  switch (header.encoding) {
    case Encoding::kFp32:
      out.append(tensor.bytes().data(), tensor.size_bytes());
      return;
    case Encoding::kFp16:
      return AppendHalves(tensor.floats(), out);
    default:
      QuantizeAndPack(tensor.floats(), header.Layout(), header.ranges, LevelBits(header.encoding),
                      out);
  }
}

struct Compressed {
  Compression how;
  std::string bytes;
};

// Returns nothing if zstd does not make it smaller. REQUIRES: payload is not empty.
std::optional<Compressed> CompressWithZstd(absl::string_view payload, int level) {
  // A result is useful only if it is at least one byte smaller than the payload.
  std::string out(payload.size() - 1, '\0');
  const std::size_t size =
      ZSTD_compress(out.data(), out.size(), payload.data(), payload.size(), level);
  if (ZSTD_isError(size) != 0) return std::nullopt;
  out.resize(size);
  return Compressed{Compression::kZstd, std::move(out)};
}

// Returns nothing if rANS needs more than `most_bytes`.
std::optional<Compressed> CompressWithRans(absl::string_view payload, const FrameHeader& header,
                                           std::size_t most_bytes) {
  const auto count = static_cast<std::size_t>(header.elements());
  if (!TakesRans(header.encoding) || count > kMaxRansLevels) return std::nullopt;
  const auto owner = std::make_unique_for_overwrite<std::uint8_t[]>(count);
  const std::span<std::uint8_t> levels(owner.get(), count);
  UnpackLevelBytes(payload, LevelBits(header.encoding), levels);
  std::optional<std::string> coded = RansEncode(levels, most_bytes);
  if (!coded.has_value()) return std::nullopt;
  return Compressed{Compression::kRans, *std::move(coded)};
}

// Returns the smallest form, or nothing if none is smaller than the payload.
std::optional<Compressed> Compress(absl::string_view payload, const FrameHeader& header,
                                   int level) {
  if (payload.empty()) return std::nullopt;
  std::optional<Compressed> zstd = CompressWithZstd(payload, level);
  const std::size_t least = zstd.has_value() ? zstd->bytes.size() : payload.size();
  std::optional<Compressed> rans = CompressWithRans(payload, header, least - 1);
  return rans.has_value() ? std::move(rans) : std::move(zstd);
}

absl::StatusOr<FrameHeader> HeaderFor(DataType dtype, const Shape& shape,
                                      const EncodeOptions& options) {
  FrameHeader header{.encoding = options.encoding, .dtype = dtype};
  header.shape = shape;
  const auto rank = static_cast<int>(header.shape.size());
  if (rank > kMaxFrameRank) {
    return absl::InvalidArgumentError(
        absl::StrCat("found ", rank, " dimensions, expected at most ", kMaxFrameRank));
  }
  if (header.dtype == DataType::kString) {
    return absl::InvalidArgumentError("found strings, which travel as they are, never in a frame");
  }
  if (options.encoding != Encoding::kFp32 && header.dtype != DataType::kFloat32) {
    return absl::InvalidArgumentError(absl::StrCat("found ", DataTypeName(header.dtype),
                                                   ", expected FP32 (fp32 carries any type)"));
  }
  if (options.codec != nullptr && header.elements() > 0) {
    CLEAVE_RETURN_IF_ERROR(options.codec->LayoutOf(shape).status());
  }
  if (LevelBits(options.encoding) == 0) return header;
  header.range_kind = RangeKind::kPerTensor;
  if (options.range == EncodeOptions::Range::kPerChannel) {
    if (options.channel_axis >= rank) {
      return FieldError("channel axis", options.channel_axis,
                        absl::StrCat("an axis of ", ShapeString(header.shape)));
    }
    header.range_kind = RangeKind::kPerChannel;
    header.channel_axis = options.channel_axis;
  }
  return header;
}

absl::StatusOr<EncodedFrame> EncodeByCodec(const Tensor& tensor, const FrameHeader& header,
                                           const EncodeOptions& options) {
  CodedTensor coded;
  if (header.elements() > 0) {
    CLEAVE_ASSIGN_OR_RETURN(coded, options.codec->Encode(tensor, *CodecRate(options.encoding)));
  }
  const auto least = static_cast<std::size_t>(options.least_payload_bytes);
  if (coded.bytes.size() < least) coded.bytes.resize(least);
  EncodedFrame frame;
  frame.unfamiliar = coded.unfamiliar;
  frame.bytes = StartFrame(header, static_cast<std::int64_t>(coded.bytes.size()));
  frame.bytes.append(coded.bytes);
  FinishFrame(frame.bytes);
  return frame;
}

absl::StatusOr<std::string> EncodeByItself(const Tensor& tensor, FrameHeader header,
                                           const EncodeOptions& options) {
  CLEAVE_RETURN_IF_ERROR(Prepare(tensor, header));
  if (options.entropy) {
    std::string payload;
    AppendPayload(tensor, header, payload);
    const std::optional<Compressed> smaller = Compress(payload, header, options.entropy_level);
    if (smaller.has_value()) header.compression = smaller->how;
    const std::string& used = smaller.has_value() ? smaller->bytes : payload;
    std::string frame = StartFrame(header, static_cast<std::int64_t>(used.size()));
    frame.append(used);
    FinishFrame(frame);
    return frame;
  }
  std::string frame = StartFrame(header, PayloadBytes(header));
  AppendPayload(tensor, header, frame);
  FinishFrame(frame);
  return frame;
}

absl::StatusOr<EncodedFrame> Encode(const Tensor& tensor, const EncodeOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(FrameHeader header, HeaderFor(tensor.dtype(), tensor.shape(), options));
  if (CodecRate(options.encoding)) return EncodeByCodec(tensor, header, options);
  CLEAVE_ASSIGN_OR_RETURN(std::string bytes, EncodeByItself(tensor, std::move(header), options));
  return EncodedFrame{std::move(bytes)};
}

// Returns bytes without the zeros that a container would write first, since each is written exactly
// once; null if there is not enough memory.
std::shared_ptr<char[]> RawBytes(std::int64_t size) {
  return std::shared_ptr<char[]>(new (std::nothrow) char[std::max<std::int64_t>(1, size)]);
}

// Keeps the bytes of a payload alive if they are not the frame's own. Levels that rANS coded take a
// byte each; everything else is as the encoding has it.
struct Payload {
  absl::string_view bytes;
  std::shared_ptr<char[]> owner;
};

absl::StatusOr<Payload> DecompressRans(const FrameParts& parts, const std::string& origin) {
  const FrameHeader& header = parts.header;
  const auto count = static_cast<std::size_t>(header.elements());
  absl::StatusOr<std::shared_ptr<char[]>> levels =
      RansDecode(parts.payload, LevelBits(header.encoding), count);
  if (!levels.ok()) {
    return absl::Status(levels.status().code(),
                        absl::StrCat(origin, ": frame payload: ", levels.status().message()));
  }
  const absl::string_view bytes(levels->get(), count);
  return Payload{bytes, *std::move(levels)};
}

absl::StatusOr<Payload> DecompressZstd(const FrameParts& parts, const std::string& origin) {
  const absl::string_view packed = parts.payload;
  const auto whole = static_cast<std::uint64_t>(PayloadBytes(parts.header));
  const auto refuse = [&](const auto& found, const auto& expected) {
    return FieldError(absl::StrCat(origin, ": frame payload"), found, expected);
  };
  if (ZSTD_getFrameContentSize(packed.data(), packed.size()) != whole) {
    return refuse("no zstd frame that says its size", absl::StrCat("one of ", whole, " bytes"));
  }
  const std::size_t used = ZSTD_findFrameCompressedSize(packed.data(), packed.size());
  if (ZSTD_isError(used) != 0 || used != packed.size()) {
    return refuse("a zstd frame that is not the whole payload",
                  absl::StrCat("one of ", packed.size(), " bytes"));
  }
  Payload payload{{}, RawBytes(static_cast<std::int64_t>(whole))};
  if (payload.owner == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat(origin, ": no memory for ", whole, " bytes"));
  }
  const std::size_t size =
      ZSTD_decompress(payload.owner.get(), whole, packed.data(), packed.size());
  if (size != whole) {
    return refuse(ZSTD_isError(size) != 0 ? ZSTD_getErrorName(size) : "a short zstd frame",
                  absl::StrCat(whole, " bytes"));
  }
  payload.bytes = {payload.owner.get(), whole};
  return payload;
}

absl::StatusOr<Payload> Decompress(const FrameParts& parts, const std::string& origin) {
  switch (parts.header.compression) {
    case Compression::kZstd:
      return DecompressZstd(parts, origin);
    case Compression::kRans:
      return DecompressRans(parts, origin);
    default:
      return Payload{parts.payload, nullptr};
  }
}

absl::Status CheckUnusedBits(absl::string_view payload, const FrameHeader& header) {
  const auto used = static_cast<int>(header.elements() % 8 * LevelBits(header.encoding) % 8);
  if (used == 0) return absl::OkStatus();
  const int last = static_cast<unsigned char>(payload.back());
  if (last >> used == 0) return absl::OkStatus();
  return FieldError("unused bits of the last byte", last >> used, "0");
}

// Writes all of `out`. REQUIRES: payload comes from Decompress.
absl::Status DecodePayload(absl::string_view payload, const FrameHeader& header, char* out) {
  if (payload.empty()) return absl::OkStatus();
  if (header.encoding == Encoding::kFp32) {
    std::memcpy(out, payload.data(), payload.size());
    return header.dtype == DataType::kBool ? CheckBools(payload) : absl::OkStatus();
  }
  // The memory comes from new[], so it is aligned for floats.
  const std::span<float> values(reinterpret_cast<float*>(out),
                                static_cast<std::size_t>(header.elements()));
  if (header.encoding == Encoding::kFp16) {
    if (HalvesFrom(payload, values)) return absl::OkStatus();
    return absl::InvalidArgumentError("found a half that is not finite, expected finite ones");
  }
  const int bits = LevelBits(header.encoding);
  if (header.compression == Compression::kRans) {
    const auto* levels = reinterpret_cast<const std::uint8_t*>(payload.data());
    DequantizeLevelBytes({levels, payload.size()}, header.Layout(), header.ranges, bits, values);
    return absl::OkStatus();
  }
  CLEAVE_RETURN_IF_ERROR(CheckUnusedBits(payload, header));
  UnpackAndDequantize(payload, header.Layout(), header.ranges, bits, values);
  return absl::OkStatus();
}

absl::Status CheckCodec(const TensorCodec* codec, const FrameHeader& header,
                        std::int64_t max_elements) {
  if (codec == nullptr) {
    return FieldError("codec", "none",
                      absl::StrCat("that of the tensor for ", EncodingName(header.encoding)));
  }
  if (header.elements() == 0) return absl::OkStatus();
  CLEAVE_ASSIGN_OR_RETURN(const BlockLayout layout, codec->LayoutOf(header.shape));
  const auto coefficients = static_cast<std::int64_t>(layout.coefficients());
  if (coefficients <= max_elements) return absl::OkStatus();
  return FieldError(
      "shape", ShapeString(header.shape),
      absl::StrCat("at most ", max_elements, " coefficients of an item, which has ", coefficients));
}

// Zeros at the end only fill the payload up.
absl::string_view WithoutFilling(absl::string_view payload) {
  const std::size_t last = payload.find_last_not_of('\0');
  return payload.substr(0, last == absl::string_view::npos ? 0 : last + 1);
}

absl::StatusOr<Tensor> DecodeByCodec(const FrameParts& parts, const TensorCodec* codec,
                                     std::int64_t max_elements) {
  const FrameHeader& header = parts.header;
  CLEAVE_RETURN_IF_ERROR(CheckCodec(codec, header, max_elements));
  const absl::string_view bytes = WithoutFilling(parts.payload);
  if (header.elements() > 0) return codec->Decode(bytes, header.shape, *CodecRate(header.encoding));
  if (!bytes.empty()) return FieldError("payload", "bytes of no element", "none");
  return Tensor::Zeros(DataType::kFloat32, header.shape);
}

}  // namespace

absl::Status EncodeOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(
      CheckRange("encoding", static_cast<int>(encoding), 0, static_cast<int>(Encoding::kT6)));
  const bool needs_codec = CodecRate(encoding).has_value();
  if (needs_codec != (codec != nullptr)) {
    return FieldError("codec", codec == nullptr ? "none" : "one",
                      needs_codec ? "that of the tensor" : "none");
  }
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("least_payload_bytes", least_payload_bytes, 0));
  CLEAVE_RETURN_IF_ERROR(
      CheckRange("range", static_cast<int>(range), 0, static_cast<int>(Range::kPerChannel)));
  CLEAVE_RETURN_IF_ERROR(CheckRange("channel_axis", channel_axis, 0, kMaxFrameRank - 1));
  return CheckRange("entropy_level", entropy_level, 1, kMaxEntropyLevel);
}

absl::StatusOr<EncodedFrame> EncodeFrame(const Tensor& tensor, const EncodeOptions& options) {
  absl::Status status = options.Validate();
  if (status.ok()) {
    absl::StatusOr<EncodedFrame> frame = Encode(tensor, options);
    if (frame.ok()) return frame;
    status = frame.status();
  }
  return absl::Status(status.code(), absl::StrCat("encoding as ", EncodingName(options.encoding),
                                                  ": ", status.message()));
}

absl::StatusOr<std::string> EncodeTensor(const Tensor& tensor, const EncodeOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(EncodedFrame frame, EncodeFrame(tensor, options));
  return std::move(frame.bytes);
}

absl::StatusOr<std::int64_t> FrameBytes(DataType dtype, const Shape& shape,
                                        const EncodeOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_RETURN_IF_ERROR(ElementCount(shape).status());
  CLEAVE_ASSIGN_OR_RETURN(const FrameHeader header, HeaderFor(dtype, shape, options));
  const std::optional<int> rate = CodecRate(options.encoding);
  if (!rate) return FrameOverhead(header) + PayloadBytes(header);
  const auto& fitted = options.codec->parameters().rates[static_cast<std::size_t>(*rate)];
  const double bytes =
      static_cast<double>(fitted.mean_bytes) * static_cast<double>(header.elements());
  return FrameOverhead(header) +
         std::max<std::int64_t>(options.least_payload_bytes, std::llround(bytes));
}

absl::StatusOr<FrameInfo> ReadFrameInfo(absl::string_view frame, const std::string& origin,
                                        std::int64_t max_elements) {
  CLEAVE_ASSIGN_OR_RETURN(FrameHeader header, ParseFrameStart(frame, origin, max_elements));
  return FrameInfo{header.encoding, {"", header.dtype, std::move(header.shape)}};
}

absl::StatusOr<Tensor> DecodeTensor(absl::string_view frame, const std::string& origin,
                                    std::int64_t max_elements, const TensorCodec* codec) {
  CLEAVE_ASSIGN_OR_RETURN(const FrameParts parts, ParseFrame(frame, origin, max_elements));
  if (CodecRate(parts.header.encoding)) {
    absl::StatusOr<Tensor> tensor = DecodeByCodec(parts, codec, max_elements);
    if (tensor.ok()) return tensor;
    return absl::Status(tensor.status().code(),
                        absl::StrCat(origin, ": frame: ", tensor.status().message()));
  }
  CLEAVE_ASSIGN_OR_RETURN(const Payload payload, Decompress(parts, origin));
  const FrameHeader& header = parts.header;
  const std::int64_t size_bytes =
      header.elements() * static_cast<std::int64_t>(ElementSize(header.dtype));
  const std::shared_ptr<char[]> bytes = RawBytes(size_bytes);
  if (bytes == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat(origin, ": no memory for ", size_bytes, " bytes"));
  }
  if (const absl::Status decoded = DecodePayload(payload.bytes, header, bytes.get());
      !decoded.ok()) {
    return absl::Status(decoded.code(),
                        absl::StrCat(origin, ": frame payload: ", decoded.message()));
  }
  return Tensor::Wrap(header.dtype, header.shape, bytes.get(), static_cast<std::size_t>(size_bytes),
                      bytes);
}

}  // namespace cleave
