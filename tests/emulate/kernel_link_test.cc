#include "emulate/kernel_link.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "emulate/cpu_quota.h"
#include "emulate/process.h"
#include "emulate/relay.h"

namespace cleave::emulate {
namespace {

constexpr std::int64_t kPatienceUs = 60'000'000;

// A sender and a receiver in Python, so that neither shares code with what is measured. The
// receiver prints the microseconds from the first to the last byte.
constexpr char kReceiver[] =
    "import socket,sys,time\n"
    "s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\n"
    "s.bind((sys.argv[1],0)); s.listen(1); print('listening on',s.getsockname()[1],flush=True)\n"
    "c,_=s.accept(); n=len(c.recv(1)); t=time.monotonic()\n"
    "while True:\n"
    "  b=c.recv(65536)\n"
    "  if not b: break\n"
    "  n+=len(b)\n"
    "print('took',int((time.monotonic()-t)*1e6),n,flush=True)\n";
constexpr char kSender[] =
    "import socket,sys\n"
    "c=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n"
    "c.sendall(bytes(int(sys.argv[3]))); c.close()\n";

// Microseconds that `bytes` take from a sender started with `prefix` to `host`, by way of a relay
// where one is given.
double TransferUs(const std::vector<std::string>& prefix, const std::string& host,
                  std::int64_t bytes, const LinkShape* relay_shape) {
  auto receiver = Process::Start({.argv = {"/usr/bin/python3", "-c", kReceiver, host}});
  EXPECT_TRUE(receiver.ok()) << receiver.status();
  const std::string line = (*receiver)->WaitForLine("listening on", kPatienceUs).value_or("");
  std::string port = line.substr(line.rfind(' ') + 1);
  std::unique_ptr<Relay> relay;
  if (relay_shape != nullptr) {
    auto started = Relay::Start(
        {.to = absl::StrCat(host, ":", port), .up = *relay_shape, .down = *relay_shape});
    EXPECT_TRUE(started.ok()) << started.status();
    relay = *std::move(started);
    port = absl::StrCat(relay->port());
  }
  std::vector<std::string> argv = prefix;
  for (const std::string& part : {std::string("/usr/bin/python3"), std::string("-c"),
                                  std::string(kSender), host, port, absl::StrCat(bytes)}) {
    argv.push_back(part);
  }
  const auto sender = Process::Start({.argv = argv});
  EXPECT_TRUE(sender.ok());
  const std::string took = (*receiver)->WaitForLine("took", kPatienceUs).value_or("took 0 0");
  double us = 0;
  EXPECT_TRUE(absl::SimpleAtod(took.substr(5, took.rfind(' ') - 5), &us)) << took;
  return us;
}

TEST(KernelLink, TheRelayIsAsFastAsTheKernelsTbf) {
  if (const absl::Status ok = KernelLink::Available(); !ok.ok()) {
    GTEST_SKIP() << "no kernel link here: " << ok.message();
  }
  const auto link = KernelLink::Create(10e6, 10e6);
  ASSERT_TRUE(link.ok()) << link.status();
  for (const double bps : {1e6, 10e6, 100e6}) {
    ASSERT_TRUE((*link)->SetRate(bps, bps).ok());
    const auto bytes = static_cast<std::int64_t>(bps / 8);  // About a second.
    // Another load on the machine can only slow a transfer down: the best of three speaks.
    double kernel_us = 1e18;
    double relay_us = 1e18;
    const LinkShape shape{.rate_bps = bps};
    for (int i = 0; i < 3; ++i) {
      kernel_us = std::min(kernel_us, TransferUs((*link)->inside_prefix(),
                                                 (*link)->outside_address(), bytes, nullptr));
      relay_us = std::min(relay_us, TransferUs({}, "127.0.0.1", bytes, &shape));
    }
    EXPECT_NEAR(relay_us / kernel_us, 1, 0.05) << bps << " bit/s";
  }
}

// CPU time that a process gets in two seconds under this share and period.
int UsedMs(double share, std::int64_t period_us) {
  const auto quota = CpuQuota::Create(share, period_us);
  EXPECT_TRUE(quota.ok()) << quota.status();
  if (!quota.ok()) return 0;
  const auto busy = Process::Start({.argv = {"/usr/bin/python3", "-c",
                                             "import time\n"
                                             "end=time.monotonic()+2\n"
                                             "while time.monotonic()<end: pass\n"
                                             "print('used',int(time.process_time()*1000))"},
                                    .cgroup_members_path = (*quota)->members_path()});
  EXPECT_TRUE(busy.ok());
  const std::string line = (*busy)->WaitForLine("used", kPatienceUs).value_or("used 9999");
  int used_ms = 0;
  EXPECT_TRUE(absl::SimpleAtoi(line.substr(5), &used_ms));
  return used_ms;
}

TEST(CpuQuota, SlowsAProcessDown) {
  if (const absl::Status ok = CpuQuota::Available(); !ok.ok()) {
    GTEST_SKIP() << "no CPU quota here: " << ok.message();
  }
  EXPECT_LT(UsedMs(0.25, 10'000), 1000);  // A quarter of two seconds, and room for noise.
  EXPECT_LT(UsedMs(0.05, 4'000), 400) << "a share below the kernel's least quota in this period";
  const auto quota = CpuQuota::Create(0.5);
  ASSERT_TRUE(quota.ok()) << quota.status();
  EXPECT_FALSE((*quota)->SetShare(0).ok());
  EXPECT_FALSE((*quota)->SetShare(0.0001).ok());
}

}  // namespace
}  // namespace cleave::emulate
