// Frames and codecs at an edge: what is looked at before a request has its turn, and which codecs
// decode it then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "cleave/edge.h"
#include "core/length_prefixed.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "support/tiny_codec.h"
#include "support/tiny_models.h"
#include "wire/client.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;
using testing::kSlowSide;
using testing::PoolModel;
using testing::SlowModel;
using testing::TempDir;
using testing::TinyCodec;
using testing::TinyCodecBytes;

constexpr std::int64_t kMinuteUs = 60'000'000;

// Tensor p of PoolModel, which has a cut of its own.
NamedTensor Pooled() {
  std::vector<float> values(2 * 3 * 4 * 4);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 13) * 0.25F;
  return {"p", Tensor::FromFloats({2, 3, 4, 4}, std::move(values)).value()};
}

std::string CodecsOf(const std::string& model, float step_bytes = 4) {
  return TinyCodecBytes(Sha256Hex(model), {{"p", TinyCodec(3, 4, step_bytes)}});
}

class CodecEdgeTest : public ::testing::Test {
 protected:
  CodecEdgeTest() {
    setenv("CLEAVE_CACHE_DIR", cache_.path().c_str(), 1);
    options_.models = {models_.Write("pool.onnx", PoolModel())};
    options_.listen = "127.0.0.1:0";
    options_.cuts = "all";
    options_.on_event = [this](const EdgeEvent& event) {
      const absl::MutexLock lock(&mutex_);
      events_.push_back(event);
    };
  }

  void Start() {
    client_.reset();
    edge_ = Edge::Start(options_).value();
    ClientOptions options;
    options.target = absl::StrCat("127.0.0.1:", edge_->port());
    client_ = EdgeClient::Create(options).value();
    const std::vector<int> cuts = client_->GetModel("pool", kMinuteUs)->cuts;
    InferCall call = Plain();
    for (const int cut : cuts) {
      call.cut = cut;
      if (Infer(call).ok()) cut_of_p_ = cut;
    }
    ASSERT_GT(cut_of_p_, 0);
  }

  absl::StatusOr<InferReply> Infer(const InferCall& call) {
    CLEAVE_ASSIGN_OR_RETURN(InferExchange done, client_->Infer(call, kMinuteUs));
    return std::move(done.reply);
  }

  InferCall Plain() const {
    InferCall call;
    call.model = "pool";
    call.cut = cut_of_p_;
    call.inputs = {Pooled()};
    return call;
  }

  InferCall Coded(const std::string& codecs, Encoding encoding = Encoding::kT2) const {
    InferCall call = Plain();
    call.encode = EncodeOptions{.encoding = encoding};
    call.codecs = CodecFile::Read(codecs, "codecs").value();
    return call;
  }

  // The same call with a payload that no decoder takes.
  static InferCall Garbage(InferCall call) {
    EncodeOptions options = *call.encode;
    if (call.codecs) {
      options.codec = call.codecs->Find("p");
      call.codec_digest = call.codecs->digest();
    }
    std::string frame = EncodeTensor(call.inputs[0].tensor, options).value();
    frame.back() = static_cast<char>(frame.back() ^ 1);
    call.frames = {{"p", {}, LengthPrefix(frame.size()) + frame}};
    call.inputs.clear();
    call.encode.reset();
    call.codecs.reset();
    return call;
  }

  void ExpectRefused(const InferCall& call, absl::StatusCode code, const std::string& why) {
    const absl::Status status = Infer(call).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
  }

  // That of the edge with these codecs and of local decoding are the same answer.
  void ExpectRuns(const std::string& codecs) {
    for (const Encoding encoding : {Encoding::kT1, Encoding::kT6}) {
      const InferCall call = Coded(codecs, encoding);
      InferCall plain = Plain();
      const TensorCodec& codec = *call.codecs->Find("p");
      const int rate = *CodecRate(encoding);
      Tensor& tensor = plain.inputs[0].tensor;
      tensor = codec.Decode(codec.Encode(tensor, rate)->bytes, tensor.shape(), rate).value();
      const absl::StatusOr<InferReply> there = Infer(call);
      ASSERT_TRUE(there.ok()) << there.status();
      EXPECT_EQ(there->outputs.at(0).tensor.bytes(), Infer(plain)->outputs.at(0).tensor.bytes());
      EXPECT_GE(there->edge_us, there->decode_us + there->compute_us);
    }
  }

