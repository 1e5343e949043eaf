#ifndef CLEAVE_CODEC_FRAME_H_
#define CLEAVE_CODEC_FRAME_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/plan.h"
#include "cleave/tensor.h"
#include "codec/tensor_codec.h"

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
  // For t1 to t6: the codec that was fitted to the tensor, which the caller keeps; null for the
  // others. Its bytes are final, so that `range` and `entropy` are ignored.
  const TensorCodec* codec = nullptr;
  // For t1 to t6: a shorter payload is filled up to so many bytes, for receivers that take a frame
  // of few bytes and many elements for an attack.
  std::int64_t least_payload_bytes = 0;

  // Checks that the axis is from 0 to 31, the level from 1 to 19, encoding and range are known, and
  // that there is a codec for t1 to t6 and for no other; InvalidArgument names the field.
  absl::Status Validate() const;
};

// A tensor as a frame.
struct EncodedFrame {
  std::string bytes;
  // Whether the tensor is most likely something that its codec does not know (CodedTensor); always
  // false for encodings without one.
  bool unfamiliar = false;
};

// Encodes a tensor as one frame (docs/wire-format.md), which is self-contained but for t1 to t6:
// these are read by the codec that wrote them.
//
// fp32 carries any type but strings unchanged, bit by bit. The other encodings take FP32 tensors
// only: fp16 rounds to nearest; the integer encodings keep each element within half a step of the
// range that they were given, see codec/quantize.h; t1 to t6 carry what the tensor's codec makes of
// it. InvalidArgument names what was found: another type, an element that is infinite or not a
// number (with its position), one beyond 65504 for fp16, a channel axis that the shape does not
// have, more than 32 dimensions, a BOOL that is neither 0 nor 1, a shape that the codec does not
// take. OutOfRange for an element that is too large for the codec. Thread-safe.
absl::StatusOr<EncodedFrame> EncodeFrame(const Tensor& tensor, const EncodeOptions& options);
// The bytes alone.
absl::StatusOr<std::string> EncodeTensor(const Tensor& tensor, const EncodeOptions& options);

// Returns the size of the frame of a tensor of this type and shape, in bytes, without compression,
// which may make it smaller. For t1 to t6 it is the mean of the tensors that the codec was fitted
// to. Errors are those of EncodeTensor that follow from type and shape. Thread-safe.
absl::StatusOr<std::int64_t> FrameBytes(DataType dtype, const Shape& shape,
                                        const EncodeOptions& options);

// What a frame says of its tensor before anything is decoded.
struct FrameInfo {
  Encoding encoding = Encoding::kFp32;
  TensorSpec tensor;  // Its name is empty.
};

// Reads the start of a frame, up to the shape. Errors are those of DecodeTensor for these fields;
// nothing is said about the rest. Thread-safe.
absl::StatusOr<FrameInfo> ReadFrameInfo(absl::string_view frame, const std::string& origin,
                                        std::int64_t max_elements);

// Decodes the tensor in a frame: FP32, unless the frame carries another type unchanged. Every float
// of a lossy encoding is finite. `origin` names the frame in errors. InvalidArgument says which
// field is wrong, what was found and what was expected, before anything is allocated for the
// tensor: a frame that is cut off, has surplus bytes or a wrong checksum; a version, compression,
// encoding, type or kind of range that is not known; more than max_elements elements. A frame of t1
// to t6 needs the codec that wrote it: InvalidArgument, before anything is allocated, where `codec`
// is null, does not take the shape, or would have more than max_elements coefficients of an item of
// the batch, whose planes are padded. ResourceExhausted if there is not enough memory. Thread-safe.
absl::StatusOr<Tensor> DecodeTensor(absl::string_view frame, const std::string& origin,
                                    std::int64_t max_elements, const TensorCodec* codec = nullptr);

}  // namespace cleave

#endif  // CLEAVE_CODEC_FRAME_H_
