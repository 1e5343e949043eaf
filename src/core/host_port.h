#ifndef CLEAVE_CORE_HOST_PORT_H_
#define CLEAVE_CORE_HOST_PORT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// One end of a TCP connection.
struct HostPort {
  std::string host;  // Without the brackets that an IPv6 address has before a port.
  int port = 0;      // 0 to 65535.
};

// Parses HOST:PORT and refuses anything after it: the port consists of digits alone, and none is
// taken modulo 65536. The host may be empty. InvalidArgument names `field` and what was found.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view field, absl::string_view text);

// Whether a host, as ParseHostPort returns it, is this machine's loopback: "localhost", an address
// of 127.0.0.0/8, or "::1".
bool IsLoopback(absl::string_view host);

}  // namespace cleave

#endif  // CLEAVE_CORE_HOST_PORT_H_
