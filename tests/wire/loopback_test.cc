#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "support/tiny_codec.h"
#include "wire/fake_handler.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kSecondUs = 1'000'000;

TEST(Loopback, CarriesAnInferenceBothWays) {
  FakeHandler handler;
  Loopback loop(handler);
  InferCall call;
  call.model = "echo";
  call.id = "q1";
  call.cut = 5;
  call.digest = "d1";
  call.inputs = {Floats("a", {1, 3, 64, 64}), Floats("b", {2})};
  const InferExchange done = loop.client->Infer(call, 10 * kSecondUs).value();
  EXPECT_EQ(done.reply.model, "echo");
  EXPECT_EQ(done.reply.id, "q1");
  EXPECT_EQ(done.reply.digest, "d1");
  EXPECT_EQ(done.reply.queue_us, 6);
  EXPECT_EQ(done.reply.compute_us, 22);
  EXPECT_EQ(done.reply.wait_us, 33);
  ASSERT_EQ(done.reply.outputs.size(), 2U);
  EXPECT_EQ(done.reply.outputs[0].name, "a");
  EXPECT_THAT(done.reply.outputs[0].tensor.shape(), ElementsAre(1, 3, 64, 64));
  EXPECT_EQ(done.reply.outputs[0].tensor.bytes(), call.inputs[0].tensor.bytes());
  EXPECT_EQ(done.reply.outputs[1].tensor.bytes(), call.inputs[1].tensor.bytes());
  EXPECT_GE(done.exchange.bytes_up, 3 * 64 * 64 * 4);
  EXPECT_GE(done.exchange.bytes_down, 3 * 64 * 64 * 4);
  EXPECT_GE(done.exchange.total_us, done.exchange.edge_us);
}

TEST(Loopback, EstimateMessageBytesIsCloseToWhatTravels) {
  FakeHandler handler;
  Loopback loop(handler);
  InferCall call;
  call.model = "echo";
  call.cut = 17;
  call.digest = std::string(64, 'a');
  call.inputs = {Floats("features.3", {1, 24, 28, 28})};
  const InferExchange done = loop.client->Infer(call, 10 * kSecondUs).value();
  const std::int64_t estimate =
      EstimateMessageBytes({{"features.3", DataType::kFloat32, {1, 24, 28, 28}}});
  EXPECT_NEAR(static_cast<double>(estimate), static_cast<double>(done.exchange.bytes_up), 100);
  EXPECT_NEAR(static_cast<double>(estimate), static_cast<double>(done.exchange.bytes_down), 100);
}

