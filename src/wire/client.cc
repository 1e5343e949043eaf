#include "wire/client.h"

#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "cleave_edge.grpc.pb.h"
#include "codec/frame.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/host_port.h"
#include "core/length_prefixed.h"
#include "core/run_delay.h"
#include "core/secret_file.h"
#include "core/status_macros.h"
#include "wire/channel.h"
#include "wire/credentials.h"
#include "wire/encoded.h"
#include "wire/payload.h"
#include "wire/status.h"

namespace cleave {
namespace {

constexpr std::int64_t kCancelPollUs = 5'000;
constexpr std::int64_t kYoungChannelUs = 1'000'000;
constexpr std::int64_t kPushChunkBytes = 1 << 20;
constexpr std::size_t kMaxTokenBytes = 4096;

bool IsToken(const std::string& text) {
  return !text.empty() && text.size() <= kMaxTokenBytes &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isgraph(c); });
}

gpr_timespec FromNow(std::int64_t us) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(us, GPR_TIMESPAN));
}

struct RawExchange {
  grpc::ByteBuffer response;
  std::int64_t total_us = 0;
  std::int64_t bytes_up = 0;
  std::int64_t bytes_down = 0;
};

// How a call reaches the edge.
struct Way {
  std::shared_ptr<grpc::Channel> channel;
  std::string token;

  void Authorize(grpc::ClientContext& context) const {
    if (!token.empty()) context.AddMetadata(kAuthorizationKey, absl::StrCat(kBearer, token));
  }
};

// gRPC calls a certificate that one of the sides does not accept an edge out of reach.
absl::Status TellingOfCertificates(const absl::Status& status) {
  const absl::string_view message = status.message();
  const bool refused =
      absl::IsUnavailable(status) &&
      (absl::StrContains(message, "andshake failed") || absl::StrContains(message, "certificate") ||
       absl::StrContains(message, "TSI_PROTOCOL_FAILURE") ||
       absl::StrContains(message, "Peer name"));
  return refused ? absl::UnauthenticatedError(message) : status;
}

// Makes one unary call on a queue of its own, which the calling thread itself polls: no other
// thread has to be woken for the answer.
class UnaryCall {
 public:
  UnaryCall(const Way& way, const std::string& method, const grpc::ByteBuffer& request,
            std::int64_t timeout_us)
      : stub_(way.channel) {
    context_.set_deadline(FromNow(timeout_us));
    way.Authorize(context_);
    reader_ = stub_.PrepareUnaryCall(&context_, method, request, &queue_);
  }
  ~UnaryCall() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  absl::Status Wait(const CancelToken& cancel, const CancelToken& shutdown,
                    grpc::ByteBuffer& response) {
    grpc::Status status;
    reader_->StartCall();
    reader_->Finish(&response, &status, this);
    void* tag = nullptr;
    bool ok = false;
    while (queue_.AsyncNext(&tag, &ok, FromNow(kCancelPollUs)) == grpc::CompletionQueue::TIMEOUT) {
      if (cancel.cancelled() || shutdown.cancelled()) context_.TryCancel();
    }
    return FromGrpcStatus(status, context_);
  }

 private:
  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader_;
};

// The size of a message without its tensors, with usual names and parameters.
std::int64_t HeadBytes(const inference::ModelInferRequest& head) {
  constexpr std::int64_t kParametersAndNames = 130;
  return static_cast<std::int64_t>(head.ByteSizeLong()) + kParametersAndNames;
}

// The size of one entry of raw contents.
std::int64_t ContentBytes(std::int64_t bytes) {
  return bytes + 1 +
         static_cast<std::int64_t>(google::protobuf::io::CodedOutputStream::VarintSize64(
             static_cast<std::uint64_t>(bytes)));
}

