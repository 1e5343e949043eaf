// `cleave serve` as a process.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/serve_process.h"
#include "support/tiny_models.h"
#include "wire/client.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;
using testing::kSlowSide;
using testing::PoolModel;
using testing::ServeProcess;
using testing::SlowModel;
using testing::TempDir;

constexpr std::int64_t kMinuteUs = 60'000'000;

std::unique_ptr<EdgeClient> ClientOf(const std::string& target) {
  ClientOptions options;
  options.target = target;
  return EdgeClient::Create(options).value();
}

InferCall Pool() {
  InferCall call;
  call.model = "pool";
  call.inputs = {{"x", Tensor::Zeros(DataType::kFloat32, {1, 3, 8, 8}).value()}};
  return call;
}

InferCall Slow() {
  InferCall call;
  call.model = "slow";
  call.inputs = {{"x", Tensor::Zeros(DataType::kFloat32, {kSlowSide, kSlowSide}).value()}};
  return call;
}

class ServeTest : public ::testing::Test {
 protected:
  void SetUp() override { folder_.Write("pool.onnx", PoolModel()); }
  std::vector<std::string> Args(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = {"--models", folder_.path(), "--listen", "127.0.0.1:0"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  // The signal, while requests run.
  void ExpectDrains(int signal);
  TempDir folder_;
};

void ServeTest::ExpectDrains(int signal) {
  folder_.Write("slow.onnx", SlowModel(100));
  ServeProcess process(Args({"--drain", "60s"}));
  ASSERT_FALSE(process.target().empty()) << process.errors();
  const auto client = ClientOf(process.target());
  std::vector<std::thread> callers;
  callers.reserve(8);
  std::atomic<int> fine = 0;
  for (int i = 0; i < 2; ++i) {
    callers.emplace_back([&] {
      const auto done = ClientOf(process.target())->Infer(Slow(), kMinuteUs);
      EXPECT_TRUE(done.ok()) << done.status();
      fine += done.ok() ? 1 : 0;
    });
  }
  const auto taken = [&] {
    const absl::StatusOr<EdgeStatus> status = client->GetStatus(kMinuteUs);
    return !status.ok() || status->queued + status->running + status->completed >= 2;
  };
  while (!taken()) std::this_thread::yield();
  process.Signal(signal);
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(fine, 2);
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_EQ(client->GetStatus(1'000'000).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ServeTest, SigtermLetsARunningRequestEndAndExitsCleanly) { ExpectDrains(SIGTERM); }

TEST_F(ServeTest, SighupLetsARunningRequestEndAndExitsCleanly) { ExpectDrains(SIGHUP); }

TEST_F(ServeTest, UnderNohupItStaysWhenTheTerminalGoes) {
  std::signal(SIGHUP, SIG_IGN);
  ServeProcess process(Args());
  std::signal(SIGHUP, SIG_DFL);
  ASSERT_FALSE(process.target().empty()) << process.errors();
  process.Signal(SIGHUP);
  EXPECT_TRUE(ClientOf(process.target())->Infer(Pool(), kMinuteUs).ok());
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0);
}

TEST_F(ServeTest, ItServesOnWhenNobodyReadsItsLog) {
  ServeProcess process(Args({"--verbose"}), ServeProcess::Errors::kNobody);
  ASSERT_FALSE(process.target().empty());
  const auto client = ClientOf(process.target());
  for (int i = 0; i < 3; ++i) {
    const auto done = client->Infer(Pool(), kMinuteUs);
    ASSERT_TRUE(done.ok()) << done.status();
  }
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0);
}

TEST_F(ServeTest, NamesFromTheNetworkStayInTheirPartOfOneLine) {
  for (const char* format : {"--verbose", "--json-log"}) {
    ServeProcess process(Args({format}));
    ASSERT_FALSE(process.target().empty()) << process.errors();
    InferCall call = Pool();
    call.model = "a\n2000-01-01 00:00:00.000 info infer pool\x1b[2J" + std::string(20 << 20, 'x');
    EXPECT_FALSE(ClientOf(process.target())->Infer(call, kMinuteUs).ok());
    process.Signal(SIGTERM);
    EXPECT_EQ(process.Wait(), 0);
    const std::string log = process.errors();
    EXPECT_THAT(log, HasSubstr("a\\n2000-01-01")) << format;
    EXPECT_EQ(log.find('\x1b'), std::string::npos) << format;
    EXPECT_EQ(log.find("\n2000-01-01"), std::string::npos) << format;
    EXPECT_LT(log.size(), 10'000U) << format;
  }
}

TEST_F(ServeTest, APortThatIsNoneIsRefused) {
  for (const char* listen : {"localhost:99999", "localhost:65536", "localhost:80x", ":8001"}) {
    ServeProcess process({folder_.path(), "--listen", listen});
    EXPECT_TRUE(process.target().empty()) << listen;
    EXPECT_EQ(process.Wait(), 1) << listen;
    EXPECT_THAT(process.errors(),
                HasSubstr(std::string("listen: found '") + listen + "', expected HOST:PORT"));
  }
}

TEST_F(ServeTest, WhileDrainingItIsNotReadyAndTakesNothingNew) {
  folder_.Write("slow.onnx", SlowModel(400));
  ServeProcess process(Args({"--drain", "60s"}));
  ASSERT_FALSE(process.target().empty()) << process.errors();
  const auto client = ClientOf(process.target());
  std::thread caller([&] {
    const auto done = ClientOf(process.target())->Infer(Slow(), kMinuteUs);
    EXPECT_TRUE(done.ok()) << done.status();
  });
  while (client->GetStatus(kMinuteUs)->running == 0) std::this_thread::yield();
  process.Signal(SIGINT);
  absl::StatusOr<EdgeStatus> status = client->GetStatus(kMinuteUs);
  while (status.ok() && !status->draining) status = client->GetStatus(kMinuteUs);
  EXPECT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(client->Infer(Pool(), kMinuteUs).status().code(), absl::StatusCode::kUnavailable);
  caller.join();
  EXPECT_EQ(process.Wait(), 0);
}

TEST_F(ServeTest, APortInUseIsAClearError) {
  ServeProcess first(Args());
  ASSERT_FALSE(first.target().empty()) << first.errors();
  ServeProcess second({folder_.path(), "--listen", first.target()});
  EXPECT_TRUE(second.target().empty());
  EXPECT_EQ(second.Wait(), 1);
  EXPECT_THAT(second.errors(), HasSubstr("cannot listen on " + first.target()));
  EXPECT_TRUE(ClientOf(first.target())->Infer(Pool(), kMinuteUs).ok());
}

TEST_F(ServeTest, ABadModelIsAClearError) {
  const TempDir other;
  ServeProcess process(Args({other.Write("half.onnx", PoolModel().substr(0, 50))}));
  EXPECT_TRUE(process.target().empty());
  EXPECT_EQ(process.Wait(), 1);
  EXPECT_THAT(process.errors(), HasSubstr("half.onnx"));
}

TEST_F(ServeTest, ABadModelInAFolderIsLoudAndTheOthersAreServed) {
  folder_.Write("half.onnx", PoolModel().substr(0, 50));
  ServeProcess process(Args());
  ASSERT_FALSE(process.target().empty()) << process.errors();
  EXPECT_TRUE(ClientOf(process.target())->Infer(Pool(), kMinuteUs).ok());
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_THAT(process.errors(), ::testing::ContainsRegex("load half: .*half.onnx"));
}

TEST_F(ServeTest, BadFlagsAreErrors) {
  for (const std::vector<std::string>& more : {std::vector<std::string>{"--max-message", "lots"},
                                               {"--workers", "0"},
                                               {"--cuts", "some"},
                                               {"--provider", "Abacus"},
                                               {"--drain", "later"}}) {
    ServeProcess process(Args(more));
    EXPECT_EQ(process.Wait(), 1) << more[0];
    EXPECT_THAT(process.errors(), HasSubstr("cleave: ")) << more[0];
  }
  ServeProcess nowhere({folder_.path(), "--listen", "nowhere"});
  EXPECT_EQ(nowhere.Wait(), 1);
  EXPECT_THAT(nowhere.errors(), HasSubstr("found 'nowhere', expected HOST:PORT"));
  ServeProcess unknown(Args({"--frobnicate"}));
  EXPECT_EQ(unknown.Wait(), 2);
}

TEST_F(ServeTest, JsonLogHasOneObjectALine) {
  ServeProcess process(Args({"--json-log"}));
  ASSERT_FALSE(process.target().empty()) << process.errors();
  const auto client = ClientOf(process.target());
  ASSERT_TRUE(client->Infer(Pool(), kMinuteUs).ok());
  InferCall wrong = Pool();
  wrong.model = "no \"such\"\nmodel";
  EXPECT_FALSE(client->Infer(wrong, kMinuteUs).ok());
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0);
  std::istringstream lines(process.errors());
  std::vector<std::string> events;
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json parsed = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(parsed.is_object()) << line;
    EXPECT_TRUE(parsed.contains("time_us"));
    events.push_back(parsed["event"]);
    if (parsed["event"] == "error") {
      EXPECT_EQ(parsed["model"], wrong.model);
    }
  }
  for (const char* event : {"load", "listening", "infer", "error", "drain", "stopped"}) {
    EXPECT_THAT(events, ::testing::Contains(event));
  }
}

