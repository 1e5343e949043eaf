#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "cleave/edge.h"
#include "core/sha256.h"
#include "support/certificates.h"
#include "support/tiny_models.h"
#include "wire/client.h"

namespace cleave {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::AnyOf;
using testing::Authority;
using ::testing::HasSubstr;
using testing::KeyPair;
using ::testing::Not;
using testing::PoolModel;
using testing::TempDir;
using testing::WriteSecret;

constexpr std::int64_t kLongUs = 20'000'000;

InferCall Pool() {
  InferCall call;
  call.model = "pool";
  call.inputs = {
      {"x", Tensor::FromFloats({1, 3, 8, 8}, std::vector<float>(std::size_t{192}, 1.0F)).value()}};
  return call;
}

// An edge with a model "pool", and clients of it with different credentials.
class AccessTest : public ::testing::Test {
 protected:
  void Start(const std::function<void(EdgeOptions&)>& set) {
    folder_.Write("models/pool.onnx", PoolModel());
    EdgeOptions options;
    options.models = {folder_.path() + "/models"};
    options.listen = "127.0.0.1:0";
    options.push_dir = folder_.path() + "/pushed";
    options.on_call = [this](const EdgeCall& call) {
      const absl::MutexLock lock(&mutex_);
      calls_.push_back(call);
    };
    options.on_event = [this](const EdgeEvent& event) {
      const absl::MutexLock lock(&mutex_);
      events_.push_back(event);
    };
    set(options);
    absl::StatusOr<std::unique_ptr<Edge>> edge = Edge::Start(options);
    ASSERT_TRUE(edge.ok()) << edge.status();
    edge_ = *std::move(edge);
  }

  static void UseTls(const KeyPair& pair, EdgeOptions& options) {
    options.tls.certificate = pair.certificate;
    options.tls.key = pair.key;
  }

  absl::StatusOr<std::unique_ptr<EdgeClient>> ClientWith(
      const std::function<void(ClientOptions&)>& set, const std::string& host = "127.0.0.1") const {
    ClientOptions options;
    options.target = absl::StrCat(host, ":", edge_->port());
    set(options);
    return EdgeClient::Create(options);
  }

  absl::Status InferWith(const std::function<void(ClientOptions&)>& set,
                         const std::string& host = "127.0.0.1") const {
    const auto client = ClientWith(set, host);
    if (!client.ok()) return client.status();
    return (*client)->Infer(Pool(), kLongUs).status();
  }

  // As what comes with this token alone.
  absl::Status InferAs(const std::string& token) {
    const std::string file = WriteSecret(folder_, "token", token + "\n");
    return InferWith([&](ClientOptions& options) { options.token_file = file; });
  }

  std::vector<EdgeCall> calls() {
    const absl::MutexLock lock(&mutex_);
    return calls_;
  }
  std::vector<EdgeEvent> events() {
    const absl::MutexLock lock(&mutex_);
    return events_;
  }

  static std::string Line(const std::string& identity, const std::string& roles,
                          const std::string& token) {
    return absl::StrCat(identity, " ", roles, " ", Sha256Hex(token), "\n");
  }

