#ifndef CLEAVE_WIRE_STATUS_H_
#define CLEAVE_WIRE_STATUS_H_

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"

namespace cleave {

// The two code sets have the same names and numbers. A long message is cut, so that it fits the
// peer's limit on metadata. The expected wait travels in trailing metadata. A peer's message is
// made printable, since errors end up in logs and on terminals.
grpc::Status ToGrpcStatus(const absl::Status& status, grpc::ServerContextBase& context);
absl::Status FromGrpcStatus(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace cleave

#endif  // CLEAVE_WIRE_STATUS_H_