grpc::ByteBuffer Encode(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

class EdgeClientImpl final : public EdgeClient {
 public:
  explicit EdgeClientImpl(ClientOptions options) : options_(std::move(options)) {}

  absl::StatusOr<InferExchange> Infer(const InferCall& call, std::int64_t timeout_us,
                                      const CancelToken& cancel, const RequestMade& made) override {
    const std::int64_t start_us = NowUs();
    const absl::StatusOr<EncodedRequest> request = EncodeRequest(call);
    if (!request.ok()) {
      absl::Status status = request.status();
      SetNotSent(status);
      return status;
    }
    const std::int64_t serialize_us = NowUs() - start_us;
    if (made) made(static_cast<std::int64_t>(request->bytes.Length()));
    CLEAVE_ASSIGN_OR_RETURN(RawExchange raw, CallRaw("/inference.GRPCInferenceService/ModelInfer",
                                                     request->bytes, timeout_us, cancel));
    InferExchange result;
    result.unfamiliar = request->unfamiliar;
    CLEAVE_ASSIGN_OR_RETURN(result.reply, DecodeResponse(raw.response));
    result.exchange = {serialize_us, raw.total_us, result.reply.edge_us, raw.bytes_up,
                       raw.bytes_down};
    return result;
  }

  absl::StatusOr<ModelInfo> GetModel(const std::string& name, std::int64_t timeout_us) override {
    inference::ModelMetadataRequest request;
    request.set_name(name);
    inference::ModelMetadataResponse response;
    CLEAVE_RETURN_IF_ERROR(
        CallMessage("/inference.GRPCInferenceService/ModelMetadata", request, timeout_us, response)
            .status());
    return ToModelInfo(response);
  }

  absl::StatusOr<EdgeStatus> GetStatus(std::int64_t timeout_us) override {
    v1::StatusResponse response;
    CLEAVE_RETURN_IF_ERROR(
        CallMessage("/cleave.v1.Edge/Status", v1::StatusRequest(), timeout_us, response).status());
    return ToEdgeStatus(response);
  }

  absl::StatusOr<ProbeResult> Probe(std::int64_t up_bytes, std::int64_t down_bytes,
                                    std::int64_t timeout_us) override {
    if (up_bytes < 0 || down_bytes < 0) {
      return absl::InvalidArgumentError("probe: found a negative size, expected 0 or more bytes");
    }
    const std::int64_t start_us = NowUs();
    v1::ProbeRequest request;
    request.mutable_payload()->assign(static_cast<std::size_t>(up_bytes), '\x5a');
    request.set_reply_bytes(down_bytes);
    const std::int64_t sent_us = NowUs();
    const std::int64_t delayed_us = ThreadRunDelayUs();
    v1::ProbeResponse response;
    CLEAVE_ASSIGN_OR_RETURN(const RawExchange raw,
                            CallMessage("/cleave.v1.Edge/Probe", request, timeout_us, response));
    return ProbeResult{{sent_us - start_us, raw.total_us, response.edge_us(), raw.bytes_up,
                        raw.bytes_down, ThreadRunDelayUs() - delayed_us},
                       response.expected_wait_us(),
                       sent_us,
                       response.arrived_us()};
  }

  absl::StatusOr<std::string> GetProfile(const std::string& model, const std::string& digest,
                                         int exit, const ProfileQuery& query,
                                         std::int64_t timeout_us) override {
    v1::GetProfileRequest request;
    request.set_model(model);
    request.set_digest(digest);
    request.set_exit(exit);
    request.mutable_batches()->Add(query.batches.begin(), query.batches.end());
    for (const std::vector<Shape>& shapes : query.points) {
      v1::InputShapes& point = *request.add_points();
      for (const Shape& shape : shapes) {
        point.add_inputs()->mutable_dims()->Add(shape.begin(), shape.end());
      }
    }
    v1::GetProfileResponse response;
    CLEAVE_RETURN_IF_ERROR(
        CallMessage("/cleave.v1.Edge/GetProfile", request, timeout_us, response).status());
    return std::move(*response.mutable_json());
  }

  absl::Status Push(const PushOffer& offer, const std::string& bytes,
                    std::int64_t timeout_us) override {
    CLEAVE_RETURN_IF_ERROR(CheckTimeout(timeout_us));
    CLEAVE_ASSIGN_OR_RETURN(const Way way, CurrentWay());
    grpc::ClientContext context;
    context.set_deadline(FromNow(timeout_us));
    way.Authorize(context);
    v1::PushResponse response;
    AddPush(context);  // Opening the stream already waits for the connection.
    const std::unique_ptr<grpc::ClientWriter<v1::PushRequest>> writer =
        v1::Edge::NewStub(way.channel)->Push(&context, &response);
    WriteFile(offer, bytes, *writer);
    const absl::Status status = FromGrpcStatus(writer->Finish(), context);
    RemovePush(context);
    return NoteOutcome(way.channel, status);
  }

  absl::Status CheckCredentials() { return CurrentWay().status(); }

  void CancelAll() override {
    shutdown_.Cancel();
    const absl::MutexLock lock(&mutex_);
    for (grpc::ClientContext* push : pushes_) push->TryCancel();
  }

 private:
  struct Connection {
    std::shared_ptr<grpc::Channel> channel;
    std::int64_t made_us = 0;
  };

  static std::int64_t NowUs() { return Clock::Steady().NowUs(); }

  static absl::Status CheckTimeout(std::int64_t timeout_us) {
    if (timeout_us > 0) return absl::OkStatus();
    return absl::DeadlineExceededError(
        absl::StrCat("no time left to call the edge (timeout ", timeout_us, " us)"));
  }

  // Writes of a stream block without asking for a token, so that a shutdown must reach them.
  void AddPush(grpc::ClientContext& context) {
    const absl::MutexLock lock(&mutex_);
    pushes_.insert(&context);
    if (shutdown_.cancelled()) context.TryCancel();
  }

  void RemovePush(grpc::ClientContext& context) {
    const absl::MutexLock lock(&mutex_);
    pushes_.erase(&context);
  }

  static void WriteFile(const PushOffer& offer, const std::string& bytes,
                        grpc::ClientWriter<v1::PushRequest>& writer) {
    v1::PushRequest part;
    part.mutable_header()->set_name(offer.name);
    part.mutable_header()->set_digest(offer.digest);
    part.mutable_header()->set_size_bytes(static_cast<std::int64_t>(bytes.size()));
    part.mutable_header()->set_content(offer.content == PushOffer::Content::kCodec
                                           ? v1::PushRequest::CODEC
                                           : v1::PushRequest::MODEL);
    bool open = writer.Write(part);
    for (std::size_t at = 0; open && at < bytes.size(); at += kPushChunkBytes) {
      part.set_chunk(bytes.substr(at, kPushChunkBytes));
      open = writer.Write(part);
    }
    writer.WritesDone();
  }

  absl::StatusOr<RawExchange> CallRaw(const std::string& method, const grpc::ByteBuffer& request,
                                      std::int64_t timeout_us, const CancelToken& cancel) {
    CLEAVE_RETURN_IF_ERROR(CheckTimeout(timeout_us));
    CLEAVE_ASSIGN_OR_RETURN(const Way way, CurrentWay());
    RawExchange exchange;
    exchange.bytes_up = static_cast<std::int64_t>(request.Length());
    const std::int64_t start_us = NowUs();
    UnaryCall call(way, method, request, timeout_us);
    const absl::Status status = call.Wait(cancel, shutdown_, exchange.response);
    exchange.total_us = NowUs() - start_us;
    exchange.bytes_down = static_cast<std::int64_t>(exchange.response.Length());
    CLEAVE_RETURN_IF_ERROR(NoteOutcome(way.channel, status));
    return exchange;
  }

  absl::StatusOr<RawExchange> CallMessage(const std::string& method,
                                          const google::protobuf::MessageLite& request,
                                          std::int64_t timeout_us,
                                          google::protobuf::MessageLite& response) {
    CLEAVE_ASSIGN_OR_RETURN(RawExchange raw,
                            CallRaw(method, Encode(request), timeout_us, CancelToken()));
    if (!raw.response.Valid()) return raw;
    grpc::ProtoBufferReader reader(&raw.response);
    if (!response.ParseFromZeroCopyStream(&reader)) {
      return absl::InternalError(
          absl::StrCat("the edge's answer to ", method, " cannot be parsed"));
    }
    return raw;
  }

  absl::StatusOr<Way> CurrentWay() {
    const absl::MutexLock lock(&mutex_);
    CLEAVE_RETURN_IF_ERROR(ReadToken());
    if (!connection_.channel) {
      CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials,
                              MakeChannelCredentials(options_.tls));
      connection_ = {MakeChannel(options_.target, credentials, options_.max_message_bytes,
                                 options_.keepalive_us),
                     NowUs()};
    }
    return Way{connection_.channel, token_};
  }

  absl::Status ReadToken() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (options_.token_file.empty() || !token_watch_.Changed()) return token_read_;
    const absl::StatusOr<std::string> text = ReadSecretFile(options_.token_file);
    token_ = text.ok() ? std::string(absl::StripAsciiWhitespace(*text)) : "";
    token_read_ = text.status();
    if (text.ok() && !IsToken(token_)) {
      token_read_ = absl::FailedPreconditionError(
          absl::StrCat(options_.token_file, ": found ", token_.size(),
                       " bytes, expected a token of 1 to ", kMaxTokenBytes, " visible characters"));
    }
    return token_read_;
  }

  // After a call that never came back the connection may be a dead one, whose TCP retries grow
  // further and further apart; and a channel that cannot connect backs off. A fresh one costs a
  // round trip and does neither.
  absl::Status NoteOutcome(const std::shared_ptr<grpc::Channel>& channel,
                           const absl::Status& status) {
    const bool unreachable = absl::IsUnavailable(status);
    absl::Status told = options_.tls.ca.empty() ? status : TellingOfCertificates(status);
    if (!unreachable && !absl::IsDeadlineExceeded(status)) return told;
    const absl::MutexLock lock(&mutex_);
    if (connection_.channel != channel) return told;
    if (unreachable && NowUs() - connection_.made_us < kYoungChannelUs) return told;
    connection_ = {};
    return told;
  }

  const ClientOptions options_;
  const CancelToken shutdown_;
  absl::Mutex mutex_;
  std::set<grpc::ClientContext*> pushes_ ABSL_GUARDED_BY(mutex_);
  Connection connection_ ABSL_GUARDED_BY(mutex_);
  FileWatch token_watch_ ABSL_GUARDED_BY(mutex_){options_.token_file};
  absl::Status token_read_ ABSL_GUARDED_BY(mutex_);
  std::string token_ ABSL_GUARDED_BY(mutex_);
};

