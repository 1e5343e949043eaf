#ifndef CLEAVE_WIRE_FRAMES_H_
#define CLEAVE_WIRE_FRAMES_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "cleave/tensor.h"
#include "codec/codec_file.h"
#include "wire/messages.h"

namespace cleave {

// The most elements that the tensors of one message may have, whatever the message says.
inline constexpr std::int64_t kMaxMessageElements = std::int64_t{1} << 26;

// Decodes the frames of a call. `codecs` are those of the model; null where it has none, which only
// frames of t1 to t6 need. InvalidArgument names the input, as does ResourceExhausted where there
// is no memory; Cancelled soon after the token is set. Thread-safe.
absl::StatusOr<std::vector<NamedTensor>> DecodeFrames(const InferCall& call,
                                                      const CodecFile* codecs,
                                                      const CancelToken& cancel = {});

}  // namespace cleave

#endif  // CLEAVE_WIRE_FRAMES_H_
