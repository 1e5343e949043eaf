#include "wire/request_head.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "open_inference_grpc.pb.h"
#include "wire/convert.h"

namespace cleave {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;
using inference::InferTensorContents;
using inference::ModelInferRequest;
using Input = ModelInferRequest::InferInputTensor;

constexpr std::size_t kMaxHeadBytes = 256 << 10;
constexpr std::uint32_t kMaxModelName = 4096;
constexpr std::int64_t kStringBytes = 48;  // What a string takes beside its bytes.
constexpr std::int64_t kFieldBytes = 16;   // What an unknown field takes.

// Goes over a request and copies all but contents into `head`.
class Scanner {
 public:
  explicit Scanner(CodedInputStream& in) : in_(in) {}

  absl::Status Scan() {
    const bool read = ScanRequest();
    if (too_large_) {
      return absl::ResourceExhaustedError(
          absl::StrCat("request: found more than ", kMaxHeadBytes,
                       " bytes beside the contents of its tensors, expected at most so many"));
    }
    if (read && in_.ConsumedEntireMessage()) return absl::OkStatus();
    return absl::InvalidArgumentError("ModelInferRequest: found bytes that are not such a message");
  }

  const std::string& head() const { return head_; }
  // The sizes of the raw contents.
  const std::vector<std::int64_t>& raw_bytes() const { return raw_bytes_; }
  std::int64_t parsed_bytes() const { return parsed_bytes_; }

 private:
  bool ScanRequest() {
    while (const std::uint32_t tag = in_.ReadTag()) {
      switch (WireFormatLite::GetTagFieldNumber(tag)) {
        case ModelInferRequest::kRawInputContentsFieldNumber:
          parsed_bytes_ += kStringBytes;
          if (!SkipRaw(tag)) return false;
          break;
        case ModelInferRequest::kModelNameFieldNumber:
          if (!CopyName(tag)) return false;
          break;
        case ModelInferRequest::kInputsFieldNumber:
          if (!ScanInput(tag)) return false;
          break;
        default:
          if (!Copy(tag, head_)) return false;
      }
      if (head_.size() > kMaxHeadBytes) return Large();
    }
    return true;
  }

  bool ScanInput(std::uint32_t tag) {
    std::string input;
    const bool scanned = Inside(tag, [&] {
      while (const std::uint32_t inner = in_.ReadTag()) {
        const bool contents =
            WireFormatLite::GetTagFieldNumber(inner) == Input::kContentsFieldNumber;
        if (!(contents ? ScanContents(inner) : Copy(inner, input))) return false;
      }
      return true;
    });
    Append(tag, input, head_);
    return scanned;
  }

  bool ScanContents(std::uint32_t tag) {
    return Inside(tag, [&] {
      while (const std::uint32_t inner = in_.ReadTag()) {
        const int before = in_.CurrentPosition();
        if (!Skip(inner)) return false;
        CountContents(WireFormatLite::GetTagFieldNumber(inner), in_.CurrentPosition() - before);
      }
      return true;
    });
  }

  void CountContents(int field, std::int64_t bytes) {
    switch (field) {
      case InferTensorContents::kBoolContentsFieldNumber:
      case InferTensorContents::kFp32ContentsFieldNumber:
      case InferTensorContents::kFp64ContentsFieldNumber:
        parsed_bytes_ += bytes;
        break;
      case InferTensorContents::kIntContentsFieldNumber:
      case InferTensorContents::kUintContentsFieldNumber:
        parsed_bytes_ += bytes * static_cast<std::int64_t>(sizeof(std::int32_t));
        break;
      case InferTensorContents::kInt64ContentsFieldNumber:
      case InferTensorContents::kUint64ContentsFieldNumber:
        parsed_bytes_ += bytes * static_cast<std::int64_t>(sizeof(std::int64_t));
        break;
      case InferTensorContents::kBytesContentsFieldNumber:
        parsed_bytes_ += bytes + kStringBytes;
        break;
      default:
        parsed_bytes_ += bytes + kFieldBytes;
    }
  }

  // Reads a submessage with `read`.
  template <typename Read>
  bool Inside(std::uint32_t tag, Read read) {
    std::uint32_t size = 0;
    if (!IsDelimited(tag) || !in_.ReadVarint32(&size)) return false;
    const CodedInputStream::Limit limit = in_.PushLimit(static_cast<int>(size));
    const bool done = read() && in_.ConsumedEntireMessage();
    in_.PopLimit(limit);
    return done;
  }

