#include "emulate/relay.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <list>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/host_port.h"
#include "core/status_macros.h"
#include "core/units.h"

namespace cleave::emulate {
namespace {

constexpr std::int64_t kQueueUs = 200'000;
constexpr std::int64_t kLeastQueueBytes = 64 << 10;
constexpr std::int64_t kQuantumUs = 1'000;  // What one chunk may take: the grain of the pacing.
constexpr std::int64_t kLeastChunk = 1448;
constexpr std::int64_t kLargestChunk = 64 << 10;
constexpr int kSocketBuffer = 128 << 10;

absl::StatusOr<addrinfo*> Resolve(absl::string_view what, const std::string& address, int flags) {
  CLEAVE_ASSIGN_OR_RETURN(const HostPort parts, ParseHostPort(what, address));
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const char* host = parts.host.empty() ? nullptr : parts.host.c_str();
  if (const int error = getaddrinfo(host, absl::StrCat(parts.port).c_str(), &hints, &found);
      error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": '", address, "': ", gai_strerror(error)));
  }
  return found;
}

void SetOptions(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  // A narrow link holds little: what the sender cannot put into its queue, the sender keeps.
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof(kSocketBuffer));
}

absl::StatusOr<int> Listen(const std::string& address) {
  CLEAVE_ASSIGN_OR_RETURN(addrinfo * info, Resolve("listen", address, AI_PASSIVE));
  const int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, info->ai_protocol);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const bool bound = bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, 64) == 0;
  const int error = errno;
  freeaddrinfo(info);
  if (bound) return fd;
  close(fd);
  return absl::UnavailableError(
      absl::StrCat("listen: ", address, ": ", absl::ErrnoToStatus(error, "").message()));
}

absl::StatusOr<int> Connect(const std::string& address) {
  CLEAVE_ASSIGN_OR_RETURN(addrinfo * info, Resolve("to", address, 0));
  int fd = -1;
  for (const addrinfo* at = info; at != nullptr && fd < 0; at = at->ai_next) {
    fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    SetOptions(fd);
    if (connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
      close(fd);
      fd = -1;
    }
  }
  freeaddrinfo(info);
  if (fd < 0) return absl::UnavailableError(absl::StrCat("to: ", address, ": cannot connect"));
  return fd;
}

bool WriteAll(int fd, const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    done += static_cast<std::size_t>(wrote);
  }
  return true;
}

// One direction of the link, shared by all connections.
class Direction {
 public:
  explicit Direction(const LinkShape& shape)
      : shape_(shape), shaper_(shape, Clock::Steady().NowUs()) {}

  void Set(const LinkShape& shape) {
    const absl::MutexLock lock(&mutex_);
    shape_ = shape;
    shaper_ = Shaper(shape, Clock::Steady().NowUs());
  }

  // Waits until a link that is dead lives again, then says when these bytes arrive at the other
  // end. False when `stop` was set while waiting.
  bool Deliver(std::int64_t bytes, std::int64_t ready_us, const std::atomic<bool>& stop,
               std::int64_t& deliver_us) {
    const absl::MutexLock lock(&mutex_);
    const auto go = [&]()
                        ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !shape_.dead || stop.load(); };
    mutex_.Await(absl::Condition(&go));
    if (stop.load()) return false;
    deliver_us = shaper_.Depart(WireBytes(bytes), ready_us) + shape_.delay_us;
    return true;
  }

  bool dead() {
    const absl::MutexLock lock(&mutex_);
    return shape_.dead;
  }

  // Wakes Deliver to look at its `stop`.
  void Wake() { const absl::MutexLock lock(&mutex_); }

  std::int64_t QueueBytes() { return std::max(kLeastQueueBytes, BytesIn(kQueueUs)); }
  std::int64_t ChunkBytes() { return std::clamp(BytesIn(kQuantumUs), kLeastChunk, kLargestChunk); }

  std::atomic<std::int64_t> passed_bytes{0};

 private:
  std::int64_t BytesIn(std::int64_t us) {
    const absl::MutexLock lock(&mutex_);
    const double bps = shape_.rate_bps ? *shape_.rate_bps
                       : shape_.trace  ? shape_.trace->mean_bps()
                                       : 1e9;
    return static_cast<std::int64_t>(bps / 8e6 * static_cast<double>(us));
  }

  absl::Mutex mutex_;
  LinkShape shape_ ABSL_GUARDED_BY(mutex_);
  Shaper shaper_ ABSL_GUARDED_BY(mutex_);
};

