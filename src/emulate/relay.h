#ifndef CLEAVE_EMULATE_RELAY_H_
#define CLEAVE_EMULATE_RELAY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "emulate/shaper.h"

namespace cleave::emulate {

struct RelayOptions {
  std::string listen = "127.0.0.1:0";  // HOST:PORT; port 0: any free one.
  std::string to;                      // HOST:PORT
  LinkShape up;                        // From the one who connects to `to`.
  LinkShape down;
  absl::Status Validate() const;
};

// An unprivileged TCP relay that shapes both ways: all connections share one link of these shapes,
// each way with a queue of about 200 ms (64 KB at least), beyond which the sender is made to wait.
// Half-closed and reset connections are passed on as such. Thread-safe.
class Relay {
 public:
  // Starts a relay. Unavailable names the address when the port is in use.
  static absl::StatusOr<std::unique_ptr<Relay>> Start(const RelayOptions& options);
  ~Relay();  // Cuts every connection.

  int port() const;
  // Sets the shapes from now on, also for what already waits.
  absl::Status SetShapes(const LinkShape& up, const LinkShape& down);
  std::int64_t bytes_up() const;  // Payload that has been passed on.
  std::int64_t bytes_down() const;

 private:
  struct Impl;
  explicit Relay(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// One step of a link that changes by itself.
struct ScheduleStep {
  std::int64_t at_us = 0;
  LinkShape shape;
};

// Parses "0s:50mbit,10s:2mbit,20s:dead,25s:50mbit": what the link is like from when on; times
// ascend from 0.
absl::StatusOr<std::vector<ScheduleStep>> ParseSchedule(absl::string_view text);

}  // namespace cleave::emulate

#endif  // CLEAVE_EMULATE_RELAY_H_