  std::vector<std::string> Errors(EdgeEventKind kind) {
    const absl::MutexLock lock(&mutex_);
    std::vector<std::string> errors;
    for (const EdgeEvent& event : events_) {
      if (event.kind == kind) errors.push_back(event.error);
    }
    return errors;
  }

  const TempDir cache_;
  const TempDir models_;
  EdgeOptions options_;
  absl::Mutex mutex_;
  std::vector<EdgeEvent> events_;
  std::unique_ptr<Edge> edge_;
  std::unique_ptr<EdgeClient> client_;
  int cut_of_p_ = 0;
};

TEST_F(CodecEdgeTest, ServesTheCodecsBesideAModel) {
  const std::string codecs = CodecsOf(PoolModel());
  models_.Write("pool.codec", codecs);
  Start();
  EXPECT_EQ(client_->GetModel("pool", kMinuteUs)->codec_digest, Sha256Hex(codecs));
  ExpectRuns(codecs);
  InferCall call = Coded(codecs);
  call.cut = 0;
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "found an input 'p'");
}

TEST_F(CodecEdgeTest, OtherCodecsAreRefusedWithBothDigests) {
  const std::string codecs = CodecsOf(PoolModel());
  const std::string others = CodecsOf(PoolModel(), 5);
  models_.Write("pool.codec", codecs);
  Start();
  ExpectRefused(
      Coded(others), absl::StatusCode::kFailedPrecondition,
      absl::StrCat("found codec digest ", Sha256Hex(others), ", expected ", Sha256Hex(codecs)));
  InferCall none = Garbage(Coded(codecs));
  none.codec_digest.reset();
  ExpectRefused(none, absl::StatusCode::kFailedPrecondition,
                absl::StrCat("found codec digest none, expected ", Sha256Hex(codecs)));
}

TEST_F(CodecEdgeTest, AnEdgeWithoutCodecsSaysSo) {
  const std::string codecs = CodecsOf(PoolModel());
  Start();
  EXPECT_EQ(client_->GetModel("pool", kMinuteUs)->codec_digest, "");
  EXPECT_TRUE(Errors(EdgeEventKind::kCodec).empty());
  ExpectRefused(Coded(codecs), absl::StatusCode::kFailedPrecondition,
                absl::StrCat("found codec digest ", Sha256Hex(codecs),
                             ", expected none, as there are no codecs here"));
}

TEST_F(CodecEdgeTest, ATensorOfNoCodecIsRefused) {
  const std::string codecs = TinyCodecBytes(Sha256Hex(PoolModel()), {{"q", TinyCodec(3, 4)}});
  models_.Write("pool.codec", codecs);
  Start();
  InferCall call = Garbage(Coded(CodecsOf(PoolModel())));
  call.codec_digest = Sha256Hex(codecs);
  ExpectRefused(call, absl::StatusCode::kInvalidArgument, "as there is no codec of this tensor");
}

TEST_F(CodecEdgeTest, ACodecFileThatCannotBeUsedIsNoReasonNotToServeTheModel) {
  for (const std::string& bytes : {std::string("no codecs"), CodecsOf(SlowModel(1))}) {
    models_.Write("pool.codec", bytes);
    events_.clear();
    Start();
    EXPECT_TRUE(Infer(Plain()).ok());
    EXPECT_EQ(client_->GetModel("pool", kMinuteUs)->codec_digest, "");
    EXPECT_THAT(Errors(EdgeEventKind::kCodec), ::testing::ElementsAre(HasSubstr("pool.codec")));
  }
}

// Frames that cannot be decoded get the errors of everything that is checked before.
TEST_F(CodecEdgeTest, FramesAreDecodedInTheirTurnAlone) {
  const std::string codecs = CodecsOf(PoolModel());
  models_.Write("pool.codec", codecs);
  Start();
  InferCall quantized = Plain();
  quantized.encode = EncodeOptions{.encoding = Encoding::kQ8};
  for (const InferCall& garbage : {Garbage(quantized), Garbage(Coded(codecs))}) {
    InferCall call = garbage;
    call.model = "other";
    ExpectRefused(call, absl::StatusCode::kNotFound, "found model 'other'");
    call = garbage;
    call.cut = 99;
    ExpectRefused(call, absl::StatusCode::kInvalidArgument, "found cut 99");
    call = garbage;
    call.digest = std::string(64, 'b');
    ExpectRefused(call, absl::StatusCode::kFailedPrecondition, "found digest bbbb");
    call = garbage;
    call.frames[0].name = "x";
    ExpectRefused(call, absl::StatusCode::kInvalidArgument, "found an input 'x'");
    call = garbage;
    call.outputs = {"z"};
    ExpectRefused(call, absl::StatusCode::kInvalidArgument, "found an output 'z'");
    ExpectRefused(garbage, absl::StatusCode::kInvalidArgument, "input 'p': frame checksum");
  }
  InferCall call = Garbage(Coded(codecs));
  call.codec_digest = std::string(64, 'c');
  ExpectRefused(call, absl::StatusCode::kFailedPrecondition, "found codec digest cccc");
}

