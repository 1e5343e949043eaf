#include "core/host_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/printable.h"

namespace cleave {
namespace {

constexpr int kLastPort = 65535;

bool ParsePort(absl::string_view text, int& port) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isdigit(c); }) &&
         absl::SimpleAtoi(text, &port) && port <= kLastPort;
}

}  // namespace

absl::StatusOr<HostPort> ParseHostPort(absl::string_view field, absl::string_view text) {
  const std::size_t colon = text.rfind(':');
  HostPort parsed;
  if (colon == absl::string_view::npos || !ParsePort(text.substr(colon + 1), parsed.port)) {
    return FieldError(field, absl::StrCat("'", Printable(text), "'"),
                      absl::StrCat("HOST:PORT with a port of 0 to ", kLastPort));
  }
  absl::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  parsed.host = std::string(host);
  return parsed;
}

bool IsLoopback(absl::string_view host) {
  if (host == "localhost") return true;
  const std::string text(host);
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
  in6_addr v6{};
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace cleave