absl::Status CheckPrivacy(const ClientOptions& options) {
  CLEAVE_RETURN_IF_ERROR(CheckTlsFiles(options.tls));
  if (options.tls.ca.empty() && !options.tls.certificate.empty()) {
    return FieldError("tls_ca", "none", "the edge's authorities, with tls_cert");
  }
  CLEAVE_ASSIGN_OR_RETURN(const HostPort address, ParseHostPort("edge", options.target));
  const bool is_private = !options.tls.ca.empty() || IsLoopback(address.host);
  if (options.token_file.empty() || is_private || options.insecure) return absl::OkStatus();
  return FieldError("token_file", absl::StrCat("a token for '", options.target, "' without TLS"),
                    "the edge's authorities (--tls-ca), or --insecure");
}

}  // namespace

absl::Status ClientOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckAddress("edge", target));
  CLEAVE_RETURN_IF_ERROR(CheckPrivacy(*this));
  if (max_message_bytes < 1024 || max_message_bytes > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("largest message: found ", max_message_bytes,
                                                   " bytes, expected 1 KiB to 2 GiB - 1"));
  }
  if (keepalive_us < 1'000'000) {
    return absl::InvalidArgumentError(
        absl::StrCat("keepalive: found ", keepalive_us, " us, expected 1000000 or more"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<EdgeClient>> EdgeClient::Create(const ClientOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  auto client = std::make_unique<EdgeClientImpl>(options);
  CLEAVE_RETURN_IF_ERROR(client->CheckCredentials());
  return client;
}

std::int64_t EstimateMessageBytes(const std::vector<TensorSpec>& tensors) {
  inference::ModelInferRequest head;
  std::int64_t contents = 0;
  for (const TensorSpec& spec : tensors) {
    auto& input = *head.add_inputs();
    input.set_name(spec.name);
    input.set_datatype(std::string(DataTypeName(spec.dtype)));
    input.mutable_shape()->Add(spec.shape.begin(), spec.shape.end());
    contents += ContentBytes(EstimatedBytes(spec.dtype, spec.shape));
  }
  return HeadBytes(head) + contents;
}

absl::StatusOr<std::int64_t> EstimateMessageBytes(const std::vector<TensorSpec>& tensors,
                                                  const EncodeOptions& encode,
                                                  std::shared_ptr<const CodecFile> codecs) {
  InferCall call;
  call.encode = encode;
  call.codecs = std::move(codecs);
  std::int64_t contents = 0;
  for (const TensorSpec& spec : tensors) {
    call.inputs.push_back({spec.name, Tensor()});
    EncodeOptions options = encode;
    if (CodecRate(encode.encoding) && call.codecs) options.codec = call.codecs->Find(spec.name);
    CLEAVE_ASSIGN_OR_RETURN(const std::int64_t frame, FrameBytes(spec.dtype, spec.shape, options));
    contents += ContentBytes(kLengthPrefixBytes + frame);
  }
  return HeadBytes(ToRequestHead(call)) + contents;
}

std::int64_t EstimatePictureMessageBytes(std::int64_t file_bytes, int pictures) {
  InferCall call;
  call.preprocessing.emplace();
  call.images.resize(static_cast<std::size_t>(pictures));
  return HeadBytes(ToRequestHead(call)) + ContentBytes(file_bytes + kLengthPrefixBytes * pictures);
}

}  // namespace cleave