  bool CopyName(std::uint32_t tag) {
    std::uint32_t size = 0;
    std::string name;
    if (!IsDelimited(tag) || !in_.ReadVarint32(&size)) return false;
    const std::uint32_t kept = std::min(size, kMaxModelName);
    if (!in_.ReadString(&name, static_cast<int>(kept))) return false;
    Append(tag, name, head_);
    return in_.Skip(static_cast<int>(size - kept));
  }

  bool Copy(std::uint32_t tag, std::string& out) {
    if (IsDelimited(tag)) {
      std::uint32_t size = 0;
      std::string bytes;
      if (!in_.ReadVarint32(&size)) return false;
      if (size > kMaxHeadBytes) return Large();
      if (!in_.ReadString(&bytes, static_cast<int>(size))) return false;
      Append(tag, bytes, out);
    } else {
      StringOutputStream stream(&out);
      CodedOutputStream coded(&stream);
      if (!WireFormatLite::SkipField(&in_, tag, &coded)) return false;
    }
    return out.size() <= kMaxHeadBytes || Large();
  }

  bool SkipRaw(std::uint32_t tag) {
    std::uint32_t size = 0;
    if (!IsDelimited(tag) || !in_.ReadVarint32(&size)) return false;
    raw_bytes_.push_back(size);
    // Far more of them than a request may have inputs.
    if (raw_bytes_.size() > kMaxHeadBytes) return Large();
    return in_.Skip(static_cast<int>(size));
  }

  bool Skip(std::uint32_t tag) { return WireFormatLite::SkipField(&in_, tag); }

  bool Large() {
    too_large_ = true;
    return false;
  }

  static bool IsDelimited(std::uint32_t tag) {
    return WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
  }

  static void Append(std::uint32_t tag, const std::string& bytes, std::string& out) {
    StringOutputStream stream(&out);
    CodedOutputStream coded(&stream);
    coded.WriteTag(tag);
    coded.WriteVarint32(static_cast<std::uint32_t>(bytes.size()));
    coded.WriteString(bytes);
  }

  CodedInputStream& in_;
  std::string head_;
  std::vector<std::int64_t> raw_bytes_;
  std::int64_t parsed_bytes_ = 0;
  bool too_large_ = false;
};

// Whether raw contents have as many bytes as their shapes need; of strings only their content
// tells.
absl::Status CheckSizes(const std::vector<TensorSpec>& inputs,
                        const std::vector<std::int64_t>& raw_bytes) {
  for (std::size_t i = 0; i < std::min(inputs.size(), raw_bytes.size()); ++i) {
    const TensorSpec& input = inputs[i];
    if (input.dtype == DataType::kString) continue;
    const std::string what = absl::StrCat("input '", input.name, "': ");
    const absl::StatusOr<std::int64_t> elements = ElementCount(input.shape);
    if (!elements.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(what, elements.status().message()));
    }
    const auto expected = *elements * static_cast<std::int64_t>(ElementSize(input.dtype));
    if (raw_bytes[i] == expected) continue;
    return absl::InvalidArgumentError(absl::StrCat(what, "tensor ", DataTypeName(input.dtype), " ",
                                                   ShapeString(input.shape), ": found ",
                                                   raw_bytes[i], " bytes, expected ", expected));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RequestHead> ReadRequestHead(const grpc::ByteBuffer& bytes) {
  grpc::ByteBuffer view = bytes;
  ModelInferRequest request;
  RequestHead read;
  std::vector<std::int64_t> raw_bytes;
  if (view.Valid()) {
    grpc::ProtoBufferReader reader(&view);
    CodedInputStream in(&reader);
    Scanner scanner(in);
    CLEAVE_RETURN_IF_ERROR(reader.status().ok() ? scanner.Scan()
                                                : absl::InvalidArgumentError("message: not whole"));
    if (!request.ParseFromString(scanner.head())) {
      return absl::InvalidArgumentError(
          "ModelInferRequest: found bytes that are not such a message");
    }
    raw_bytes = scanner.raw_bytes();
    read.parsed_bytes = scanner.parsed_bytes() + static_cast<std::int64_t>(bytes.Length());
  }
  if (static_cast<int>(raw_bytes.size()) > request.inputs_size()) {
    return absl::InvalidArgumentError(absl::StrCat("found ", raw_bytes.size(), " raw contents for ",
                                                   request.inputs_size(),
                                                   " inputs, expected one for each"));
  }
  CLEAVE_ASSIGN_OR_RETURN(read.head, ToInferHead(request));
  CLEAVE_RETURN_IF_ERROR(CheckSizes(read.head.inputs, raw_bytes));
  return read;
}

}  // namespace cleave
