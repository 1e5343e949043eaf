#ifndef CLEAVE_WIRE_CHANNEL_H_
#define CLEAVE_WIRE_CHANNEL_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cleave {

// The transport settings of both sides.

// One HTTP/2 window that a whole cut fits in: a transfer then takes RTT + bytes / rate, which is
// what the link estimator assumes, and never stops for window updates.
inline constexpr int kWindowBytes = 4 << 20;
inline constexpr int kMaxFrameBytes = 1 << 20;
inline constexpr int kServerMinPingIntervalMs = 1000;

// InvalidArgument names `field` unless the address is HOST:PORT with a host.
absl::Status CheckAddress(absl::string_view field, absl::string_view address);

// Connects lazily and by itself. Attempts to reach a dead edge follow each other closely, since the
// caller paces its own.
std::shared_ptr<grpc::Channel> MakeChannel(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    std::int64_t max_message_bytes, std::int64_t keepalive_us);

// What a server's transport may take.
struct TransportLimits {
  std::int64_t max_message_bytes = 0;
  // Of all connections together; beyond it gRPC cancels calls.
  std::int64_t memory_bytes = 0;
  int streams_of_connection = 0;     // Calls of one connection that the peer is told of.
  std::int64_t idle_timeout_us = 0;  // A connection without calls is closed after this.
};

void ConfigureServer(grpc::ServerBuilder& builder, const TransportLimits& limits);

}  // namespace cleave

#endif  // CLEAVE_WIRE_CHANNEL_H_