TEST_F(CodecEdgeTest, AFullQueueDecodesNothing) {
  options_.models.push_back(models_.Write("slow.onnx", SlowModel(60)));
  options_.workers = 1;
  options_.queue_capacity = 0;
  Start();
  InferCall quantized = Plain();
  quantized.encode = EncodeOptions{.encoding = Encoding::kQ8};
  InferCall slow;
  slow.model = "slow";
  slow.inputs = {{"x", Tensor::Zeros(DataType::kFloat32, {kSlowSide, kSlowSide}).value()}};
  CancelToken stop;
  std::thread busy([&] {
    while (!stop.cancelled()) client_->Infer(slow, kMinuteUs, stop).IgnoreError();
  });
  bool full = false;
  for (int i = 0; i < 500 && !full; ++i) {
    const absl::Status status = Infer(Garbage(quantized)).status();
    full = absl::IsResourceExhausted(status);
    EXPECT_TRUE(full || absl::IsInvalidArgument(status)) << status;
    if (!full) absl::SleepFor(absl::Milliseconds(10));
  }
  stop.Cancel();
  busy.join();
  EXPECT_TRUE(full);
}

TEST_F(CodecEdgeTest, PushedCodecsAreCheckedServedAndKept) {
  using enum absl::StatusCode;
  const TempDir kept;
  const std::string codecs = CodecsOf(PoolModel());
  const auto push = [&](const std::string& model, const std::string& digest,
                        const std::string& bytes) {
    return client_->Push({.content = PushOffer::Content::kCodec, .name = model, .digest = digest},
                         bytes, kMinuteUs);
  };
  Start();
  EXPECT_EQ(push("pool", Sha256Hex(codecs), codecs).code(), kPermissionDenied);

  options_.allow_push = true;
  options_.push_dir = kept.path() + "/pushed";
  options_.max_push_bytes = 1 << 20;
  Start();
  const std::string other = CodecsOf(SlowModel(1));
  EXPECT_EQ(push("lake", Sha256Hex(codecs), codecs).code(), kNotFound);
  EXPECT_EQ(push("../pool", Sha256Hex(codecs), codecs).code(), kInvalidArgument);
  EXPECT_EQ(push("pool", "short", codecs).code(), kInvalidArgument);
  EXPECT_EQ(push("pool", Sha256Hex(other), codecs).code(), kInvalidArgument);
  EXPECT_EQ(push("pool", Sha256Hex("none"), "none").code(), kInvalidArgument);
  EXPECT_EQ(push("pool", Sha256Hex(other), other).code(), kFailedPrecondition);
  EXPECT_THAT(
      std::string(push("pool", Sha256Hex(codecs), std::string((1 << 20) + 1, 'x')).message()),
      HasSubstr("found codecs of 1048577 bytes, expected at most 1048576"));
  EXPECT_FALSE(std::filesystem::exists(options_.push_dir + "/pool.codec"));
  EXPECT_EQ(client_->GetModel("pool", kMinuteUs)->codec_digest, "");

  EXPECT_TRUE(push("pool", Sha256Hex(codecs), codecs).ok());
  EXPECT_TRUE(push("pool", Sha256Hex(codecs), "not sent again").ok());
  EXPECT_EQ(client_->GetModel("pool", kMinuteUs)->codec_digest, Sha256Hex(codecs));
  ExpectRuns(codecs);

  Start();
  EXPECT_EQ(client_->GetModel("pool", kMinuteUs)->codec_digest, "");
  EXPECT_TRUE(push("pool", Sha256Hex(codecs), "not sent again").ok()) << "kept from before";
  ExpectRuns(codecs);

  const std::string newer = CodecsOf(PoolModel(), 5);
  EXPECT_TRUE(push("pool", Sha256Hex(newer), newer).ok());
  ExpectRuns(newer);
  EXPECT_EQ(Infer(Coded(codecs)).status().code(), kFailedPrecondition);
}

}  // namespace
}  // namespace cleave
