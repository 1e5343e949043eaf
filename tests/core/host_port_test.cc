#include "core/host_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cleave {
namespace {

using ::testing::HasSubstr;

TEST(ParseHostPort, TakesHostsAddressesAndEveryPort) {
  const auto expect = [](const char* text, const char* host, int port) {
    const auto parsed = ParseHostPort("listen", text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->host, host);
    EXPECT_EQ(parsed->port, port);
  };
  expect("localhost:0", "localhost", 0);
  expect("10.0.0.1:65535", "10.0.0.1", 65535);
  expect("[::1]:8001", "::1", 8001);
  expect(":8001", "", 8001);
}

TEST(ParseHostPort, RefusesWhatIsNoPort) {
  for (const char* text : {"localhost:65536", "localhost:99999", "localhost:4294967297",
                           "localhost:-1", "localhost:+1", "localhost: 80", "localhost:80 ",
                           "localhost:80x", "localhost:0x50", "localhost:", "localhost", ""}) {
    const absl::Status refused = ParseHostPort("listen", text).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr(std::string("listen: found '") + text + "', expected HOST:PORT"));
  }
}

}  // namespace
}  // namespace cleave
