#ifndef CLEAVE_WIRE_EDGE_SERVICE_H_
#define CLEAVE_WIRE_EDGE_SERVICE_H_

#include <atomic>

#include "absl/status/statusor.h"
#include "cleave_edge.pb.h"
#include "wire/call_service.h"
#include "wire/server.h"

namespace cleave {

// The service cleave.v1.Edge (proto/cleave_edge.proto). Thread-safe.
class EdgeService final : public CallService {
 public:
  explicit EdgeService(const CallHost& host);

 private:
  absl::StatusOr<v1::ProbeResponse> Probe(CallReactor& call, const v1::ProbeRequest& request);
  absl::StatusOr<v1::GetProfileResponse> GetProfile(CallReactor& call,
                                                    const v1::GetProfileRequest& request);

  std::atomic<bool> pushing_ = false;
};

}  // namespace cleave

#endif  // CLEAVE_WIRE_EDGE_SERVICE_H_
