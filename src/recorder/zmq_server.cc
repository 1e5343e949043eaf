#include "recorder/zmq_server.h"

#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/check.h"
#include "core/printable.h"
#include "core/status_macros.h"

namespace cleave::recorder {
namespace {

constexpr int kMostWorkers = 64;
constexpr int kMessagesOfPeer = 2;
constexpr int kLingerMs = 1000;
constexpr std::size_t kMostFrames = 8;
constexpr char kWakeEndpoint[] = "inproc://wake";

absl::Status ZmqError(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", zmq_strerror(zmq_errno())));
}

struct CloseContext {
  void operator()(void* context) const { zmq_ctx_term(context); }
};
using Context = std::unique_ptr<void, CloseContext>;

struct CloseSocket {
  void operator()(void* socket) const { zmq_close(socket); }
};
using Socket = std::unique_ptr<void, CloseSocket>;

// One frame of a message.
class Frame {
 public:
  Frame() { zmq_msg_init(&message_); }
  ~Frame() { zmq_msg_close(&message_); }
  Frame(Frame&& other) noexcept : Frame() { zmq_msg_move(&message_, &other.message_); }
  Frame& operator=(Frame&& other) noexcept {
    zmq_msg_move(&message_, &other.message_);
    return *this;
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  zmq_msg_t* get() { return &message_; }
  bool more() { return zmq_msg_more(&message_) != 0; }
  absl::string_view bytes() {
    return {static_cast<const char*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }

 private:
  zmq_msg_t message_{};
};

// A request, or its answer in `body`, with the frames that lead back to its sender.
struct Job {
  std::vector<Frame> envelope;
  std::vector<Frame> frames;
  std::string answer;
};

bool SendFrame(void* socket, absl::string_view bytes, int flags) {
  return zmq_send(socket, bytes.data(), bytes.size(), flags) >= 0;
}

// Nothing where no whole message is there.
std::optional<std::vector<Frame>> Receive(void* router) {
  std::vector<Frame> frames;
  bool more = true;
  while (more) {
    Frame frame;
    if (zmq_msg_recv(frame.get(), router, ZMQ_DONTWAIT) < 0) return std::nullopt;
    more = frame.more();
    // The rest of a message has to be read all the same.
    if (frames.size() <= kMostFrames) frames.push_back(std::move(frame));
  }
  return frames;
}

// The envelope of a REQ socket ends with an empty frame.
std::optional<Job> JobOf(std::vector<Frame> frames) {
  if (frames.size() > kMostFrames) return std::nullopt;
  const auto end = std::find_if(frames.begin() + 1, frames.end(),
                                [](Frame& frame) { return frame.bytes().empty(); });
  if (end == frames.end() || end + 1 == frames.end()) return std::nullopt;
  Job job;
  std::move(frames.begin(), end + 1, std::back_inserter(job.envelope));
  std::move(end + 1, frames.end(), std::back_inserter(job.frames));
  return job;
}

class Server final : public ZmqServer {
 public:
  Server(const ZmqServerOptions& options, Answer answer)
      : options_(options), answer_(std::move(answer)) {}

  ~Server() override {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    for (std::thread& worker : workers_) worker.join();
    {
      absl::MutexLock lock(&mutex_);
      finished_ = true;
    }
    if (wake_from_) Wake();
    if (io_.joinable()) io_.join();
  }

  absl::Status Open() {
    context_.reset(zmq_ctx_new());
    if (!context_) return ZmqError("zmq");
    CLEAVE_ASSIGN_OR_RETURN(router_, Listen());
    wake_to_.reset(zmq_socket(context_.get(), ZMQ_PAIR));
    wake_from_.reset(zmq_socket(context_.get(), ZMQ_PAIR));
    if (!wake_to_ || !wake_from_ || zmq_bind(wake_to_.get(), kWakeEndpoint) != 0 ||
        zmq_connect(wake_from_.get(), kWakeEndpoint) != 0) {
      return ZmqError("zmq");
    }
    for (int i = 0; i < options_.workers; ++i) workers_.emplace_back([this] { Work(); });
    io_ = std::thread([this] { Carry(); });
    return absl::OkStatus();
  }

  const std::string& endpoint() const override { return endpoint_; }

 private:
  absl::StatusOr<Socket> Listen() {
    Socket router(zmq_socket(context_.get(), ZMQ_ROUTER));
    if (!router) return ZmqError(options_.endpoint);
    const auto set = [&router](int option, const auto& value) {
      return zmq_setsockopt(router.get(), option, &value, sizeof(value)) == 0;
    };
    const bool ready = set(ZMQ_MAXMSGSIZE, options_.max_frame_bytes) &&
                       set(ZMQ_RCVHWM, kMessagesOfPeer) && set(ZMQ_LINGER, kLingerMs);
    if (!ready || zmq_bind(router.get(), options_.endpoint.c_str()) != 0) {
      return ZmqError(absl::StrCat("cannot listen on ", Printable(options_.endpoint)));
    }
    std::array<char, 1024> bound{};
    std::size_t size = bound.size();
    if (zmq_getsockopt(router.get(), ZMQ_LAST_ENDPOINT, bound.data(), &size) != 0) {
      return ZmqError(options_.endpoint);
    }
    endpoint_ = bound.data();
    return router;
  }

  // A worker tells the thread that has the sockets of an answer.
  void Wake() {
    absl::MutexLock lock(&wake_mutex_);
    SendFrame(wake_from_.get(), "", ZMQ_DONTWAIT);
  }

  void Work() {
    while (std::optional<Job> job = NextJob()) {
      std::vector<absl::string_view> frames;
      frames.reserve(job->frames.size());
      for (Frame& frame : job->frames) frames.push_back(frame.bytes());
      job->answer = answer_(frames);
      job->frames.clear();
      {
        absl::MutexLock lock(&mutex_);
        done_.push_back(std::move(*job));
      }
      Wake();
    }
  }

  std::optional<Job> NextJob() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](Server* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) {
          return self->stopping_ || !self->waiting_.empty();
        },
        this));
    if (waiting_.empty()) return std::nullopt;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    return job;
  }

