#ifndef CLEAVE_TESTS_RECORDER_ZMQ_CLIENT_H_
#define CLEAVE_TESTS_RECORDER_ZMQ_CLIENT_H_

#include <zmq.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace cleave::recorder {

// A socket of the plugin's kind.
class ZmqClient {
 public:
  explicit ZmqClient(const std::string& endpoint, int type = ZMQ_REQ)
      : context_(zmq_ctx_new()), socket_(zmq_socket(context_, type)) {
    const int patience_ms = 60'000;
    const int linger_ms = 0;
    zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &patience_ms, sizeof(patience_ms));
    zmq_setsockopt(socket_, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
    zmq_connect(socket_, endpoint.c_str());
  }
  ~ZmqClient() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  ZmqClient(const ZmqClient&) = delete;
  ZmqClient& operator=(const ZmqClient&) = delete;

  void Send(const std::vector<std::string>& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      zmq_send(socket_, frames[i].data(), frames[i].size(),
               i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
    }
  }
  std::optional<std::string> Receive() {
    std::array<char, 4096> buffer{};
    const int size = zmq_recv(socket_, buffer.data(), buffer.size(), 0);
    if (size < 0) return std::nullopt;
    return std::string(buffer.data(), static_cast<std::size_t>(size));
  }
  std::optional<std::string> Ask(const std::vector<std::string>& frames) {
    Send(frames);
    return Receive();
  }

 private:
  void* context_;
  void* socket_;
};

}  // namespace cleave::recorder

#endif  // CLEAVE_TESTS_RECORDER_ZMQ_CLIENT_H_
