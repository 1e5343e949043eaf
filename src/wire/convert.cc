#include "wire/convert.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "wire/contents.h"
#include "wire/encoded.h"

namespace cleave {
namespace {

using Parameters = google::protobuf::Map<std::string, inference::InferParameter>;

constexpr char kCut[] = "cleave_cut";
constexpr char kExit[] = "cleave_exit";
constexpr char kDigest[] = "cleave_digest";
constexpr char kQueueUs[] = "cleave_queue_us";
constexpr char kComputeUs[] = "cleave_compute_us";
constexpr char kEdgeUs[] = "cleave_edge_us";
constexpr char kWaitUs[] = "cleave_wait_us";
constexpr char kDecodeUs[] = "cleave_decode_us";
constexpr char kDetections[] = "cleave_detections";
constexpr std::size_t kMaxName = 512;
constexpr std::size_t kMaxDetectionsBytes = 32768;

absl::StatusOr<DataType> CheckedType(absl::string_view what, const std::string& name) {
  const std::optional<DataType> dtype = ParseDataType(name);
  if (dtype) return *dtype;
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": found datatype '", name.substr(0, kMaxName),
                   "', expected one of FP32, FP16, BF16, FP64, INT8, INT16, INT32, INT64, UINT8, "
                   "UINT16, UINT32, UINT64, BOOL, BYTES"));
}

absl::Status CheckBools(absl::string_view what, absl::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (static_cast<unsigned char>(bytes[i]) > 1) {
      return absl::InvalidArgumentError(absl::StrCat(what, ": found the byte ",
                                                     static_cast<unsigned char>(bytes[i]), " at ",
                                                     i, ", expected BOOL bytes of 0 or 1"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Tensor> FromRaw(absl::string_view what, DataType dtype, Shape shape,
                               std::string bytes) {
  if (dtype == DataType::kBool) CLEAVE_RETURN_IF_ERROR(CheckBools(what, bytes));
  absl::StatusOr<Tensor> tensor = Tensor::FromBytes(dtype, std::move(shape), std::move(bytes));
  if (tensor.ok()) return tensor;
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", tensor.status().message()));
}

// The tensors of a request or a response: the protocol gives both the same fields.
template <typename Described>
absl::StatusOr<std::vector<NamedTensor>> ToTensors(
    absl::string_view kind, const google::protobuf::RepeatedPtrField<Described>& described,
    google::protobuf::RepeatedPtrField<std::string>& raw) {
  if (!raw.empty() && raw.size() != described.size()) {
    return absl::InvalidArgumentError(absl::StrCat("found ", raw.size(), " raw contents for ",
                                                   described.size(), " ", kind,
                                                   "s, expected one for each"));
  }
  std::vector<NamedTensor> tensors;
  std::set<absl::string_view> names;
  for (int i = 0; i < described.size(); ++i) {
    const Described& one = described.Get(i);
    const std::string what = absl::StrCat(kind, " '", one.name().substr(0, kMaxName), "'");
    if (!names.insert(one.name()).second) {
      return absl::InvalidArgumentError(absl::StrCat(what, ": found twice, expected once"));
    }
    CLEAVE_ASSIGN_OR_RETURN(const DataType dtype, CheckedType(what, one.datatype()));
    Shape shape(one.shape().begin(), one.shape().end());
    if (!raw.empty() && CountContents(one.contents()) > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": found raw and typed contents, expected one of them"));
    }
    CLEAVE_ASSIGN_OR_RETURN(
        Tensor tensor, raw.empty()
                           ? TensorFromContents(what, dtype, std::move(shape), one.contents())
                           : FromRaw(what, dtype, std::move(shape), std::move(*raw.Mutable(i))));
    tensors.push_back({one.name(), std::move(tensor)});
  }
  return tensors;
}

template <typename Described>
void Describe(const NamedTensor& named, Described& out) {
  out.set_name(named.name);
  const absl::string_view dtype = DataTypeName(named.tensor.dtype());
  out.set_datatype(dtype.data(), dtype.size());
  out.mutable_shape()->Add(named.tensor.shape().begin(), named.tensor.shape().end());
}

absl::Status ReadIndex(const Parameters& parameters, const char* key, std::optional<int>& out) {
  const auto found = parameters.find(key);
  if (found == parameters.end()) return absl::OkStatus();
  const inference::InferParameter& value = found->second;
  if (!value.has_int64_param() || value.int64_param() < 0 ||
      value.int64_param() > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("parameter ", key, ": found ",
                                                   value.ShortDebugString().substr(0, kMaxName),
                                                   ", expected an int64_param from 0 on"));
  }
  out = static_cast<int>(value.int64_param());
  return absl::OkStatus();
}

template <typename Call>
absl::Status ReadDigest(const Parameters& parameters, Call& call) {
  const auto found = parameters.find(kDigest);
  if (found == parameters.end()) return absl::OkStatus();
  if (!found->second.has_string_param()) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter ", kDigest, ": expected a string_param"));
  }
  call.digest = found->second.string_param();
  return absl::OkStatus();
}