TEST_F(ServeTest, GarbageAndHalfAFrameDoNotHurtIt) {
  ServeProcess process(Args());
  ASSERT_FALSE(process.target().empty()) << process.errors();
  const int port = std::stoi(process.target().substr(process.target().rfind(':') + 1));
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (const std::string& bytes :
       {std::string(100'000, '\xa5'), std::string("GET / HTTP/1.1\r\n\r\n"), preface,
        preface + std::string("\0\0\0\4\0\0\0\0\0\0\0\x40\1\4\0\0\0\1\x82", 19)}) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_GT(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), 0);
    close(fd);
  }
  EXPECT_TRUE(ClientOf(process.target())->Infer(Pool(), kMinuteUs).ok());
}

TEST_F(ServeTest, KilledAndStartedAgainItIsFoundAgain) {
  auto process = std::make_unique<ServeProcess>(Args());
  const std::string target = process->target();
  ASSERT_FALSE(target.empty()) << process->errors();
  const auto client = ClientOf(target);
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(client->Infer(Pool(), kMinuteUs).ok());
    process->Signal(SIGKILL);
    EXPECT_EQ(process->Wait(), -SIGKILL);
    EXPECT_FALSE(client->Infer(Pool(), 5'000'000).ok());
    process = std::make_unique<ServeProcess>(
        std::vector<std::string>{folder_.path(), "--listen", target});
    ASSERT_EQ(process->target(), target) << process->errors();
    absl::Status status = absl::UnknownError("not tried");
    for (int i = 0; i < 100 && !status.ok(); ++i) {
      status = client->Infer(Pool(), 5'000'000).status();
      if (!status.ok()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ASSERT_TRUE(status.ok()) << status;
  }
}

}  // namespace
}  // namespace cleave
