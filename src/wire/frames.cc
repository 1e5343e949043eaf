#include "wire/frames.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/frame.h"
#include "core/status_macros.h"

namespace cleave {

absl::StatusOr<std::vector<NamedTensor>> DecodeFrames(const InferCall& call,
                                                      const CodecFile* codecs,
                                                      const CancelToken& cancel) {
  std::vector<NamedTensor> tensors;
  for (const NamedFrame& frame : call.frames) {
    if (cancel.cancelled()) return absl::CancelledError("cancelled while decoding frames");
    const std::string what = absl::StrCat("input '", frame.name, "'");
    const TensorCodec* codec = codecs == nullptr ? nullptr : codecs->Find(frame.name);
    CLEAVE_ASSIGN_OR_RETURN(Tensor tensor,
                            DecodeTensor(frame.frame(), what, kMaxMessageElements, codec));
    tensors.push_back({frame.name, std::move(tensor)});
  }
  return tensors;
}

}  // namespace cleave