absl::Status ReadDetections(const inference::ModelInferRequest& request, InferCall& call) {
  const auto found = request.parameters().find(kDetections);
  if (found == request.parameters().end()) return absl::OkStatus();
  const std::string what = absl::StrCat("parameter ", kDetections);
  if (!found->second.has_string_param()) return FieldError(what, "another type", "a string_param");
  const std::string& json = found->second.string_param();
  if (json.size() > kMaxDetectionsBytes) {
    return FieldError(what, absl::StrCat(json.size(), " bytes"),
                      absl::StrCat("at most ", kMaxDetectionsBytes));
  }
  if (!request.outputs().empty()) return FieldError(what, "outputs beside it", "none");
  CLEAVE_ASSIGN_OR_RETURN(call.detections, DetectionQuery::FromJson(json, what));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TensorSpec>> SpecsOf(const inference::ModelInferRequest& request) {
  std::vector<TensorSpec> specs;
  for (const auto& input : request.inputs()) {
    const std::string what = absl::StrCat("input '", input.name().substr(0, kMaxName), "'");
    CLEAVE_ASSIGN_OR_RETURN(const DataType dtype, CheckedType(what, input.datatype()));
    specs.push_back({input.name(), dtype, Shape(input.shape().begin(), input.shape().end())});
  }
  return specs;
}

std::int64_t ReadInt(const Parameters& parameters, const char* key) {
  const auto found = parameters.find(key);
  if (found == parameters.end()) return 0;
  return std::max<std::int64_t>(0, found->second.int64_param());
}

absl::Status TakeInputs(inference::ModelInferRequest& request, InferCall& call) {
  CLEAVE_ASSIGN_OR_RETURN(const InputForm form, ReadForm(request));
  switch (form) {
    case InputForm::kPlain: {
      CLEAVE_ASSIGN_OR_RETURN(
          call.inputs, ToTensors("input", request.inputs(), *request.mutable_raw_input_contents()));
      return absl::OkStatus();
    }
    case InputForm::kFrames:
      return TakeFrames(request, call);
    case InputForm::kImages:
      return TakeImages(request, call);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<InferHead> ToInferHead(const inference::ModelInferRequest& request) {
  InferHead head;
  CLEAVE_RETURN_IF_ERROR(ReadIndex(request.parameters(), kCut, head.cut));
  CLEAVE_RETURN_IF_ERROR(ReadIndex(request.parameters(), kExit, head.exit));
  CLEAVE_RETURN_IF_ERROR(ReadDigest(request.parameters(), head));
  CLEAVE_ASSIGN_OR_RETURN(const InputForm form, ReadForm(request));
  switch (form) {
    case InputForm::kPlain: {
      CLEAVE_ASSIGN_OR_RETURN(head.inputs, SpecsOf(request));
      break;
    }
    case InputForm::kFrames:
      head.form = InferHead::Form::kFrames;
      break;
    case InputForm::kImages:
      head.form = InferHead::Form::kPictures;
      if (request.inputs_size() == 1 && request.inputs(0).shape_size() == 1) {
        head.pictures = request.inputs(0).shape(0);
      }
      break;
  }
  head.model = request.model_name();
  head.version = request.model_version();
  return head;
}

absl::StatusOr<DecodedCall> ToInferCall(inference::ModelInferRequest&& request) {
  DecodedCall decoded;
  InferCall& call = decoded.call;
  if (request.raw_input_contents().empty() && !request.inputs().empty()) {
    decoded.form = ContentForm::kTyped;
  }
  CLEAVE_RETURN_IF_ERROR(ReadIndex(request.parameters(), kCut, call.cut));
  CLEAVE_RETURN_IF_ERROR(ReadIndex(request.parameters(), kExit, call.exit));
  CLEAVE_RETURN_IF_ERROR(ReadDigest(request.parameters(), call));
  CLEAVE_RETURN_IF_ERROR(ReadDetections(request, call));
  CLEAVE_RETURN_IF_ERROR(TakeInputs(request, call));
  std::set<absl::string_view> names;
  for (const auto& output : request.outputs()) {
    if (!names.insert(output.name()).second) {
      return absl::InvalidArgumentError(absl::StrCat("output '", output.name().substr(0, kMaxName),
                                                     "': found twice, expected once"));
    }
    call.outputs.push_back(output.name());
  }
  call.model = std::move(*request.mutable_model_name());
  call.version = std::move(*request.mutable_model_version());
  call.id = std::move(*request.mutable_id());
  return decoded;
}

inference::ModelInferRequest ToRequestHead(const InferCall& call) {
  inference::ModelInferRequest head;
  head.set_model_name(call.model);
  head.set_model_version(call.version);
  head.set_id(call.id);
  if (call.cut) (*head.mutable_parameters())[kCut].set_int64_param(*call.cut);
  if (call.exit) (*head.mutable_parameters())[kExit].set_int64_param(*call.exit);
  if (call.digest) (*head.mutable_parameters())[kDigest].set_string_param(*call.digest);
  if (call.detections) {
    (*head.mutable_parameters())[kDetections].set_string_param(call.detections->ToJson());
  }
  if (call.encode || !call.frames.empty() || !call.images.empty()) {
    DescribeEncoded(call, head);
  } else {
    for (const NamedTensor& input : call.inputs) Describe(input, *head.add_inputs());
  }
  for (const std::string& output : call.outputs) head.add_outputs()->set_name(output);
  return head;
}

inference::ModelInferResponse ToResponseHead(const InferReply& reply) {
  inference::ModelInferResponse head;
  head.set_model_name(reply.model);
  head.set_model_version(reply.version);
  head.set_id(reply.id);
  auto& parameters = *head.mutable_parameters();
  if (!reply.digest.empty()) parameters[kDigest].set_string_param(reply.digest);
  parameters[kQueueUs].set_int64_param(reply.queue_us);
  parameters[kComputeUs].set_int64_param(reply.compute_us);
  parameters[kEdgeUs].set_int64_param(reply.edge_us);
  parameters[kWaitUs].set_int64_param(reply.wait_us);
  parameters[kDecodeUs].set_int64_param(reply.decode_us);
  for (const NamedTensor& output : reply.outputs) Describe(output, *head.add_outputs());
  return head;
}

bool AddTypedContents(const InferReply& reply, inference::ModelInferResponse& head) {
  for (const NamedTensor& output : reply.outputs) {
    if (!HasTypedContents(output.tensor.dtype())) return false;
  }
  for (std::size_t i = 0; i < reply.outputs.size(); ++i) {
    FillContents(reply.outputs[i].tensor,
                 *head.mutable_outputs(static_cast<int>(i))->mutable_contents());
  }
  return true;
}

absl::StatusOr<InferReply> ToInferReply(inference::ModelInferResponse&& response) {
  InferReply reply;
  const Parameters& parameters = response.parameters();
  if (const auto digest = parameters.find(kDigest); digest != parameters.end()) {
    reply.digest = digest->second.string_param();
  }
  reply.queue_us = ReadInt(parameters, kQueueUs);
  reply.compute_us = ReadInt(parameters, kComputeUs);
  reply.edge_us = ReadInt(parameters, kEdgeUs);
  reply.wait_us = ReadInt(parameters, kWaitUs);
  reply.decode_us = ReadInt(parameters, kDecodeUs);
  absl::StatusOr<std::vector<NamedTensor>> outputs =
      ToTensors("output", response.outputs(), *response.mutable_raw_output_contents());
  if (!outputs.ok()) {
    return absl::InternalError(absl::StrCat("the edge's answer: ", outputs.status().message()));
  }
  reply.outputs = *std::move(outputs);
  reply.model = std::move(*response.mutable_model_name());
  reply.version = std::move(*response.mutable_model_version());
  reply.id = std::move(*response.mutable_id());
  return reply;
}

v1::StatusResponse ToStatusResponse(const EdgeStatus& status) {
  v1::StatusResponse response;
  response.set_queued(status.queued);
  response.set_running(status.running);
  response.set_queue_capacity(status.queue_capacity);
  response.set_expected_wait_us(status.expected_wait_us);
  response.set_utilization(status.utilization);
  response.set_uptime_us(status.uptime_us);
  response.set_draining(status.draining);
  response.set_completed(status.completed);
  response.set_refused(status.refused);
  for (const ModelInfo& model : status.models) {
    v1::StatusResponse::Model& out = *response.add_models();
    out.set_name(model.name);
    out.set_digest(model.digest);
    out.mutable_cuts()->Add(model.cuts.begin(), model.cuts.end());
  }
  return response;
}

EdgeStatus ToEdgeStatus(const v1::StatusResponse& response) {
  EdgeStatus status;
  status.queued = response.queued();
  status.running = response.running();
  status.queue_capacity = response.queue_capacity();
  status.expected_wait_us = response.expected_wait_us();
  status.utilization = response.utilization();
  status.uptime_us = response.uptime_us();
  status.draining = response.draining();
  status.completed = response.completed();
  status.refused = response.refused();
  for (const v1::StatusResponse::Model& model : response.models()) {
    ModelInfo& info = status.models.emplace_back();
    info.name = model.name();
    info.digest = model.digest();
    info.cuts.assign(model.cuts().begin(), model.cuts().end());
  }
  return status;
}

}  // namespace cleave
