#include "wire/payload.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "core/status_macros.h"

namespace cleave {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

constexpr std::size_t kWorthASlice = 4096;

void AppendVarint(std::uint64_t value, std::string& out) {
  std::array<std::uint8_t, 10> bytes{};
  const std::uint8_t* end = CodedOutputStream::WriteVarint64ToArray(value, bytes.data());
  out.append(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::size_t>(end - bytes.data()));
}

// A slice that views the tensor's bytes and holds a share of them.
grpc::Slice SliceOf(const Tensor& tensor) {
  return grpc::Slice(
      const_cast<std::byte*>(tensor.data()), tensor.size_bytes(),
      [](void* owner) { delete static_cast<Tensor*>(owner); }, new Tensor(tensor));
}

// The protobuf encoding of `head` with one more `field` (bytes) for each tensor. A repeated field's
// entries may stand anywhere in a message, so the whole is what the message would have serialized.
grpc::ByteBuffer Append(const google::protobuf::MessageLite& head, int field,
                        const std::vector<NamedTensor>& tensors) {
  std::vector<grpc::Slice> slices;
  std::string pending = head.SerializeAsString();
  for (const NamedTensor& named : tensors) {
    AppendVarint(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED),
                 pending);
    AppendVarint(named.tensor.size_bytes(), pending);
    if (named.tensor.size_bytes() < kWorthASlice) {
      pending.append(named.tensor.bytes().data(), named.tensor.size_bytes());
      continue;
    }
    slices.emplace_back(pending);
    pending.clear();
    slices.push_back(SliceOf(named.tensor));
  }
  if (!pending.empty() || slices.empty()) slices.emplace_back(pending);
  return {slices.data(), slices.size()};
}

template <typename Message>
absl::StatusOr<Message> Parse(grpc::ByteBuffer& buffer, const char* name) {
  Message message;
  if (!buffer.Valid()) return message;
  grpc::ProtoBufferReader reader(&buffer);
  if (!reader.status().ok() || !message.ParseFromZeroCopyStream(&reader)) {
    return absl::InvalidArgumentError(std::string(name) +
                                      ": found bytes that are not such a message");
  }
  return message;
}

}  // namespace

grpc::ByteBuffer EncodeRequest(const InferCall& call) {
  return Append(ToRequestHead(call), inference::ModelInferRequest::kRawInputContentsFieldNumber,
                call.inputs);
}

absl::StatusOr<DecodedCall> DecodeRequest(grpc::ByteBuffer& buffer) {
  CLEAVE_ASSIGN_OR_RETURN(inference::ModelInferRequest request,
                          Parse<inference::ModelInferRequest>(buffer, "ModelInferRequest"));
  return ToInferCall(std::move(request));
}

grpc::ByteBuffer EncodeResponse(const InferReply& reply, ContentForm form) {
  inference::ModelInferResponse head = ToResponseHead(reply);
  if (form == ContentForm::kTyped && AddTypedContents(reply, head)) {
    return Append(head, inference::ModelInferResponse::kRawOutputContentsFieldNumber, {});
  }
  return Append(head, inference::ModelInferResponse::kRawOutputContentsFieldNumber, reply.outputs);
}

absl::StatusOr<InferReply> DecodeResponse(grpc::ByteBuffer& buffer) {
  absl::StatusOr<inference::ModelInferResponse> response =
      Parse<inference::ModelInferResponse>(buffer, "ModelInferResponse");
  if (!response.ok()) return absl::InternalError(response.status().message());
  return ToInferReply(*std::move(response));
}

}  // namespace cleave
