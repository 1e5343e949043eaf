#include "wire/repository_service.h"

#include <string>
#include <vector>

#include "core/status_macros.h"
#include "wire/convert.h"

namespace cleave {
namespace {

constexpr char kPlatform[] = "onnxruntime_onnx";
constexpr char kBackend[] = "onnxruntime";

inference::DataType TypeOf(DataType dtype) {
  switch (dtype) {
    case DataType::kBool:
      return inference::TYPE_BOOL;
    case DataType::kUint8:
      return inference::TYPE_UINT8;
    case DataType::kUint16:
      return inference::TYPE_UINT16;
    case DataType::kUint32:
      return inference::TYPE_UINT32;
    case DataType::kUint64:
      return inference::TYPE_UINT64;
    case DataType::kInt8:
      return inference::TYPE_INT8;
    case DataType::kInt16:
      return inference::TYPE_INT16;
    case DataType::kInt32:
      return inference::TYPE_INT32;
    case DataType::kInt64:
      return inference::TYPE_INT64;
    case DataType::kFloat16:
      return inference::TYPE_FP16;
    case DataType::kFloat32:
      return inference::TYPE_FP32;
    case DataType::kFloat64:
      return inference::TYPE_FP64;
    case DataType::kString:
      return inference::TYPE_STRING;
    case DataType::kBFloat16:
      return inference::TYPE_BF16;
  }
  return inference::TYPE_INVALID;
}

template <typename Tensors>
void AddTensors(const std::vector<TensorSpec>& specs, Tensors& out) {
  for (const TensorSpec& spec : specs) {
    auto& one = *out.Add();
    one.set_name(spec.name);
    one.set_data_type(TypeOf(spec.dtype));
    one.mutable_dims()->Add(spec.shape.begin(), spec.shape.end());
  }
}

void Set(const ModelCounts::Times& from, inference::StatisticDuration& to) {
  constexpr std::uint64_t kNsPerUs = 1000;
  to.set_count(static_cast<std::uint64_t>(from.count));
  to.set_ns(static_cast<std::uint64_t>(from.us) * kNsPerUs);
}

void Set(const ModelCounts& from, inference::ModelStatistics& to) {
  to.set_name(from.name);
  to.set_version(std::string(kModelVersion));
  to.set_last_inference(static_cast<std::uint64_t>(from.last_us / 1000));
  to.set_inference_count(static_cast<std::uint64_t>(from.items));
  to.set_execution_count(static_cast<std::uint64_t>(from.compute.count));
  inference::InferStatistics& times = *to.mutable_inference_stats();
  Set(from.answered, *times.mutable_success());
  Set(from.failed, *times.mutable_fail());
  Set(from.queue, *times.mutable_queue());
  Set(from.decode, *times.mutable_compute_input());
  Set(from.compute, *times.mutable_compute_infer());
}

}  // namespace

RepositoryService::RepositoryService(const CallHost& host) : CallService(host) {
  Add<inference::ModelConfigRequest, inference::ModelConfigResponse>(
      "/inference.GRPCInferenceService/ModelConfig", {},
      [this](CallReactor&, const auto& request) { return Config(request); });
  Add<inference::ModelStatisticsRequest, inference::ModelStatisticsResponse>(
      "/inference.GRPCInferenceService/ModelStatistics", {},
      [this](CallReactor&, const auto& request) { return Statistics(request); });
  // It looks into folders.
  Add<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse>(
      "/inference.GRPCInferenceService/RepositoryIndex", {.place = Place::kSlowThreads},
      [this](CallReactor&, const auto& request) { return Index(request); });
  constexpr Method kByAdmins = {.place = Place::kSlowThreads, .needed = Permission::kAdmin};
  Add<inference::RepositoryModelLoadRequest, inference::RepositoryModelLoadResponse>(
      "/inference.GRPCInferenceService/RepositoryModelLoad", kByAdmins,
      [this](CallReactor& call,
             const auto& request) -> absl::StatusOr<inference::RepositoryModelLoadResponse> {
        CLEAVE_RETURN_IF_ERROR(handler().LoadModel(request.model_name(), call.Context()));
        return inference::RepositoryModelLoadResponse();
      });
  Add<inference::RepositoryModelUnloadRequest, inference::RepositoryModelUnloadResponse>(
      "/inference.GRPCInferenceService/RepositoryModelUnload", kByAdmins,
      [this](CallReactor& call,
             const auto& request) -> absl::StatusOr<inference::RepositoryModelUnloadResponse> {
        CLEAVE_RETURN_IF_ERROR(handler().UnloadModel(request.model_name(), call.Context()));
        return inference::RepositoryModelUnloadResponse();
      });
}

absl::StatusOr<inference::ModelConfigResponse> RepositoryService::Config(
    const inference::ModelConfigRequest& request) {
  CLEAVE_RETURN_IF_ERROR(CheckModelVersion(request.name(), request.version()));
  CLEAVE_ASSIGN_OR_RETURN(const ModelInfo info, handler().GetModel(request.name()));
  inference::ModelConfigResponse response;
  inference::ModelConfig& config = *response.mutable_config();
  config.set_name(info.name);
  config.set_platform(kPlatform);
  config.set_backend(kBackend);
  AddTensors(info.inputs, *config.mutable_input());
  AddTensors(info.outputs, *config.mutable_output());
  return response;
}

absl::StatusOr<inference::ModelStatisticsResponse> RepositoryService::Statistics(
    const inference::ModelStatisticsRequest& request) {
  CLEAVE_RETURN_IF_ERROR(CheckModelVersion(request.name(), request.version()));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ModelCounts> all, handler().GetCounts(request.name()));
  inference::ModelStatisticsResponse response;
  for (const ModelCounts& counts : all) Set(counts, *response.add_model_stats());
  return response;
}

absl::StatusOr<inference::RepositoryIndexResponse> RepositoryService::Index(
    const inference::RepositoryIndexRequest& request) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<ModelIndexEntry> entries, handler().GetIndex());
  inference::RepositoryIndexResponse response;
  for (const ModelIndexEntry& entry : entries) {
    if (request.ready() && !entry.problem.empty()) continue;
    inference::RepositoryIndexResponse::ModelIndex& one = *response.add_models();
    one.set_name(entry.name);
    one.set_version(std::string(kModelVersion));
    one.set_state(entry.problem.empty() ? "READY" : "UNAVAILABLE");
    one.set_reason(entry.problem);
  }
  return response;
}

}  // namespace cleave
