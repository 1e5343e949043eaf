#include "emulate/relay.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "core/clock.h"

namespace cleave::emulate {
namespace {

constexpr int kPatienceMs = 20'000;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() { Close(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  void Send(const std::string& bytes) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t wrote = send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (wrote <= 0) return;
      done += static_cast<std::size_t>(wrote);
    }
  }

  bool Readable(int timeout_ms) const {
    pollfd ready{fd_, POLLIN, 0};
    return poll(&ready, 1, timeout_ms) > 0;
  }

  // Up to `size` bytes; fewer at the end of the stream or when nothing comes for long.
  std::string Receive(std::size_t size) const {
    std::string bytes;
    char block[65536];
    while (bytes.size() < size && Readable(kPatienceMs)) {
      const ssize_t got = recv(fd_, block, std::min(sizeof(block), size - bytes.size()), 0);
      if (got <= 0) break;
      bytes.append(block, static_cast<std::size_t>(got));
    }
    return bytes;
  }

 private:
  int fd_;
};

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A listener, a relay to it, and one connection through the relay.
class RelayTest : public ::testing::Test {
 protected:
  RelayTest() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = Loopback(0);
    bind(listener_.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
    listen(listener_.fd(), 8);
    socklen_t size = sizeof(address);
    getsockname(listener_.fd(), reinterpret_cast<sockaddr*>(&address), &size);
    server_port_ = ntohs(address.sin_port);
  }

  void StartRelay(const LinkShape& up, const LinkShape& down) {
    auto relay =
        Relay::Start({.to = absl::StrCat("127.0.0.1:", server_port_), .up = up, .down = down});
    ASSERT_TRUE(relay.ok()) << relay.status();
    relay_ = *std::move(relay);
  }

  std::unique_ptr<Socket> Connect() const {
    auto client = std::make_unique<Socket>(socket(AF_INET, SOCK_STREAM, 0));
    const sockaddr_in address = Loopback(relay_->port());
    EXPECT_EQ(connect(client->fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    return client;
  }

  std::unique_ptr<Socket> Accept() const {
    return std::make_unique<Socket>(accept(listener_.fd(), nullptr, nullptr));
  }

  Socket listener_;
  int server_port_ = 0;
  std::unique_ptr<Relay> relay_;
};

std::string Pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 % 251);
  return bytes;
}

// Bit/s of a transfer of `size` bytes, as bytes on the wire.
double MeasureBps(const Socket& from, const Socket& to, std::size_t size) {
  const std::int64_t start_us = Clock::Steady().NowUs();
  std::thread sender([&] { from.Send(Pattern(size)); });
  const std::size_t got = to.Receive(size).size();
  const auto took_us = static_cast<double>(Clock::Steady().NowUs() - start_us);
  sender.join();
  EXPECT_EQ(got, size);
  return static_cast<double>(WireBytes(static_cast<std::int64_t>(size))) * 8e6 / took_us;
}