  // What the thread of the sockets has to do next.
  struct Turn {
    std::deque<Job> done;
    std::size_t room = 0;
    bool stopping = false;
    bool finished = false;
  };
  Turn NextTurn() {
    absl::MutexLock lock(&mutex_);
    Turn turn{.done = std::move(done_),
              .room = options_.max_waiting - waiting_.size(),
              .stopping = stopping_,
              .finished = finished_};
    done_.clear();
    return turn;
  }

  // Carries requests in and answers out; the only thread that touches the router.
  void Carry() {
    while (true) {
      Turn turn = NextTurn();
      for (Job& job : turn.done) Send(job);
      if (turn.finished) return;
      const bool reads = turn.room > 0 && !turn.stopping;
      std::array<zmq_pollitem_t, 2> items = {
          {{wake_to_.get(), 0, ZMQ_POLLIN, 0}, {router_.get(), 0, ZMQ_POLLIN, 0}}};
      if (zmq_poll(items.data(), reads ? 2 : 1, -1) < 0 && zmq_errno() != EINTR) return;
      Frame woken;
      while (zmq_msg_recv(woken.get(), wake_to_.get(), ZMQ_DONTWAIT) >= 0) {
      }
      if (reads) ReadRequests(turn.room);
    }
  }

  void ReadRequests(std::size_t room) {
    for (; room > 0; --room) {
      std::optional<std::vector<Frame>> frames = Receive(router_.get());
      if (!frames) return;
      std::optional<Job> job = JobOf(std::move(*frames));
      if (!job) continue;
      absl::MutexLock lock(&mutex_);
      waiting_.push_back(std::move(*job));
    }
  }

  // A sender that is gone is no error of ours.
  void Send(Job& job) {
    for (Frame& frame : job.envelope) {
      if (zmq_msg_send(frame.get(), router_.get(), ZMQ_SNDMORE) < 0) return;
    }
    SendFrame(router_.get(), job.answer, 0);
  }

  const ZmqServerOptions options_;
  const Answer answer_;
  std::string endpoint_;
  Context context_;
  Socket router_;
  Socket wake_to_;
  absl::Mutex wake_mutex_;
  Socket wake_from_ ABSL_PT_GUARDED_BY(wake_mutex_);
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // Stopping, and all requests are done.
  std::deque<Job> waiting_ ABSL_GUARDED_BY(mutex_);
  std::deque<Job> done_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> workers_;
  std::thread io_;
};

}  // namespace

absl::Status ZmqServerOptions::Validate() const {
  if (endpoint.empty())
    return FieldError("endpoint", "nothing", "as tcp://HOST:PORT or ipc://FILE");
  CLEAVE_RETURN_IF_ERROR(CheckRange("workers", workers, 1, kMostWorkers));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast("max_frame_bytes", max_frame_bytes, std::int64_t{1}));
  return CheckAtLeast("max_waiting", max_waiting, std::size_t{1});
}

absl::StatusOr<std::unique_ptr<ZmqServer>> ZmqServer::Start(const ZmqServerOptions& options,
                                                            Answer answer) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  auto server = std::make_unique<Server>(options, std::move(answer));
  CLEAVE_RETURN_IF_ERROR(server->Open());
  return server;
}

}  // namespace cleave::recorder
