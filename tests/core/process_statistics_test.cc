#include "core/process_statistics.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

namespace cleave {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::Le;

TEST(ProcessStatistics, SaysWhatThisProcessUses) {
  const ProcessStatistics before = ReadProcessStatistics();
  EXPECT_THAT(before.resident_bytes, AllOf(Gt(1 << 20), Le(before.virtual_bytes)));
  EXPECT_GE(before.threads, 1);
  EXPECT_THAT(before.open_files, AllOf(Ge(3), Le(before.max_files)));
  const int copy = dup(STDOUT_FILENO);
  EXPECT_EQ(ReadProcessStatistics().open_files, before.open_files + 1);
  close(copy);
  // A quarter of a GiB that is written to is resident.
  const std::vector<char> memory(std::size_t{256} << 20, 'x');
  const ProcessStatistics after = ReadProcessStatistics();
  EXPECT_GT(after.resident_bytes, before.resident_bytes + (std::int64_t{200} << 20));
  EXPECT_GE(after.cpu_seconds, before.cpu_seconds);
  EXPECT_EQ(memory.back(), 'x');
}

TEST(ProcessStatistics, CountsConnectionsThatNothingWasSentOn) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  socklen_t size = sizeof(address);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const int port = ntohs(address.sin_port);
  EXPECT_EQ(CountConnections(port), 0);
  std::vector<int> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(connect(clients.back(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  EXPECT_EQ(CountConnections(port), 3);
  for (const int client : clients) close(client);
  close(listener);
}

}  // namespace
}  // namespace cleave
