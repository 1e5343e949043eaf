#include "app/self_check.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/host_port.h"

namespace cleave::app {
namespace {

constexpr absl::string_view kNoProtocol = "cleave knocks\n\n";

struct Freer {
  void operator()(addrinfo* found) const { freeaddrinfo(found); }
};

// A connection that has been sent something; -1 where there is none.
int Knock(const std::string& target, timeval limit) {
  const absl::StatusOr<HostPort> address = ParseHostPort("target", target);
  if (!address.ok()) return -1;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  const std::string port = absl::StrCat(address->port);
  if (getaddrinfo(address->host.c_str(), port.c_str(), &hints, &first) != 0) return -1;
  const std::unique_ptr<addrinfo, Freer> found(first);
  const int connection = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return -1;
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  if (connect(connection, found->ai_addr, found->ai_addrlen) == 0 &&
      send(connection, kNoProtocol.data(), kNoProtocol.size(), MSG_NOSIGNAL) > 0) {
    return connection;
  }
  close(connection);
  return -1;
}

// The kernel accepts connections for a server that never will, so that these alone prove nothing.
bool Answers(const SelfCheck::Options& options) {
  const timeval limit{.tv_sec = options.period_us / 1'000'000,
                      .tv_usec = options.period_us % 1'000'000};
  const int connection = Knock(options.target, limit);
  if (connection < 0) return false;
  char byte = 0;
  const bool answers = recv(connection, &byte, 1, 0) >= 0 || errno == ECONNRESET;
  close(connection);
  return answers;
}

}  // namespace

SelfCheck::SelfCheck(Options options, std::function<void()> on_stuck)
    : options_(std::move(options)), on_stuck_(std::move(on_stuck)), thread_([this] { Loop(); }) {}

SelfCheck::~SelfCheck() {
  stop_.Notify();
  thread_.join();
}

void SelfCheck::Loop() {
  int failures = 0;
  while (!stop_.WaitForNotificationWithTimeout(absl::Microseconds(options_.period_us))) {
    failures = Answers(options_) ? 0 : failures + 1;
    if (failures < options_.failures) continue;
    on_stuck_();
    return;
  }
}

std::string OwnAddress(const std::string& host, int port) {
  if (host == "0.0.0.0") return absl::StrCat("127.0.0.1:", port);
  if (host == "[::]") return absl::StrCat("[::1]:", port);
  return absl::StrCat(host, ":", port);
}

}  // namespace cleave::app