TEST(Loopback, EstimateMessageBytesKnowsEveryEncoding) {
  FakeHandler handler;
  Loopback loop(handler);
  InferCall call;
  call.model = "echo";
  call.cut = 17;
  call.digest = std::string(64, 'a');
  call.inputs = {Floats("features.3", {1, 24, 28, 28}), Floats("skip", {1, 7, 3})};
  const std::vector<TensorSpec> specs = {{"features.3", DataType::kFloat32, {1, 24, 28, 28}},
                                         {"skip", DataType::kFloat32, {1, 7, 3}}};
  for (const Encoding encoding : AllEncodings()) {
    if (IsPicture(encoding) || CodecRate(encoding)) continue;
    for (const auto range : {EncodeOptions::Range::kPerTensor, EncodeOptions::Range::kPerChannel}) {
      call.encode = EncodeOptions{.encoding = encoding, .range = range};
      const InferExchange done = loop.client->Infer(call, 10 * kSecondUs).value();
      EXPECT_NEAR(static_cast<double>(EstimateMessageBytes(specs, *call.encode).value()),
                  static_cast<double>(done.exchange.bytes_up), 32)
          << EncodingName(encoding);
    }
  }
  EXPECT_FALSE(EstimateMessageBytes({{"i", DataType::kInt64, {3}}}, *call.encode).ok());
  EXPECT_FALSE(EstimateMessageBytes({{"x", DataType::kFloat32, {-1, 3}}}, *call.encode).ok());
  EXPECT_FALSE(EstimateMessageBytes(specs, {.encoding = Encoding::kJpeg}).ok());

  call.encode.reset();
  call.inputs.clear();
  call.images = {std::string(5000, 'x'), std::string(70'000, 'y')};
  call.preprocessing.emplace();
  const InferExchange done = loop.client->Infer(call, 10 * kSecondUs).value();
  EXPECT_NEAR(static_cast<double>(EstimatePictureMessageBytes(75'000, 2)),
              static_cast<double>(done.exchange.bytes_up), 100);
}

TEST(Loopback, EstimateMessageBytesKnowsWhatACodecIsExpectedToMake) {
  FakeHandler handler;
  handler.on_infer = [](const InferCall& call, const CallContext&) {
    InferReply reply;
    reply.digest = call.codec_digest.value_or("");
    return reply;
  };
  Loopback loop(handler);
  InferCall call;
  call.model = "echo";
  call.cut = 17;
  call.digest = std::string(64, 'a');
  call.inputs = {Floats("features.3", {1, 24, 28, 28})};
  call.encode = EncodeOptions{.encoding = Encoding::kT2};
  const Shape shape = call.inputs[0].tensor.shape();
  const std::vector<TensorSpec> specs = {{"features.3", DataType::kFloat32, shape}};
  EXPECT_FALSE(EstimateMessageBytes(specs, *call.encode).ok());
  call.codecs = testing::TinyCodecFile({{"features.3", testing::TinyCodec(24, 4, 4)}});
  const TensorCodec& codec = *call.codecs->Find("features.3");
  const auto coded = static_cast<double>(codec.Encode(call.inputs[0].tensor, 1)->bytes.size());
  const InferExchange done = loop.client->Infer(call, 10 * kSecondUs).value();
  EXPECT_EQ(done.reply.digest, call.codecs->digest());
  EXPECT_NEAR(static_cast<double>(EstimateMessageBytes(specs, *call.encode, call.codecs).value()),
              static_cast<double>(done.exchange.bytes_up) - coded + 2 * 24 * 28 * 28, 32);
}

TEST(Loopback, FramesArriveAsTensorsAndPicturesAsFiles) {
  FakeHandler handler;
  absl::Mutex mutex;
  InferCall last;
  const auto arrived = [&] {
    const absl::MutexLock lock(&mutex);
    return last;
  };
  handler.on_infer = [&](const InferCall& call, const CallContext&) {
    const absl::MutexLock lock(&mutex);
    last = call;
    InferReply reply;
    reply.outputs = DecodeFrames(call, nullptr).value();
    reply.decode_us = 5;
    return reply;
  };
  Loopback loop(handler);
  InferCall call;
  call.model = "echo";
  call.exit = 4;
  call.encode = EncodeOptions{.encoding = Encoding::kQ8, .entropy = true};
  call.inputs = {Floats("a", {1, 3, 64, 64})};
  const InferExchange frames = loop.client->Infer(call, 10 * kSecondUs).value();
  EXPECT_EQ(arrived().exit, 4);
  ASSERT_EQ(frames.reply.outputs.size(), 1U);
  const Tensor expected =
      DecodeTensor(EncodeTensor(call.inputs[0].tensor, *call.encode).value(), "f", 1 << 20).value();
  EXPECT_EQ(frames.reply.outputs[0].tensor.bytes(), expected.bytes());
  EXPECT_LT(frames.exchange.bytes_up, 3 * 64 * 64 + 300);
  EXPECT_EQ(frames.reply.decode_us, 5);

  call.encode.reset();
  call.inputs.clear();
  call.images = {"first", std::string(100'000, 'p')};
  call.preprocessing.emplace();
  const InferExchange pictures = loop.client->Infer(call, 10 * kSecondUs).value();
  EXPECT_EQ(arrived().images, call.images);
  EXPECT_EQ(pictures.reply.decode_us, 5);
}

TEST(Loopback, WhatCannotBeEncodedIsToldApartFromTheEdgesAnswer) {
  FakeHandler handler;
  std::atomic<int> arrived = 0;
  handler.on_infer = [&](const InferCall&, const CallContext&) {
    ++arrived;
    return absl::InvalidArgumentError("the edge does not like it");
  };
  Loopback loop(handler);
  InferCall call;
  call.model = "echo";
  const absl::Status refused = loop.client->Infer(call, 10 * kSecondUs).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(WasNotSent(refused));
  EXPECT_EQ(arrived, 1);

  call.encode = EncodeOptions{.encoding = Encoding::kQ8};
  call.inputs = {{"a", Tensor::FromFloats({1}, {std::numeric_limits<float>::infinity()}).value()}};
  const absl::Status kept = loop.client->Infer(call, 10 * kSecondUs).status();
  EXPECT_EQ(kept.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(kept.message()), HasSubstr("input 'a'"));
  EXPECT_TRUE(WasNotSent(kept));
  EXPECT_EQ(arrived, 1);
}

TEST(Loopback, CarriesEverythingElse) {
  FakeHandler handler;
  Loopback loop(handler);
  const ModelInfo info = loop.client->GetModel("echo", kSecondUs).value();
  EXPECT_EQ(info.digest, "d1");
  EXPECT_THAT(info.cuts, ElementsAre(0, 4, 7));
  EXPECT_THAT(info.inputs.at(0).shape, ElementsAre(-1, 3));
  EXPECT_EQ(loop.client->GetModel("other", kSecondUs).status().code(), absl::StatusCode::kNotFound);

  const EdgeStatus status = loop.client->GetStatus(kSecondUs).value();
  EXPECT_EQ(status.queued, 1);
  EXPECT_EQ(status.running, 2);
  EXPECT_EQ(status.queue_capacity, 3);
  EXPECT_EQ(status.expected_wait_us, 4);
  EXPECT_EQ(status.utilization, 0.5);
  EXPECT_EQ(status.uptime_us, 6);
  EXPECT_TRUE(status.draining);
  EXPECT_EQ(status.completed, 8);
  EXPECT_EQ(status.refused, 9);
  EXPECT_THAT(status.models.at(0).cuts, ElementsAre(0, 4, 7));

  const ProfileQuery query{.batches = {1, 2, 4}, .points = {{{1, 3, 8, 8}, {}}}};
  EXPECT_EQ(loop.client->GetProfile("m", "d", 5, query, kSecondUs).value(),
            "m/d/5/1,2,4/1x3x8x8+scalar");
}

TEST(Loopback, ProbesCarryTheBytesAskedForUpToALimit) {
  FakeHandler handler;
  Loopback loop(handler);
  const EdgeClient::ProbeResult probe = loop.client->Probe(10'000, 500'000, 5 * kSecondUs).value();
  EXPECT_EQ(probe.wait_us, 44);
  EXPECT_GE(probe.arrived_us, probe.sent_us) << "one clock, as both are in this process";
  EXPECT_LE(probe.arrived_us, Clock::Steady().NowUs());
  EXPECT_GE(probe.exchange.bytes_up, 10'000);
  EXPECT_LE(probe.exchange.bytes_up, 10'100);
  EXPECT_GE(probe.exchange.bytes_down, 500'000);
  EXPECT_LE(probe.exchange.bytes_down, 500'100);
  EXPECT_EQ(loop.client->Probe(1, (1 << 20) + 1, kSecondUs).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(loop.client->Probe((1 << 20) + 1, 1, kSecondUs).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Loopback, EveryCodeAndTheExpectedWaitComeBack) {
  FakeHandler handler;
  for (int code = 1; code <= 16; ++code) {
    handler.on_infer = [code](const InferCall&, const CallContext&) {
      absl::Status status(static_cast<absl::StatusCode>(code), "why \xc3\xa4 not");
      SetExpectedWait(status, 1234);
      return status;
    };
    Loopback loop(handler);
    const absl::Status status = loop.client->Infer(InferCall{}, kSecondUs).status();
    EXPECT_EQ(static_cast<int>(status.code()), code);
    EXPECT_EQ(status.message(), "why \xc3\xa4 not");
    EXPECT_EQ(GetExpectedWait(status), 1234);
  }
}

TEST(Loopback, AVeryLongErrorIsShortenedNotLost) {
  FakeHandler handler;
  handler.on_infer = [](const InferCall&, const CallContext&) {
    return absl::InvalidArgumentError("start" + std::string(1 << 20, 'x'));
  };
  Loopback loop(handler);
  const absl::Status status = loop.client->Infer(InferCall{}, kSecondUs).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("start"));
}

TEST(Loopback, AnErrorThatAPeerSendsIsPrintable) {
  FakeHandler handler;
  handler.on_infer = [](const InferCall&, const CallContext&) {
    return absl::InvalidArgumentError("a\n\x1b[2Jb");
  };
  Loopback loop(handler);
  EXPECT_EQ(loop.client->Infer(InferCall{}, kSecondUs).status().message(), "a\\n\\x1b[2Jb");
}

TEST(Loopback, TheDeadlineReachesTheHandlerAndEndsTheCall) {
  FakeHandler handler;
  absl::Notification ended;
  std::atomic<std::int64_t> left_us = 0;
  handler.on_infer = [&](const InferCall&, const CallContext& context) {
    left_us = context.deadline_us - Clock::Steady().NowUs();
    while (!context.cancel.cancelled()) std::this_thread::yield();
    ended.Notify();
    return absl::CancelledError("gone");
  };
  Loopback loop(handler);
  const absl::Status status = loop.client->Infer(InferCall{}, 300'000).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(ended.WaitForNotificationWithTimeout(absl::Seconds(20)));
  EXPECT_GT(left_us, 0);
  // The deadline crosses the wire as whole milliseconds by another clock.
  EXPECT_LE(left_us, 310'000);
}

TEST(Loopback, ACancelledCallEndsOnBothSides) {
  FakeHandler handler;
  absl::Notification started;
  absl::Notification ended;
  handler.on_infer = [&](const InferCall&, const CallContext& context) {
    started.Notify();
    while (!context.cancel.cancelled()) std::this_thread::yield();
    ended.Notify();
    return absl::CancelledError("gone");
  };
  Loopback loop(handler);
  const CancelToken cancel;
  std::thread canceller([&] {
    started.WaitForNotification();
    cancel.Cancel();
  });
  const absl::Status status = loop.client->Infer(InferCall{}, 60 * kSecondUs, cancel).status();
  canceller.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(ended.WaitForNotificationWithTimeout(absl::Seconds(20)));
}

TEST(Loopback, ShutdownCancelsWhatOutlivesItsGrace) {
  FakeHandler handler;
  absl::Notification started;
  handler.on_infer = [&](const InferCall&, const CallContext& context) {
    started.Notify();
    while (!context.cancel.cancelled()) std::this_thread::yield();
    return absl::CancelledError("stopped");
  };
  Loopback loop(handler);
  absl::Status status;
  std::thread caller([&] { status = loop.client->Infer(InferCall{}, 60 * kSecondUs).status(); });
  started.WaitForNotification();
  loop.server->Shutdown(10'000);
  caller.join();
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(loop.client->GetStatus(kSecondUs).status().code(), absl::StatusCode::kUnavailable);
}

TEST(Loopback, AnEdgeThatIsNotThereIsUnavailableAtOnceAndFoundWhenItComes) {
  FakeHandler handler;
  auto loop = std::make_unique<Loopback>(handler);
  ServerOptions options;
  options.listen = loop->target();
  ASSERT_TRUE(loop->client->GetStatus(kSecondUs).ok());
  loop->server->Shutdown(0);
  loop->server.reset();
  EXPECT_EQ(loop->client->GetStatus(60 * kSecondUs).status().code(),
            absl::StatusCode::kUnavailable);
  const auto again = WireServer::Start(options, handler);
  ASSERT_TRUE(again.ok()) << again.status();
  absl::Status status = absl::UnknownError("not tried");
  for (int i = 0; i < 200 && !status.ok(); ++i) {
    status = loop->client->GetStatus(kSecondUs).status();
    if (!status.ok()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(status.ok()) << status;
}

TEST(Loopback, PushStreamsAFile) {
  FakeHandler handler;
  Loopback loop(handler);
  std::string file(3'500'000, 'm');
  file.back() = '!';
  EXPECT_TRUE(loop.client->Push({.name = "new", .digest = "digest"}, file, 10 * kSecondUs).ok());
  EXPECT_EQ(handler.pushed()["new"], file);
  EXPECT_TRUE(loop.client->Push({.name = "old", .digest = "digest"}, file, 10 * kSecondUs).ok());
  EXPECT_EQ(handler.pushed().count("old"), 0U);
  EXPECT_EQ(
      loop.client
          ->Push({.name = "big", .digest = "digest"}, std::string(5 << 20, 'x'), 10 * kSecondUs)
          .code(),
      absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(loop.client
                  ->Push({.content = PushOffer::Content::kCodec, .name = "new", .digest = "digest"},
                         "codecs", 10 * kSecondUs)
                  .ok());
  EXPECT_EQ(handler.pushed()["new.codec"], "codecs");
  EXPECT_TRUE(loop.client->Push({.name = "empty", .digest = "digest"}, "", 10 * kSecondUs).ok());
  EXPECT_EQ(handler.pushed().count("empty"), 1U);
}

TEST(Start, APortInUseNamesTheAddress) {
  FakeHandler handler;
  const Loopback loop(handler);
  ServerOptions options;
  options.listen = loop.target();
  const absl::Status status = WireServer::Start(options, handler).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(loop.target()));
}

TEST(Options, AreChecked) {
  ClientOptions client;
  EXPECT_FALSE(client.Validate().ok());
  client.target = "edge:1";
  EXPECT_TRUE(client.Validate().ok());
  client.max_message_bytes = std::int64_t{1} << 40;
  EXPECT_FALSE(client.Validate().ok());
  ServerOptions server;
  EXPECT_TRUE(server.Validate().ok());
  server.listen = "nowhere";
  EXPECT_FALSE(server.Validate().ok());
}

TEST(Loopback, EveryCallIsToldOfOnceWithItsBytesAndItsEnd) {
  FakeHandler handler;
  Loopback loop(handler);
  InferCall call;
  call.model = "echo";
  call.inputs = {Floats("a", {1, 3, 64, 64})};
  const InferExchange done = loop.client->Infer(call, 10 * kSecondUs).value();
  handler.on_infer = [](const InferCall&, const CallContext&) -> absl::StatusOr<InferReply> {
    return Refused(Refusal::kQueueFull, absl::ResourceExhaustedError("full"));
  };
  EXPECT_FALSE(loop.client->Infer(call, 10 * kSecondUs).ok());
  const std::vector<EdgeCall> calls = handler.calls();
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(calls[0].method, "ModelInfer");
  EXPECT_EQ(calls[0].peer, "127.0.0.1");
  EXPECT_EQ(calls[0].code, absl::StatusCode::kOk);
  EXPECT_EQ(calls[0].refusal, std::nullopt);
  EXPECT_EQ(calls[0].received_bytes, done.exchange.bytes_up);
  EXPECT_EQ(calls[0].sent_bytes, done.exchange.bytes_down);
  EXPECT_EQ(calls[1].code, absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(calls[1].refusal, Refusal::kQueueFull);
  EXPECT_EQ(calls[1].error, "full");
  EXPECT_EQ(calls[1].sent_bytes, 0);
}

TEST(Loopback, EachMethodAsksForItsPermissionBeforeItReadsAnything) {
  FakeHandler handler;
  std::vector<Permission> asked;
  handler.on_authorize = [&](const Credentials& credentials,
                             Permission needed) -> absl::StatusOr<std::string> {
    EXPECT_FALSE(credentials.has_token);
    asked.push_back(needed);
    return needed == Permission::kKnown ? absl::StatusOr<std::string>("camera")
                                        : absl::PermissionDeniedError("not you");
  };
  handler.on_head = [](const InferHead&) {
    ADD_FAILURE() << "the message was read";
    return absl::OkStatus();
  };
  Loopback loop(handler);
  InferCall call;
  call.model = "echo";
  call.inputs = {Floats("a", {2})};
  EXPECT_TRUE(loop.client->GetModel("echo", kSecondUs).ok());
  EXPECT_TRUE(loop.client->GetStatus(kSecondUs).ok());
  EXPECT_TRUE(loop.client->Probe(1, 1, kSecondUs).ok());
  for (const absl::Status& status :
       {loop.client->Infer(call, kSecondUs).status(),
        loop.client->GetProfile("echo", "", 0, {}, kSecondUs).status(),
        loop.client->Push({.name = "new", .digest = "d"}, "bytes", kSecondUs)}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(status.message(), "not you");
  }
  using enum Permission;
  EXPECT_THAT(asked, ElementsAre(kKnown, kKnown, kKnown, kInfer, kProfile, kPush));
  EXPECT_TRUE(handler.pushed().empty());
  EXPECT_EQ(handler.calls().front().identity, "camera");
}

TEST(Loopback, AnIdentityIsTheClientInPlaceOfItsAddress) {
  FakeHandler handler;
  handler.on_authorize = [](const Credentials&, Permission) { return std::string("camera"); };
  CallContext seen;
  handler.on_infer = [&](const InferCall& call, const CallContext& context) {
    seen = context;
    InferReply reply;
    reply.outputs = call.inputs;
    return reply;
  };
  Loopback loop(handler);
  InferCall call;
  call.model = "echo";
  call.inputs = {Floats("a", {2})};
  EXPECT_TRUE(loop.client->Infer(call, 10 * kSecondUs).ok());
  EXPECT_EQ(seen.identity, "camera");
  EXPECT_EQ(seen.client(), "camera");
  EXPECT_EQ(seen.peer, "127.0.0.1");
}

}  // namespace
}  // namespace cleave
