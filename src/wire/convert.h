#ifndef CLEAVE_WIRE_CONVERT_H_
#define CLEAVE_WIRE_CONVERT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave_edge.pb.h"
#include "open_inference_grpc.pb.h"
#include "wire/messages.h"

namespace cleave {

// These functions convert between the messages of the two protocols and plain types. All that comes
// from a peer is checked here, once: its type is known, no dimension is negative or overflows,
// there are as many bytes as the shape needs, and no name comes twice.

// Whether a message holds its tensors as typed contents or as raw bytes.
enum class ContentForm { kRaw, kTyped };

struct DecodedCall {
  InferCall call;
  ContentForm form = ContentForm::kRaw;
};

// Takes the raw contents out of `request` without copying them; frames and pictures stay as they
// are. InvalidArgument names the tensor, what was found and what was expected.
absl::StatusOr<DecodedCall> ToInferCall(inference::ModelInferRequest&& request);

// What a request says beside the contents of its tensors, which it may be without. Errors are those
// of ToInferCall, as far as they are known by then.
absl::StatusOr<InferHead> ToInferHead(const inference::ModelInferRequest& request);

// Makes everything of the request but the raw contents, which payload.h appends. REQUIRES:
// FormOf(call) is OK.
inference::ModelInferRequest ToRequestHead(const InferCall& call);
inference::ModelInferResponse ToResponseHead(const InferReply& reply);

// Adds the tensors to a response head as typed contents. Returns false, and changes nothing, when
// one has a type that only travels raw.
bool AddTypedContents(const InferReply& reply, inference::ModelInferResponse& head);

// Internal names what is wrong with the server's answer.
absl::StatusOr<InferReply> ToInferReply(inference::ModelInferResponse&& response);

inference::ModelMetadataResponse ToMetadata(const ModelInfo& info);
absl::StatusOr<ModelInfo> ToModelInfo(const inference::ModelMetadataResponse& metadata);

v1::StatusResponse ToStatusResponse(const EdgeStatus& status);
EdgeStatus ToEdgeStatus(const v1::StatusResponse& response);

// The one version that every model has.
inline constexpr absl::string_view kModelVersion = "1";
// NotFound for a version that is neither that nor empty.
absl::Status CheckModelVersion(const std::string& model, const std::string& version);

}  // namespace cleave

#endif  // CLEAVE_WIRE_CONVERT_H_
