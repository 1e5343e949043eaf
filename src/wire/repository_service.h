#ifndef CLEAVE_WIRE_REPOSITORY_SERVICE_H_
#define CLEAVE_WIRE_REPOSITORY_SERVICE_H_

#include "absl/status/statusor.h"
#include "open_inference_grpc.pb.h"
#include "wire/call_service.h"
#include "wire/server.h"

namespace cleave {

// The calls of inference.GRPCInferenceService that are Triton's extensions: the models'
// configuration and statistics, and the repository, which only the role admin may change.
class RepositoryService final : public CallService {
 public:
  explicit RepositoryService(const CallHost& host);

 private:
  absl::StatusOr<inference::ModelConfigResponse> Config(
      const inference::ModelConfigRequest& request);
  absl::StatusOr<inference::ModelStatisticsResponse> Statistics(
      const inference::ModelStatisticsRequest& request);
  absl::StatusOr<inference::RepositoryIndexResponse> Index(
      const inference::RepositoryIndexRequest& request);
};

}  // namespace cleave

#endif  // CLEAVE_WIRE_REPOSITORY_SERVICE_H_
