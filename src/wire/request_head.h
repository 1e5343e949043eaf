#ifndef CLEAVE_WIRE_REQUEST_HEAD_H_
#define CLEAVE_WIRE_REQUEST_HEAD_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "wire/messages.h"

namespace cleave {

// A serialized ModelInferRequest without the contents of its tensors.
struct RequestHead {
  InferHead head;
  // The most that the parsed request may need, beside the bytes themselves: typed contents become
  // larger than they are on the wire (one byte up to 48).
  std::int64_t parsed_bytes = 0;
};

// Reads it by going over the contents, so that no memory is taken for them. InvalidArgument where
// the bytes are no such message, or a field says what no request may say; ResourceExhausted where
// the rest is larger than 256 KiB.
absl::StatusOr<RequestHead> ReadRequestHead(const grpc::ByteBuffer& bytes);

}  // namespace cleave

#endif  // CLEAVE_WIRE_REQUEST_HEAD_H_