TEST_F(RelayTest, PassesBytesBothWaysUnchanged) {
  StartRelay({}, {});
  const auto client = Connect();
  const auto server = Accept();
  const std::string question = Pattern(300'000);
  std::thread sender([&] { client->Send(question); });
  EXPECT_EQ(server->Receive(question.size()), question);
  sender.join();
  server->Send("answer");
  EXPECT_EQ(client->Receive(6), "answer");
  // The relay counts what it has passed on, so that the client may be ahead of it.
  for (int i = 0; i < 10'000 && relay_->bytes_down() < 6; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(relay_->bytes_up(), 300'000);
  EXPECT_EQ(relay_->bytes_down(), 6);
}

TEST_F(RelayTest, PassesOnTheEndOfOneDirection) {
  StartRelay({}, {});
  const auto client = Connect();
  const auto server = Accept();
  client->Send("bye");
  shutdown(client->fd(), SHUT_WR);
  EXPECT_EQ(server->Receive(100), "bye");  // Ends by the end of the stream.
  server->Send("still here");
  EXPECT_EQ(client->Receive(10), "still here");
}

// The bound is wide: the machine is shared.
TEST_F(RelayTest, EachWayHasItsOwnRate) {
  StartRelay({.rate_bps = 4e6}, {.rate_bps = 12e6});
  const auto client = Connect();
  const auto server = Accept();
  EXPECT_NEAR(MeasureBps(*client, *server, 500'000), 4e6, 0.6e6);
  EXPECT_NEAR(MeasureBps(*server, *client, 1'500'000), 12e6, 1.8e6);
}

TEST_F(RelayTest, DelaysBothWays) {
  StartRelay({.delay_us = 60'000}, {.delay_us = 40'000});
  const auto client = Connect();
  const auto server = Accept();
  const std::int64_t start_us = Clock::Steady().NowUs();
  client->Send("ping");
  ASSERT_EQ(server->Receive(4), "ping");
  server->Send("pong");
  ASSERT_EQ(client->Receive(4), "pong");
  EXPECT_GE(Clock::Steady().NowUs() - start_us, 100'000);
}

TEST_F(RelayTest, ADeadLinkPassesNothingUntilItLivesAgain) {
  StartRelay({}, {});
  const auto client = Connect();
  const auto server = Accept();
  client->Send("a");
  ASSERT_EQ(server->Receive(1), "a");
  ASSERT_TRUE(relay_->SetShapes({.dead = true}, {.dead = true}).ok());
  client->Send("b");
  EXPECT_FALSE(server->Readable(300));
  ASSERT_TRUE(relay_->SetShapes({}, {}).ok());
  EXPECT_EQ(server->Receive(1), "b");
}

TEST_F(RelayTest, ASenderIsMadeToWait) {
  StartRelay({.rate_bps = 1e5}, {});
  const auto client = Connect();
  const auto server = Accept();
  const std::string block = Pattern(1 << 20);
  std::size_t taken = 0;
  while (taken < (std::size_t{64} << 20)) {
    pollfd ready{client->fd(), POLLOUT, 0};
    if (poll(&ready, 1, 300) <= 0) break;
    const ssize_t wrote = send(client->fd(), block.data(), block.size(), MSG_DONTWAIT);
    if (wrote > 0) taken += static_cast<std::size_t>(wrote);
  }
  EXPECT_LT(taken, std::size_t{16} << 20);  // Socket buffers and the queue, then no more.
}

TEST_F(RelayTest, StopsWhileConnectionsAreBusy) {
  StartRelay({.rate_bps = 1e5}, {});
  const auto client = Connect();
  const auto server = Accept();
  ASSERT_TRUE(relay_->SetShapes({.rate_bps = 1e5}, {.dead = true}).ok());
  client->Send(Pattern(50'000));
  server->Send("never arrives");
  relay_.reset();
  EXPECT_LT(client->Receive(100).size(), 100U);
}

TEST_F(RelayTest, ManyConnectionsShareTheLink) {
  StartRelay({}, {});
  for (int i = 0; i < 20; ++i) {
    const auto client = Connect();
    const auto server = Accept();
    client->Send(absl::StrCat("hello", i % 10));
    EXPECT_EQ(server->Receive(6), absl::StrCat("hello", i % 10));
  }
}

TEST(Relay, NamesWhatIsWrong) {
  EXPECT_FALSE(Relay::Start({.to = "nowhere"}).ok());
  EXPECT_FALSE(Relay::Start({.listen = "127.0.0.1:99999", .to = "127.0.0.1:1"}).ok());
  const auto first = Relay::Start({.to = "127.0.0.1:1"});
  ASSERT_TRUE(first.ok());
  const std::string taken = absl::StrCat("127.0.0.1:", (*first)->port());
  const auto second = Relay::Start({.listen = taken, .to = "127.0.0.1:1"});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), ::testing::HasSubstr(taken));
}

TEST(Schedule, ReadsStepsAndRefusesNonsense) {
  const auto steps = ParseSchedule("0s:50mbit,10s:2mbit,20s:dead");
  ASSERT_TRUE(steps.ok()) << steps.status();
  ASSERT_EQ(steps->size(), 3U);
  EXPECT_EQ((*steps)[1].at_us, 10'000'000);
  EXPECT_DOUBLE_EQ(*(*steps)[1].shape.rate_bps, 2e6);
  EXPECT_TRUE((*steps)[2].shape.dead);
  for (const char* bad : {"", "0s", "5s:1mbit", "0s:1mbit,0s:2mbit", "0s:fast", "x:1mbit"}) {
    EXPECT_FALSE(ParseSchedule(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace cleave::emulate
