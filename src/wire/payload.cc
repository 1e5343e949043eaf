#include "wire/payload.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "core/length_prefixed.h"
#include "core/status_macros.h"
#include "wire/encoded.h"

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

// One entry of raw contents: `prefix`, then the tensor's bytes.
struct RawEntry {
  std::string prefix;
  Tensor bytes;
};

// The protobuf encoding of `head` with one more `field` (bytes) for each entry. A repeated field's
// entries may stand anywhere in a message, so the whole is what the message would have serialized.
grpc::ByteBuffer Append(const google::protobuf::MessageLite& head, int field,
                        const std::vector<RawEntry>& entries) {
  std::vector<grpc::Slice> slices;
  std::string pending = head.SerializeAsString();
  for (const auto& [prefix, bytes] : entries) {
    AppendVarint(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED),
                 pending);
    AppendVarint(prefix.size() + bytes.size_bytes(), pending);
    pending += prefix;
    if (bytes.size_bytes() < kWorthASlice) {
      pending.append(bytes.bytes().data(), bytes.size_bytes());
      continue;
    }
    slices.emplace_back(pending);
    pending.clear();
    slices.push_back(SliceOf(bytes));
  }
  if (!pending.empty() || slices.empty()) slices.emplace_back(pending);
  return {slices.data(), slices.size()};
}

std::vector<RawEntry> PlainEntries(const std::vector<NamedTensor>& tensors) {
  std::vector<RawEntry> entries;
  entries.reserve(tensors.size());
  for (const NamedTensor& named : tensors) entries.push_back({"", named.tensor});
  return entries;
}

absl::StatusOr<RawEntry> OwningEntry(std::string prefix, std::string bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  CLEAVE_ASSIGN_OR_RETURN(Tensor tensor,
                          Tensor::FromBytes(DataType::kUint8, {size}, std::move(bytes)));
  return RawEntry{std::move(prefix), std::move(tensor)};
}

struct Entries {
  std::vector<RawEntry> entries;
  bool unfamiliar = false;
};

absl::StatusOr<Entries> EntriesOf(const InferCall& call, InputForm form) {
  if (form == InputForm::kPlain) return Entries{PlainEntries(call.inputs)};
  Entries made;
  if (form == InputForm::kImages) {
    CLEAVE_ASSIGN_OR_RETURN(RawEntry entry, OwningEntry("", JoinImages(call)));
    made.entries.push_back(std::move(entry));
    return made;
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<EncodedFrame> frames, EncodeFrames(call));
  for (EncodedFrame& frame : frames) {
    made.unfamiliar = made.unfamiliar || frame.unfamiliar;
    std::string prefix = LengthPrefix(frame.bytes.size());
    CLEAVE_ASSIGN_OR_RETURN(RawEntry entry, OwningEntry(std::move(prefix), std::move(frame.bytes)));
    made.entries.push_back(std::move(entry));
  }
  return made;
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

absl::StatusOr<EncodedRequest> EncodeRequest(const InferCall& call) {
  CLEAVE_ASSIGN_OR_RETURN(const InputForm form, FormOf(call));
  CLEAVE_ASSIGN_OR_RETURN(const Entries made, EntriesOf(call, form));
  return EncodedRequest{
      Append(ToRequestHead(call), inference::ModelInferRequest::kRawInputContentsFieldNumber,
             made.entries),
      made.unfamiliar};
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
  return Append(head, inference::ModelInferResponse::kRawOutputContentsFieldNumber,
                PlainEntries(reply.outputs));
}

absl::StatusOr<InferReply> DecodeResponse(grpc::ByteBuffer& buffer) {
  absl::StatusOr<inference::ModelInferResponse> response =
      Parse<inference::ModelInferResponse>(buffer, "ModelInferResponse");
  if (!response.ok()) return absl::InternalError(response.status().message());
  return ToInferReply(*std::move(response));
}

}  // namespace cleave