  const TempDir folder_;
  absl::Mutex mutex_;
  std::vector<EdgeCall> calls_ ABSL_GUARDED_BY(mutex_);
  std::vector<EdgeEvent> events_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Edge> edge_;
};

TEST_F(AccessTest, TlsIsForClientsThatTrustTheEdgesAuthority) {
  const Authority authority;
  const Authority stranger("stranger");
  Start([&](EdgeOptions& options) { UseTls(authority.GiveTo("edge"), options); });
  const auto trusting = [](const Authority& whom) {
    return [&whom](ClientOptions& options) { options.tls.ca = whom.certificate(); };
  };
  EXPECT_TRUE(InferWith(trusting(authority)).ok()) << InferWith(trusting(authority));
  EXPECT_TRUE(InferWith(trusting(authority), "localhost").ok());
  const absl::Status refused = InferWith(trusting(stranger));
  EXPECT_EQ(refused.code(), StatusCode::kUnauthenticated) << refused;
  const absl::Status plain = InferWith([](ClientOptions&) {});
  EXPECT_EQ(plain.code(), StatusCode::kUnavailable) << plain;
}

TEST_F(AccessTest, ACertificateForAnotherNameIsRefused) {
  const Authority authority;
  Start([&](EdgeOptions& options) {
    UseTls(authority.Give({.name = "elsewhere", .alternative_names = "DNS:elsewhere.example"}),
           options);
  });
  const absl::Status refused =
      InferWith([&](ClientOptions& options) { options.tls.ca = authority.certificate(); });
  EXPECT_EQ(refused.code(), StatusCode::kUnauthenticated) << refused;
}

TEST_F(AccessTest, ASelfSignedCertificateIsTrustedByNobodyElse) {
  const Authority authority;
  const Authority self_signed("localhost");
  Start([&](EdgeOptions& options) {
    UseTls({self_signed.certificate(), self_signed.key()}, options);
  });
  const absl::Status refused =
      InferWith([&](ClientOptions& options) { options.tls.ca = authority.certificate(); });
  EXPECT_EQ(refused.code(), StatusCode::kUnauthenticated) << refused;
}

TEST_F(AccessTest, AnEdgeDoesNotStartWithFilesThatCannotWork) {
  const Authority authority;
  const KeyPair edge = authority.GiveTo("edge");
  const KeyPair other = authority.GiveTo("other");
  const KeyPair expired = authority.Give({.name = "expired", .days = -1});
  folder_.Write("models/pool.onnx", PoolModel());
  const auto problem = [&](const std::function<void(EdgeOptions&)>& set) {
    EdgeOptions options;
    options.models = {folder_.path() + "/models"};
    options.listen = "127.0.0.1:0";
    set(options);
    return std::string(Edge::Start(options).status().message());
  };
  EXPECT_THAT(problem([&](EdgeOptions& o) {
                UseTls({edge.certificate, other.key}, o);
              }),
              HasSubstr("the key of another certificate"));
  EXPECT_THAT(problem([&](EdgeOptions& o) { UseTls(expired, o); }), HasSubstr("has expired"));
  EXPECT_THAT(problem([&](EdgeOptions& o) { o.tls.certificate = edge.certificate; }),
              HasSubstr("tls_key: found none"));
  EXPECT_THAT(problem([&](EdgeOptions& o) { o.tls.ca = authority.certificate(); }),
              HasSubstr("tls_client_ca: found no tls_cert"));
  EXPECT_THAT(problem([&](EdgeOptions& o) {
                UseTls(edge, o);
                o.tls.ca = folder_.path() + "/none";
              }),
              HasSubstr("none"));
  EXPECT_THAT(
      problem([&](EdgeOptions& o) { o.token_file = folder_.Write("open", "a infer cert:b"); }),
      HasSubstr("found mode"));
}

TEST_F(AccessTest, PlainTextIsForThisMachineUnlessItIsSaid) {
  EdgeOptions options;
  options.models = {"x.onnx"};
  options.listen = "0.0.0.0:0";
  EXPECT_THAT(options.Validate().message(),
              AllOf(HasSubstr("without TLS"), HasSubstr("--insecure")));
  for (const char* local : {"127.0.0.1:0", "localhost:0", "[::1]:0", "127.1.2.3:0"}) {
    options.listen = local;
    EXPECT_TRUE(options.Validate().ok()) << local;
  }
  for (const char* open : {"192.0.2.1:0", "[::]:0", "host:0", "127.example.com:0"}) {
    options.listen = open;
    options.insecure = false;
    EXPECT_FALSE(options.Validate().ok()) << open;
    options.insecure = true;
    EXPECT_TRUE(options.Validate().ok()) << open;
  }
}

TEST_F(AccessTest, MutualTlsAsksForACertificateOfItsAuthorities) {
  const Authority authority;
  const Authority clients("clients");
  const Authority strangers("strangers");
  Start([&](EdgeOptions& options) {
    UseTls(authority.GiveTo("edge"), options);
    options.tls.ca = clients.certificate();
  });
  const auto showing = [&](const KeyPair& pair) {
    return [&authority, pair](ClientOptions& options) {
      options.tls = {pair.certificate, pair.key, authority.certificate()};
    };
  };
  const absl::Status good = InferWith(
      showing(clients.Give({.name = "camera", .alternative_names = "DNS:camera.example"})));
  EXPECT_TRUE(good.ok()) << good;
  EXPECT_EQ(calls().back().identity, "camera.example");
  EXPECT_EQ(calls().back().peer, "127.0.0.1");
  const std::size_t answered = calls().size();
  for (const auto& [name, set] :
       std::vector<std::pair<std::string, std::function<void(ClientOptions&)>>>{
           {"a stranger's", showing(strangers.GiveTo("camera"))},
           {"none", showing({})},
           {"one of the edge's authority", showing(authority.GiveTo("other"))}}) {
    const absl::Status refused = InferWith(set);
    EXPECT_THAT(refused.code(), AnyOf(StatusCode::kUnauthenticated, StatusCode::kUnavailable))
        << name << ": " << refused;
  }
  // One that has expired does not even leave the client.
  const absl::Status expired = InferWith(showing(clients.Give({.name = "old", .days = -1})));
  EXPECT_THAT(expired.message(), HasSubstr("has expired"));
  EXPECT_EQ(calls().size(), answered);
}

TEST_F(AccessTest, RenewedFilesAreTakenUpWithoutARestart) {
  const Authority before;
  const Authority after("the next authority");
  const KeyPair in_use = before.GiveTo("edge");
  Start([&](EdgeOptions& options) { UseTls(in_use, options); });
  const auto trusting = [](const Authority& whom) {
    return [&whom](ClientOptions& options) { options.tls.ca = whom.certificate(); };
  };
  // A connection that stands goes on.
  const auto standing = ClientWith(trusting(before)).value();
  EXPECT_TRUE(standing->Infer(Pool(), kLongUs).ok());
  EXPECT_EQ(InferWith(trusting(after)).code(), StatusCode::kUnauthenticated);
  testing::Renew(in_use, after.GiveTo("edge"));
  absl::Status status = absl::UnknownError("not tried");
  for (int i = 0; i < 100 && !status.ok(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    status = InferWith(trusting(after));
  }
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(InferWith(trusting(before)).code(), StatusCode::kUnauthenticated);
  EXPECT_TRUE(standing->Infer(Pool(), kLongUs).ok());
}

TEST_F(AccessTest, TokensSayWhoMayDoWhat) {
  const std::string list = WriteSecret(
      folder_, "list", Line("camera", "infer", "c") + Line("installer", "infer,profile,push", "i"));
  Start([&](EdgeOptions& options) {
    options.token_file = list;
    options.allow_push = true;
  });
  const auto code_of = [&](const std::string& token,
                           const std::function<absl::Status(EdgeClient&)>& act) {
    const std::string file = WriteSecret(folder_, "token", token);
    const auto client = ClientWith([&](ClientOptions& o) { o.token_file = file; });
    return act(**client).code();
  };
  const std::string model = PoolModel();
  const auto infer = [](EdgeClient& edge) { return edge.Infer(Pool(), kLongUs).status(); };
  const auto profile = [](EdgeClient& edge) {
    return edge.GetProfile("pool", "", 0, {}, kLongUs).status();
  };
  const auto push = [&](EdgeClient& edge) {
    return edge.Push({.name = "again", .digest = Sha256Hex(model)}, model, kLongUs);
  };
  const auto look = [](EdgeClient& edge) { return edge.GetStatus(kLongUs).status(); };
  const auto probe = [](EdgeClient& edge) { return edge.Probe(10, 10, kLongUs).status(); };
  for (const auto& act :
       std::vector<std::function<absl::Status(EdgeClient&)>>{infer, look, probe}) {
    EXPECT_EQ(code_of("c", act), StatusCode::kOk);
    EXPECT_EQ(code_of("i", act), StatusCode::kOk);
    EXPECT_EQ(code_of("wrong", act), StatusCode::kUnauthenticated);
  }
  for (const auto& act : std::vector<std::function<absl::Status(EdgeClient&)>>{profile, push}) {
    EXPECT_EQ(code_of("c", act), StatusCode::kPermissionDenied);
    EXPECT_EQ(code_of("i", act), StatusCode::kOk);
    EXPECT_EQ(code_of("wrong", act), StatusCode::kUnauthenticated);
  }
  // Without any token.
  const absl::Status none = InferWith([](ClientOptions&) {});
  EXPECT_EQ(none.code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(calls().back().refusal, Refusal::kUnauthenticated);
  // Whoever did something is named.
  const std::vector<EdgeEvent> all = events();
  const auto pushed = std::find_if(all.begin(), all.end(), [](const EdgeEvent& event) {
    return event.kind == EdgeEventKind::kPush;
  });
  ASSERT_NE(pushed, all.end());
  EXPECT_EQ(pushed->identity, "installer");
  EXPECT_EQ(pushed->peer, "127.0.0.1");
}

TEST_F(AccessTest, ATokenIsTakenAwayAndGivenWithoutARestart) {
  const std::string list = WriteSecret(folder_, "list", Line("camera", "infer", "old"));
  Start([&](EdgeOptions& options) { options.token_file = list; });
  EXPECT_TRUE(InferAs("old").ok());
  EXPECT_EQ(InferAs("new").code(), StatusCode::kUnauthenticated);
  // The same client takes up its own renewed token.
  const std::string file = WriteSecret(folder_, "own", "old");
  const auto client = ClientWith([&](ClientOptions& o) { o.token_file = file; }).value();
  EXPECT_TRUE(client->Infer(Pool(), kLongUs).ok());
  WriteSecret(folder_, "list", Line("camera", "infer", "new"));
  for (int i = 0; i < 100 && InferAs("old").ok(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(client->Infer(Pool(), kLongUs).status().code(), StatusCode::kUnauthenticated);
  WriteSecret(folder_, "own", "new");
  EXPECT_TRUE(client->Infer(Pool(), kLongUs).ok());
  EXPECT_EQ(InferAs("old").code(), StatusCode::kUnauthenticated);
}

TEST_F(AccessTest, ATokenDoesNotLeaveInPlainText) {
  ClientOptions options;
  options.target = "192.0.2.1:8001";
  options.token_file = WriteSecret(folder_, "token", "secret");
  EXPECT_THAT(options.Validate().message(), HasSubstr("without TLS"));
  options.insecure = true;
  EXPECT_TRUE(options.Validate().ok());
  options.insecure = false;
  options.tls.ca = "ca.pem";
  EXPECT_TRUE(options.Validate().ok());
  options.target = "127.0.0.1:8001";
  options.tls.ca = "";
  EXPECT_TRUE(options.Validate().ok());
  // A file that cannot be one is known before anything is sent.
  options.token_file = WriteSecret(folder_, "blank", " \n");
  EXPECT_THAT(EdgeClient::Create(options).status().message(), HasSubstr("expected a token"));
  options.token_file = folder_.Write("open", "secret");
  EXPECT_THAT(EdgeClient::Create(options).status().message(), HasSubstr("found mode"));
}

TEST_F(AccessTest, NoPathOfTheServerLeavesIt) {
  folder_.Write("models/half.onnx", PoolModel().substr(0, 50));
  Start([&](EdgeOptions& options) { options.allow_push = true; });
  const auto client = ClientWith([](ClientOptions&) {}).value();
  InferCall half = Pool();
  half.model = "half";
  const absl::Status infer = client->Infer(half, kLongUs).status();
  EXPECT_EQ(infer.code(), StatusCode::kFailedPrecondition);
  const std::string broken = "no model";
  const std::vector<absl::Status> told = {
      infer, client->GetModel("half", kLongUs).status(),
      client->GetProfile("half", "", 0, {}, kLongUs).status(),
      client->Push({.name = "broken", .digest = Sha256Hex(broken)}, broken, kLongUs)};
  for (const absl::Status& status : told) {
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr(folder_.path())));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("/tmp")));
  }
  EXPECT_THAT(std::string(infer.message()), HasSubstr("half.onnx"));
  // The operator sees it whole.
  bool whole = false;
  for (const EdgeEvent& event : events()) {
    whole |= event.error.find(folder_.path() + "/models/half.onnx") != std::string::npos;
  }
  EXPECT_TRUE(whole);
}

}  // namespace
}  // namespace cleave
