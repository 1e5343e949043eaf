#ifndef CLEAVE_CODEC_FRAME_HEADER_H_
#define CLEAVE_CODEC_FRAME_HEADER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/plan.h"
#include "cleave/tensor.h"
#include "codec/quantize.h"

// This header describes the bytes around a payload; docs/wire-format.md says what each is.

namespace cleave {

inline constexpr int kMaxFrameRank = 32;

// Says what an integer encoding's ranges are taken over; kNone is for the other encodings.
enum class RangeKind : std::uint8_t { kNone, kPerTensor, kPerChannel };

// Says how the encoded payload was compressed.
enum class Compression : std::uint8_t { kNone, kZstd, kRans };

struct FrameHeader {
  Compression compression = Compression::kNone;
  Encoding encoding = Encoding::kFp32;
  DataType dtype = DataType::kFloat32;
  RangeKind range_kind = RangeKind::kNone;
  int channel_axis = 0;
  Shape shape;
  std::vector<ValueRange> ranges;  // There are RangeCount() of them.

  // REQUIRES: ElementCount accepts the shape.
  std::int64_t elements() const;
  RangeLayout Layout() const;
};

// Returns the bits of one level, or 0 for encodings without levels.
int LevelBits(Encoding encoding);

// Says whether rANS may code the levels of this encoding.
bool TakesRans(Encoding encoding);

// Returns the size of the payload before compression, in bytes. REQUIRES: ElementCount accepts the
// shape, and the encoding is none of t1 to t6, whose payloads have any size.
std::int64_t PayloadBytes(const FrameHeader& header);

// Returns the bytes of a frame around its payload; `ranges` may be missing. REQUIRES: as
// PayloadBytes.
std::int64_t FrameOverhead(const FrameHeader& header);

// Starts a frame, up to its payload of `payload_bytes` bytes, and reserves room for the rest.
std::string StartFrame(const FrameHeader& header, std::int64_t payload_bytes);
// Ends a frame, to which the payload has been appended, with its checksum.
void FinishFrame(std::string& frame);

// Reads the fields up to the shape; `ranges` stays empty, and the rest of the frame is not looked
// at. Errors are those of DecodeTensor.
absl::StatusOr<FrameHeader> ParseFrameStart(absl::string_view frame, const std::string& origin,
                                            std::int64_t max_elements);

struct FrameParts {
  FrameHeader header;
  absl::string_view payload;  // Views the frame.
};

// Splits a frame into its parts and checks all but the content of the payload. Errors are those of
// DecodeTensor.
absl::StatusOr<FrameParts> ParseFrame(absl::string_view frame, const std::string& origin,
                                      std::int64_t max_elements);

}  // namespace cleave

#endif  // CLEAVE_CODEC_FRAME_HEADER_H_
