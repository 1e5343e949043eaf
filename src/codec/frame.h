#ifndef CLEAVE_CODEC_FRAME_H_
#define CLEAVE_CODEC_FRAME_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/plan.h"
#include "cleave/tensor.h"

namespace cleave {

// How a tensor becomes a frame.
struct EncodeOptions {
  // What min and max of the integer encodings are taken over; the others do not look at it.
  enum class Range : std::uint8_t { kPerTensor, kPerChannel };

  Encoding encoding = Encoding::kFp32;
  Range range = Range::kPerTensor;
  int channel_axis = 1;   // For kPerChannel: the axis whose every index has a range of its own.
  bool entropy = false;   // Compress with zstd or, below 8 bits, rANS: whichever makes it smallest.
  int entropy_level = 1;  // zstd's; 1 to 19. Higher ones gain next to nothing on packed levels.

  // Axis from 0 to 31, level from 1 to 19, known encoding and range; InvalidArgument names the
  // field.
  absl::Status Validate() const;
};

// A tensor as one self-contained frame (docs/wire-format.md).
//
// fp32 carries any type as it is, bit by bit. The other encodings take FP32 tensors only. fp16
// rounds to nearest; the integer encodings keep each element within half a step of the range that
// they were given, see codec/quantize.h. InvalidArgument, which names what was found: another type,
// an element that is not a number or infinite (with its position), one beyond 65504 for fp16, a
// channel axis that the shape has not, more than 32 dimensions, a BOOL that is neither 0 nor 1.
// Thread-safe.
absl::StatusOr<std::string> EncodeTensor(const Tensor& tensor, const EncodeOptions& options);

// Bytes of the frame of a tensor of this type and shape, without compression, which may make it
// smaller. InvalidArgument as EncodeTensor, as far as type and shape tell. Thread-safe.
absl::StatusOr<std::int64_t> FrameBytes(DataType dtype, const Shape& shape,
                                        const EncodeOptions& options);

// The tensor in a frame: FP32 unless the frame carries another type as it is. Every float of a
// lossy encoding is finite. `origin` names the frame in errors. InvalidArgument says which field is
// wrong, what was found and what was expected, before anything is allocated for the tensor: a frame
// that is cut off, has bytes too many or a wrong checksum, a version, compression, encoding, type
// or kind of range that is not known, more than max_elements elements. ResourceExhausted if there
// is no memory for it. Thread-safe.
absl::StatusOr<Tensor> DecodeTensor(absl::string_view frame, const std::string& origin,
                                    std::int64_t max_elements);

}  // namespace cleave

#endif  // CLEAVE_CODEC_FRAME_H_
