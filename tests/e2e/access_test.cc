#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/sha256.h"
#include "e2e/processes.h"
#include "support/certificates.h"

namespace cleave {
namespace {

using testing::Authority;
using ::testing::HasSubstr;
using testing::Json;
using testing::KeyPair;
using testing::kLong;
using testing::PoolModel;
using testing::RunOutput;
using ::testing::StartsWith;

// Device and edge as processes that show each other who they are.
class AccessTest : public testing::ProcessTest {
 protected:
  AccessTest() : model_(folder_.Write("pool.onnx", PoolModel())) {
    edge_pair_ = authority_.GiveTo("edge");
    token_ = testing::WriteSecret(folder_, "token", "a-token\n");
    list_ = testing::WriteSecret(folder_, "list",
                                 "camera infer,profile " + Sha256Hex("a-token") + "\n");
  }

  std::pair<std::unique_ptr<emulate::Process>, std::string> ServeSecurely(
      const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags = {
        "--tls-cert", edge_pair_.certificate, "--tls-key", edge_pair_.key, "--token-file",
        list_,        "--audit-log",          audit()};
    flags.insert(flags.end(), more.begin(), more.end());
    return Serve(model_, "127.0.0.1:0", flags);
  }

  RunOutput RunFor(const std::string& target, const std::string& duration,
                   const std::vector<std::string>& credentials) {
    std::vector<std::string> flags = {"--edge",     target,   "--policy",   "edge",
                                      "--duration", duration, "--interval", "20ms"};
    flags.insert(flags.end(), credentials.begin(), credentials.end());
    return Run(model_, flags);
  }

  std::string audit() const { return folder_.path() + "/audit"; }
  std::vector<Json> AuditLines(const std::string& action) const {
    std::vector<Json> lines;
    std::ifstream file(audit());
    for (std::string line; std::getline(file, line);) {
      Json json = Json::parse(line);
      if (json["action"] == action) lines.push_back(std::move(json));
    }
    return lines;
  }

  // Everything was answered, by the device, which says why.
  void ExpectAlone(const RunOutput& output, const std::string& reason) const {
    EXPECT_EQ(output.exit_code, 0);
    ASSERT_GT(output.records.size(), 20U) << LastErrors();
    EXPECT_EQ(output.CountWhere("device"), static_cast<std::int64_t>(output.records.size()));
    for (const std::string& fallback : output.Fallbacks())
      EXPECT_THAT(fallback, StartsWith(reason));
    EXPECT_EQ(output.Fallbacks().size(), output.records.size());
    const std::string errors = LastErrors();
    const std::size_t first = errors.find(reason);
    EXPECT_NE(first, std::string::npos) << errors;
    EXPECT_EQ(errors.find(reason, first + 1), std::string::npos) << errors;
  }

