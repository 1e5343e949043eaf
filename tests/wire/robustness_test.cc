// What a hostile or broken peer can do to the server: it answers the next client all the same.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "cleave_edge.grpc.pb.h"
#include "open_inference_grpc.grpc.pb.h"
#include "wire/fake_handler.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;

class RobustnessTest : public ::testing::Test {
 protected:
  void ExpectAlive() {
    InferCall call;
    call.model = "echo";
    call.inputs = {Floats("a", {4})};
    const auto done = loop_.client->Infer(call, 20'000'000);
    EXPECT_TRUE(done.ok()) << done.status();
  }

  // Sends bytes over plain TCP and hangs up.
  void SendAndHangUp(const std::string& bytes) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_GE(fd, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(loop_.server->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    close(fd);
  }

  std::shared_ptr<grpc::Channel> Channel() {
    return grpc::CreateChannel(loop_.target(), grpc::InsecureChannelCredentials());
  }

  FakeHandler handler_;
  Loopback loop_{handler_, 64 << 10};
};

constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

TEST_F(RobustnessTest, GarbageOnTheSocket) {
  SendAndHangUp(std::string(100'000, '\xa5'));
  SendAndHangUp("GET / HTTP/1.1\r\nHost: edge\r\n\r\n");
  ExpectAlive();
}

TEST_F(RobustnessTest, HalfAFrame) {
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  const std::string half_headers("\0\0\x40\1\4\0\0\0\1\x82\x86", 11);
  const std::string huge_data("\xff\xff\xff\0\0\0\0\0\1zzzz", 13);
  SendAndHangUp(kPreface);
  SendAndHangUp(std::string(kPreface, 10));
  SendAndHangUp(kPreface + settings + half_headers);
  SendAndHangUp(kPreface + settings + huge_data);
  ExpectAlive();
}

TEST_F(RobustnessTest, BytesThatAreNoMessage) {
  grpc::GenericStub stub(Channel());
  for (const std::string& bytes :
       {std::string("\xff\xff\xff\xff\xff"), std::string("\x3a\xff\xff\xff\x7f", 5),
        std::string(1000, '\0')}) {
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    auto call = stub.PrepareUnaryCall(&context, "/inference.GRPCInferenceService/ModelInfer",
                                      request, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  }
  ExpectAlive();
}

// Frames and pictures that lie about what they are; the server refuses each and goes on.
TEST_F(RobustnessTest, BrokenFramesAndPictures) {
  const auto stub = inference::GRPCInferenceService::NewStub(Channel());
  const auto send = [&](const std::string& encoding, const std::string& raw, std::int64_t count) {
    inference::ModelInferRequest request;
    request.set_model_name("echo");
    auto& parameters = *request.mutable_parameters();
    if (!encoding.empty()) parameters["cleave_encoding"].set_string_param(encoding);
    if (encoding == "image") {
      parameters["cleave_preprocessing"].set_string_param(Preprocessing().ToJson());
    }
    auto& input = *request.add_inputs();
    input.set_name("a");
    input.set_datatype("BYTES");
    input.add_shape(count);
    request.add_raw_input_contents(raw);
    inference::ModelInferResponse response;
    grpc::ClientContext context;
    return stub->ModelInfer(&context, request, &response).error_code();
  };
  using enum grpc::StatusCode;
  const Tensor flat = Tensor::Zeros(DataType::kFloat32, {1 << 24}).value();
  const std::string bomb = EncodeTensor(flat, {.encoding = Encoding::kQ2, .entropy = true}).value();
  const std::string small =
      EncodeTensor(Floats("a", {64}).tensor, {.encoding = Encoding::kQ8}).value();
  const auto prefixed = [](const std::string& bytes, std::uint32_t length) {
    return std::string(reinterpret_cast<const char*>(&length), 4) + bytes;
  };
  const auto own = [&](const std::string& bytes) {
    return prefixed(bytes, static_cast<std::uint32_t>(bytes.size()));
  };
  EXPECT_EQ(send("frame", own(small), 1), OK);
  EXPECT_EQ(send("frame", own(bomb), 1), INVALID_ARGUMENT);
  EXPECT_EQ(send("frame", own(small.substr(0, small.size() / 2)), 1), INVALID_ARGUMENT);
  EXPECT_EQ(send("frame", own(small + "more"), 1), INVALID_ARGUMENT);
  EXPECT_EQ(send("frame", prefixed(small, 0xffffffff), 1), INVALID_ARGUMENT);
  EXPECT_EQ(send("frame", prefixed(small, 0), 1), INVALID_ARGUMENT);
  EXPECT_EQ(send("frame", own(small), std::int64_t{1} << 62), INVALID_ARGUMENT);
  EXPECT_EQ(send("frame", "", 0), INVALID_ARGUMENT);
  EXPECT_EQ(send("frame", own(""), 1), INVALID_ARGUMENT);
  EXPECT_EQ(send("", own(small), 1), OK) << "a string, whatever it holds";
  EXPECT_EQ(send("", own(small), 2), INVALID_ARGUMENT);
  EXPECT_EQ(send("", prefixed(small, 0xffffffff), 1), INVALID_ARGUMENT);
  EXPECT_EQ(send("", std::string(60'000, '\0'), std::int64_t{1} << 58), INVALID_ARGUMENT);
  EXPECT_EQ(send("gzip", own(small), 1), INVALID_ARGUMENT);
  EXPECT_EQ(send("image", own("picture"), 1), OK) << "the handler looks into it, not the wire";
  EXPECT_EQ(send("image", own("picture"), -1), INVALID_ARGUMENT);
  EXPECT_EQ(send("image", std::string(60'000, '\0'), 15'000), INVALID_ARGUMENT) << "too many";
  EXPECT_EQ(send("image", prefixed("picture", 8), 1), INVALID_ARGUMENT);
  ExpectAlive();
}

TEST_F(RobustnessTest, AMessageOverTheLimitNamesBothSizes) {
  InferCall call;
  call.model = "echo";
  call.inputs = {Floats("a", {100'000})};
  const absl::Status status = loop_.client->Infer(call, 20'000'000).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("4000"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("65536"));
  EXPECT_EQ(GetExpectedWait(status), std::nullopt);
  ExpectAlive();
}

TEST_F(RobustnessTest, APushThatBreaksItsOwnHeader) {
  const auto stub = v1::Edge::NewStub(Channel());
  const auto push = [&](std::int64_t announced, const std::vector<std::string>& chunks,
                        bool header) {
    grpc::ClientContext context;
    v1::PushResponse response;
    const auto writer = stub->Push(&context, &response);
    v1::PushRequest part;
    if (header) {
      part.mutable_header()->set_name("m");
      part.mutable_header()->set_size_bytes(announced);
      writer->Write(part);
    }
    for (const std::string& chunk : chunks) {
      part.set_chunk(chunk);
      if (!writer->Write(part)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  };
  EXPECT_EQ(push(4, {"ab", "cd", "e"}, true).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(push(4, {"ab"}, true).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(push(-1, {}, true).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(push(0, {"ab"}, false).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(handler_.pushed().empty());
  EXPECT_TRUE(push(4, {"ab", "", "cd"}, true).ok());
  EXPECT_EQ(handler_.pushed()["m"], "abcd");
}

TEST_F(RobustnessTest, APushThatIsAbandonedFreesThePlaceForTheNext) {
  const auto stub = v1::Edge::NewStub(Channel());
  grpc::ClientContext context;
  v1::PushResponse response;
  const auto writer = stub->Push(&context, &response);
  v1::PushRequest part;
  part.mutable_header()->set_name("m");
  part.mutable_header()->set_size_bytes(100);
  ASSERT_TRUE(writer->Write(part));
  absl::Status second = loop_.client->Push({.name = "n", .digest = "d"}, "bytes", 5'000'000);
  for (int i = 0; i < 100 && second.ok(); ++i) {
    second = loop_.client->Push({.name = "n", .digest = "d"}, "bytes", 5'000'000);
  }
  EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable);
  context.TryCancel();
  EXPECT_FALSE(writer->Finish().ok());
  for (int i = 0; i < 500 && !second.ok(); ++i) {
    second = loop_.client->Push({.name = "n", .digest = "d"}, "bytes", 5'000'000);
  }
  EXPECT_TRUE(second.ok()) << second;
}

TEST(Silence, APeerThatAcceptsAndNeverAnswersEndsByTimeoutOrCancellation) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_GE(fd, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(fd, 8), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  ClientOptions options;
  options.target = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  const auto client = EdgeClient::Create(options).value();
  InferCall call;
  call.inputs = {Floats("a", {100'000})};
  EXPECT_EQ(client->Infer(call, 200'000).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(client->Probe(10, 10, 200'000).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(client->Push({.name = "m", .digest = "d"}, std::string(3 << 20, 'x'), 200'000).code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(client->Infer(call, 0).status().code(), absl::StatusCode::kDeadlineExceeded);
  const CancelToken cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    cancel.Cancel();
  });
  EXPECT_EQ(client->Infer(call, 600'000'000, cancel).status().code(), absl::StatusCode::kCancelled);
  canceller.join();
  std::thread pusher([&] {
    EXPECT_EQ(
        client->Push({.name = "m", .digest = "d"}, std::string(3 << 20, 'x'), 600'000'000).code(),
        absl::StatusCode::kCancelled);
  });
  std::thread asker([&] {
    EXPECT_EQ(client->GetStatus(600'000'000).status().code(), absl::StatusCode::kCancelled);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  client->CancelAll();
  pusher.join();
  asker.join();
  EXPECT_EQ(client->Infer(call, 600'000'000).status().code(), absl::StatusCode::kCancelled);
  close(fd);
}

TEST_F(RobustnessTest, AnUnknownModelVersion) {
  const auto stub = inference::GRPCInferenceService::NewStub(Channel());
  grpc::ClientContext context;
  inference::ModelMetadataRequest request;
  request.set_name("echo");
  request.set_version("7");
  inference::ModelMetadataResponse response;
  const grpc::Status status = stub->ModelMetadata(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("'7'"));
}

}  // namespace
}  // namespace cleave
