// Bytes -> ModelInferRequest -> InferCall and back: no input may crash the edge's decoder, allocate
// more than it holds, or decode to something that does not encode to itself.
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "wire/frames.h"
#include "wire/payload.h"

namespace {

bool Same(const cleave::InferCall& a, const cleave::InferCall& b) {
  if (a.model != b.model || a.id != b.id || a.cut != b.cut || a.exit != b.exit ||
      a.digest != b.digest || a.codec_digest != b.codec_digest || a.outputs != b.outputs ||
      a.inputs.size() != b.inputs.size() || a.frames.size() != b.frames.size() ||
      a.images != b.images || a.image_input != b.image_input ||
      a.preprocessing.has_value() != b.preprocessing.has_value()) {
    return false;
  }
  if (a.preprocessing && a.preprocessing->ToJson() != b.preprocessing->ToJson()) return false;
  for (std::size_t i = 0; i < a.frames.size(); ++i) {
    if (a.frames[i].name != b.frames[i].name || a.frames[i].element != b.frames[i].element) {
      return false;
    }
  }
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    const cleave::Tensor& left = a.inputs[i].tensor;
    const cleave::Tensor& right = b.inputs[i].tensor;
    if (a.inputs[i].name != b.inputs[i].name || left.dtype() != right.dtype() ||
        left.shape() != right.shape() || left.bytes() != right.bytes()) {
      return false;
    }
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const grpc::Slice slice(data, size);
  grpc::ByteBuffer bytes(&slice, 1);
  const absl::StatusOr<cleave::DecodedCall> decoded = cleave::DecodeRequest(bytes);
  if (decoded.ok()) {
    absl::StatusOr<cleave::EncodedRequest> again = cleave::EncodeRequest(decoded->call);
    if (!again.ok()) std::abort();
    const absl::StatusOr<cleave::DecodedCall> second = cleave::DecodeRequest(again->bytes);
    if (!second.ok() || !Same(decoded->call, second->call)) std::abort();
    cleave::InferReply reply;
    reply.outputs = decoded->call.inputs;
    if (!decoded->call.frames.empty()) {
      reply.outputs =
          cleave::DecodeFrames(decoded->call, nullptr).value_or(std::vector<cleave::NamedTensor>());
    }
    grpc::ByteBuffer answer = cleave::EncodeResponse(reply, decoded->form);
    if (!cleave::DecodeResponse(answer).ok()) std::abort();
  }
  grpc::ByteBuffer response(&slice, 1);
  static_cast<void>(cleave::DecodeResponse(response));
  return 0;
}