// Carries one connection's bytes one way: a thread that reads into the queue, one that writes out
// of it.
class Pump {
 public:
  Pump(int from, int to, Direction& direction) : from_(from), to_(to), direction_(direction) {
    reader_ = std::thread([this] { Read(); });
    writer_ = std::thread([this] { Write(); });
  }

  ~Pump() {
    stop_.store(true);
    shutdown(from_, SHUT_RDWR);
    shutdown(to_, SHUT_RDWR);
    direction_.Wake();
    {
      const absl::MutexLock lock(&mutex_);
      closing_ = true;
    }
    reader_.join();
    writer_.join();
  }

  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  bool done() const { return done_.load(); }
  bool broken() const { return broken_.load(); }

 private:
  struct Chunk {
    std::string bytes;  // Empty: the end of the stream.
    std::int64_t ready_us = 0;
  };

  void Read() {
    std::string block(kLargestChunk, '\0');
    for (;;) {
      const ssize_t got = recv(from_, block.data(), direction_.ChunkBytes(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) broken_.store(true);
      const std::size_t size = got > 0 ? static_cast<std::size_t>(got) : 0;
      const std::int64_t limit = direction_.QueueBytes();
      const auto room = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
        return queued_bytes_ < limit || closing_;
      };
      const absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&room));
      if (closing_) return;
      queued_bytes_ += static_cast<std::int64_t>(size);
      queue_.push_back({block.substr(0, size), Clock::Steady().NowUs()});
      if (size == 0) return;
    }
  }

  void Write() {
    for (;;) {
      Chunk chunk;
      {
        const auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
          return !queue_.empty() || closing_;
        };
        const absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(&ready));
        if (closing_) break;
        chunk = std::move(queue_.front());
        queue_.pop_front();
      }
      std::int64_t deliver_us = 0;
      const auto size = static_cast<std::int64_t>(chunk.bytes.size());
      if (!direction_.Deliver(size, chunk.ready_us, stop_, deliver_us) || !SleepUntil(deliver_us)) {
        break;
      }
      if (size == 0) {
        shutdown(to_, SHUT_WR);
        break;
      }
      if (!WriteAll(to_, chunk.bytes)) {
        broken_.store(true);
        shutdown(from_, SHUT_RD);
        break;
      }
      direction_.passed_bytes.fetch_add(size);
      const absl::MutexLock lock(&mutex_);
      queued_bytes_ -= size;
    }
    done_.store(true);
  }

  bool SleepUntil(std::int64_t until_us) {
    for (;;) {
      const std::int64_t left_us = until_us - Clock::Steady().NowUs();
      if (left_us <= 0) return !stop_.load();
      const absl::MutexLock lock(&mutex_);
      const auto closing = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return closing_; };
      if (mutex_.AwaitWithTimeout(absl::Condition(&closing), absl::Microseconds(left_us))) {
        return false;
      }
    }
  }

  const int from_;
  const int to_;
  Direction& direction_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> done_{false};
  std::atomic<bool> broken_{false};
  absl::Mutex mutex_;
  std::deque<Chunk> queue_ ABSL_GUARDED_BY(mutex_);
  std::int64_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread reader_;
  std::thread writer_;
};

struct Connection {
  int near = -1;
  int far = -1;
  std::unique_ptr<Pump> up;
  std::unique_ptr<Pump> down;

  bool done() const { return (up->done() && down->done()) || up->broken() || down->broken(); }

