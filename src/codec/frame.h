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
  // Says what min and max of the integer encodings are taken over; the others ignore it.
  enum class Range : std::uint8_t { kPerTensor, kPerChannel };

  Encoding encoding = Encoding::kFp32;
  Range range = Range::kPerTensor;
  // For kPerChannel: each index of this axis has a range of its own.
  int channel_axis = 1;
  // Compresses the payload with zstd or, below 8 bits, rANS, whichever makes it smallest.
  bool entropy = false;
  // The compression level of zstd, 1 to 19. Higher levels gain next to nothing on packed levels.
  int entropy_level = 1;

  // Checks that the axis is from 0 to 31, the level from 1 to 19, and encoding and range are known;
  // InvalidArgument names the field.
  absl::Status Validate() const;
};

// Encodes a tensor as one self-contained frame (docs/wire-format.md).
//
// fp32 carries any type but strings unchanged, bit by bit. The other encodings take FP32 tensors
// only: fp16 rounds to nearest; the integer encodings keep each element within half a step of the
// range that they were given, see codec/quantize.h. InvalidArgument names what was found: another
// type, an element that is infinite or not a number (with its position), one beyond 65504 for fp16,
// a channel axis that the shape does not have, more than 32 dimensions, a BOOL that is neither 0
// nor
// 1. Thread-safe.
absl::StatusOr<std::string> EncodeTensor(const Tensor& tensor, const EncodeOptions& options);

// Returns the size of the frame of a tensor of this type and shape, in bytes, without compression,
// which may make it smaller. Errors are those of EncodeTensor that follow from type and shape.
// Thread-safe.
absl::StatusOr<std::int64_t> FrameBytes(DataType dtype, const Shape& shape,
                                        const EncodeOptions& options);

// Decodes the tensor in a frame: FP32, unless the frame carries another type unchanged. Every float
// of a lossy encoding is finite. `origin` names the frame in errors. InvalidArgument says which
// field is wrong, what was found and what was expected, before anything is allocated for the
// tensor: a frame that is cut off, has surplus bytes or a wrong checksum; a version, compression,
// encoding, type or kind of range that is not known; more than max_elements elements.
// ResourceExhausted if there is not enough memory for it. Thread-safe.
absl::StatusOr<Tensor> DecodeTensor(absl::string_view frame, const std::string& origin,
                                    std::int64_t max_elements);

}  // namespace cleave

#endif  // CLEAVE_CODEC_FRAME_H_