  const Authority authority_;
  const std::string model_;
  KeyPair edge_pair_;
  std::string token_;
  std::string list_;
};

TEST_F(AccessTest, ADeviceWithTheRightCredentialsIsServed) {
  const auto [edge, target] = ServeSecurely({"--audit-inferences", "--self-check", "100ms"});
  const RunOutput output =
      RunFor(target, "2s", {"--tls-ca", authority_.certificate(), "--token-file", token_});
  EXPECT_EQ(output.exit_code, 0);
  ASSERT_GT(output.records.size(), 20U) << LastErrors();
  EXPECT_EQ(output.CountWhere("edge"), static_cast<std::int64_t>(output.records.size()));
  const std::vector<Json> inferred = AuditLines("infer");
  ASSERT_EQ(inferred.size(), output.records.size());
  EXPECT_EQ(inferred[0]["identity"], "camera");
  EXPECT_EQ(inferred[0]["peer"], "127.0.0.1");
  EXPECT_EQ(AuditLines("refused").size(), 0U);
  // It has connected to itself some twenty times by now, and does not take TLS for being stuck.
  EXPECT_TRUE(edge->running());
  edge->Signal(SIGTERM);
  EXPECT_EQ(edge->Wait(kLong).value_or(-1), 0);
}

TEST_F(AccessTest, ADeviceWithAWrongTokenGoesOnAloneSaysSoOnceAndDoesNotHammer) {
  const auto [edge, target] = ServeSecurely();
  const std::string wrong = testing::WriteSecret(folder_, "wrong", "another-token");
  const RunOutput output =
      RunFor(target, "4s", {"--tls-ca", authority_.certificate(), "--token-file", wrong});
  ExpectAlone(output, "credentials refused: the token");
  const std::vector<Json> refused = AuditLines("refused");
  EXPECT_GE(refused.size(), 1U);
  EXPECT_LE(refused.size(), 2U);
  EXPECT_EQ(refused.at(0)["reason"], "unauthenticated");
  EXPECT_TRUE(refused.at(0)["identity"].is_null());
}

TEST_F(AccessTest, ADeviceThatDoesNotTrustTheEdgeGoesOnAlone) {
  const auto [edge, target] = ServeSecurely();
  const Authority other("another authority");
  const RunOutput output =
      RunFor(target, "2s", {"--tls-ca", other.certificate(), "--token-file", token_});
  ExpectAlone(output, "credentials refused: ");
  EXPECT_EQ(AuditLines("refused").size(), 0U);
}

TEST_F(AccessTest, ADeviceWithoutACertificateThatAnEdgeAsksForGoesOnAlone) {
  const auto [edge, target] = ServeSecurely({"--tls-client-ca", authority_.certificate()});
  const RunOutput output =
      RunFor(target, "2s", {"--tls-ca", authority_.certificate(), "--token-file", token_});
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_EQ(output.CountWhere("device"), static_cast<std::int64_t>(output.records.size()));
  const KeyPair camera = authority_.GiveTo("camera");
  const RunOutput good = RunFor(target, "1s",
                                {"--tls-ca", authority_.certificate(), "--token-file", token_,
                                 "--tls-cert", camera.certificate, "--tls-key", camera.key});
  EXPECT_EQ(good.CountWhere("edge"), static_cast<std::int64_t>(good.records.size()));
}

TEST_F(AccessTest, ADeviceWhoseTokenIsTakenAwayGoesOnAndIsTakenBack) {
  const auto [edge, target] = ServeSecurely();
  const auto run =
      StartRun(model_, {"--edge", target, "--policy", "edge", "--duration", "600s", "--interval",
                        "20ms", "--tls-ca", authority_.certificate(), "--token-file", token_});
  RunOutput output;
  ReadUntil("edge", *run, output);
  testing::WriteSecret(folder_, "list", "camera infer,profile " + Sha256Hex("the-next") + "\n");
  ReadUntil("device", *run, output);
  EXPECT_THAT(output.records.back()["fallback"].get<std::string>(),
              StartsWith("credentials refused: the token"));
  testing::WriteSecret(folder_, "token", "the-next\n");
  ReadUntil("edge", *run, output);
  Interrupt(*run, output);
  EXPECT_EQ(output.exit_code, 0);
  ASSERT_EQ(AuditLines("access").size(), 1U);
  const std::string errors = LastErrors();
  const std::size_t first = errors.find("credentials refused: the token");
  EXPECT_NE(first, std::string::npos) << errors;
  EXPECT_EQ(errors.find("credentials refused", first + 1), std::string::npos) << errors;
}

TEST_F(AccessTest, ADeviceThatMayOnlyInferDoesSoWithoutAProfile) {
  testing::WriteSecret(folder_, "list", "camera infer " + Sha256Hex("a-token") + "\n");
  const auto [edge, target] = ServeSecurely();
  const RunOutput output =
      RunFor(target, "2s", {"--tls-ca", authority_.certificate(), "--token-file", token_});
  EXPECT_EQ(output.CountWhere("edge"), static_cast<std::int64_t>(output.records.size()));
  EXPECT_EQ(AuditLines("refused").size(), 1U);
}

TEST_F(AccessTest, PlainTextForOtherMachinesHasToBeAskedFor) {
  const auto refused = Start({"serve", model_, "--listen", "0.0.0.0:0"});
  EXPECT_EQ(refused->Wait(kLong).value_or(-1), 1);
  EXPECT_THAT(LastErrors(), HasSubstr("listen: found '0.0.0.0:0' without TLS"));
  const auto [open, target] = Serve(model_, "0.0.0.0:0", {"--insecure"});
  EXPECT_THAT(target, StartsWith("0.0.0.0:"));
}

TEST_F(AccessTest, ADeviceIsToldOfFilesThatItCannotUse) {
  for (const auto& [flags, said] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--tls-ca", folder_.path() + "/none"}, "none"},
           {{"--tls-ca", model_}, "found no certificate"},
           {{"--token-file", folder_.path() + "/none"}, "none"},
           {{"--tls-cert", edge_pair_.certificate}, "tls_key: found none"}}) {
    std::vector<std::string> all = {"--edge", "127.0.0.1:1"};
    all.insert(all.end(), flags.begin(), flags.end());
    const RunOutput output = Run(model_, all);
    EXPECT_EQ(output.exit_code, 1);
    EXPECT_THAT(LastErrors(), HasSubstr(said));
  }
}

}  // namespace
}  // namespace cleave
