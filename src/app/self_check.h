#ifndef CLEAVE_APP_SELF_CHECK_H_
#define CLEAVE_APP_SELF_CHECK_H_

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"

namespace cleave::app {

// Connects to a server of this process again and again, each time anew, and waits for it to say
// anything, or to hang up: a server of whatever protocol does so soon after it was sent bytes that
// are none of it. A server that has run out
// of file descriptors may never accept again, and still look alive. Whoever supervises the process
// can start it again once it has ended.
class SelfCheck {
 public:
  struct Options {
    std::string target;                   // HOST:PORT of the server, the host as an address.
    std::int64_t period_us = 10'000'000;  // Between two attempts, and the most that one takes.
    int failures = 6;                     // So many in a row mean that the server is stuck.
  };

  // `on_stuck` is called at most once, from a thread of the check.
  SelfCheck(Options options, std::function<void()> on_stuck);
  ~SelfCheck();
  SelfCheck(const SelfCheck&) = delete;
  SelfCheck& operator=(const SelfCheck&) = delete;

 private:
  void Loop();

  const Options options_;
  const std::function<void()> on_stuck_;
  absl::Notification stop_;
  std::thread thread_;
};

// The address at which a server that listens on `host` is reached from its own machine.
std::string OwnAddress(const std::string& host, int port);

}  // namespace cleave::app

#endif  // CLEAVE_APP_SELF_CHECK_H_
