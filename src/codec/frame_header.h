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

// The bytes around a payload; docs/wire-format.md says what each is.

namespace cleave {

inline constexpr int kMaxFrameRank = 32;

// What an integer encoding's ranges are taken over; kNone for the other encodings.
enum class RangeKind : std::uint8_t { kNone, kPerTensor, kPerChannel };

// What the payload went through after its encoding.
enum class Compression : std::uint8_t { kNone, kZstd, kRans };

struct FrameHeader {
  Compression compression = Compression::kNone;
  Encoding encoding = Encoding::kFp32;
  DataType dtype = DataType::kFloat32;
  RangeKind range_kind = RangeKind::kNone;
  int channel_axis = 0;
  Shape shape;
  std::vector<ValueRange> ranges;  // As many as RangeCount() says.

  std::int64_t elements() const;  // REQUIRES: the shape is one that ElementCount takes.
  RangeLayout Layout() const;
};

// Bits of a level; 0 for encodings without levels.
int LevelBits(Encoding encoding);

// Whether rANS may code its levels.
bool TakesRans(Encoding encoding);

// Bytes of the payload before compression. REQUIRES: a shape that ElementCount takes.
std::int64_t PayloadBytes(const FrameHeader& header);

// Bytes of a frame around its payload; `ranges` may be missing. REQUIRES: as PayloadBytes.
std::int64_t FrameOverhead(const FrameHeader& header);

// A frame up to its payload, which will have `payload_bytes`; there is room for the rest.
std::string StartFrame(const FrameHeader& header, std::int64_t payload_bytes);
// Ends a frame, the payload appended, with its checksum.
void FinishFrame(std::string& frame);

struct FrameParts {
  FrameHeader header;
  absl::string_view payload;  // Views the frame.
};

// Takes a frame apart and checks all but the payload's inside. Errors as DecodeTensor's.
absl::StatusOr<FrameParts> ParseFrame(absl::string_view frame, const std::string& origin,
                                      std::int64_t max_elements);

}  // namespace cleave

#endif  // CLEAVE_CODEC_FRAME_HEADER_H_
