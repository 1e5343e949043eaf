#ifndef CLEAVE_WIRE_PAYLOAD_H_
#define CLEAVE_WIRE_PAYLOAD_H_

#include <grpcpp/support/byte_buffer.h>

#include "absl/status/statusor.h"
#include "wire/convert.h"
#include "wire/messages.h"

namespace cleave {

// Serialized ModelInfer messages (gRPC byte buffers). Encoding never copies a large tensor: the
// buffer's slices view the tensors' own memory and keep it alive. Decoding copies it once, out of
// the transport's slices.

struct EncodedRequest {
  grpc::ByteBuffer bytes;
  bool unfamiliar = false;  // Whether one of the tensors is (EncodedFrame).
};

// InvalidArgument for a call that says two things at once or holds what its encoding cannot carry.
absl::StatusOr<EncodedRequest> EncodeRequest(const InferCall& call);
absl::StatusOr<DecodedCall> DecodeRequest(grpc::ByteBuffer& buffer);

// The contents are typed where that was asked for and every tensor has a type that can travel so;
// else they are raw.
grpc::ByteBuffer EncodeResponse(const InferReply& reply, ContentForm form);
absl::StatusOr<InferReply> DecodeResponse(grpc::ByteBuffer& buffer);

}  // namespace cleave

#endif  // CLEAVE_WIRE_PAYLOAD_H_