  ~Connection() {
    const bool reset = up != nullptr && (up->broken() || down->broken());
    up.reset();
    down.reset();
    for (const int fd : {near, far}) {
      if (fd < 0) continue;
      const linger abort{1, 0};
      if (reset) setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
      close(fd);
    }
  }
};

}  // namespace

absl::Status RelayOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(ParseHostPort("listen", listen).status());
  CLEAVE_RETURN_IF_ERROR(ParseHostPort("to", to).status());
  CLEAVE_RETURN_IF_ERROR(up.Validate());
  return down.Validate();
}

struct Relay::Impl {
  Impl(const RelayOptions& options, int fd)
      : to(options.to), listener(fd), up(options.up), down(options.down) {}

  std::string to;
  int listener;
  int port = 0;
  Direction up;
  Direction down;
  std::atomic<bool> stop{false};
  std::list<std::unique_ptr<Connection>> connections;  // The acceptor's alone.
  std::thread acceptor;

  void Accept() {
    constexpr int kPollMs = 20;
    while (!stop.load()) {
      connections.remove_if([](const auto& connection) { return connection->done(); });
      pollfd ready{listener, POLLIN, 0};
      if (poll(&ready, 1, kPollMs) <= 0 || up.dead() || down.dead()) {
        // A dead link does not answer; without this pause a waiting connection would keep poll
        // busy.
        if (ready.revents != 0) absl::SleepFor(absl::Milliseconds(kPollMs));
        continue;
      }
      auto connection = std::make_unique<Connection>();
      connection->near = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection->near < 0) continue;
      SetOptions(connection->near);
      const absl::StatusOr<int> far = Connect(to);
      if (!far.ok()) {
        close(connection->near);
        connection->near = -1;
        continue;
      }
      connection->far = *far;
      connection->up = std::make_unique<Pump>(connection->near, connection->far, up);
      connection->down = std::make_unique<Pump>(connection->far, connection->near, down);
      connections.push_back(std::move(connection));
    }
    connections.clear();
  }
};

Relay::Relay(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<Relay>> Relay::Start(const RelayOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_ASSIGN_OR_RETURN(const int listener, Listen(options.listen));
  auto impl = std::make_unique<Impl>(options, listener);
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  impl->port =
      ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                          : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
  impl->acceptor = std::thread([state = impl.get()] { state->Accept(); });
  return std::unique_ptr<Relay>(new Relay(std::move(impl)));
}

Relay::~Relay() {
  impl_->stop.store(true);
  impl_->acceptor.join();
  close(impl_->listener);
}

int Relay::port() const { return impl_->port; }

absl::Status Relay::SetShapes(const LinkShape& up, const LinkShape& down) {
  CLEAVE_RETURN_IF_ERROR(up.Validate());
  CLEAVE_RETURN_IF_ERROR(down.Validate());
  impl_->up.Set(up);
  impl_->down.Set(down);
  return absl::OkStatus();
}

std::int64_t Relay::bytes_up() const { return impl_->up.passed_bytes.load(); }
std::int64_t Relay::bytes_down() const { return impl_->down.passed_bytes.load(); }

absl::StatusOr<std::vector<ScheduleStep>> ParseSchedule(absl::string_view text) {
  std::vector<ScheduleStep> steps;
  for (const absl::string_view item : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(item, absl::MaxSplits(':', 1));
    if (parts.size() != 2) {
      return FieldError("schedule", absl::StrCat("'", item, "'"),
                        "TIME:RATE or TIME:dead, such as 10s:2mbit");
    }
    ScheduleStep step;
    CLEAVE_ASSIGN_OR_RETURN(step.at_us, ParseDurationUs(parts[0]));
    if (parts[1] == "dead") {
      step.shape.dead = true;
    } else {
      CLEAVE_ASSIGN_OR_RETURN(step.shape.rate_bps, ParseRateBps(parts[1]));
    }
    const std::int64_t before_us = steps.empty() ? -1 : steps.back().at_us;
    if (step.at_us <= before_us || (steps.empty() && step.at_us != 0)) {
      return FieldError("schedule", absl::StrCat("'", item, "'"), "times that ascend from 0");
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace cleave::emulate
