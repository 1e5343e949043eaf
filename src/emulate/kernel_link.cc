#include "emulate/kernel_link.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/status_macros.h"

namespace cleave::emulate {
namespace fs = std::filesystem;
namespace {

constexpr absl::string_view kPrefix = "cleave-";
constexpr double kPacketBytes = 1600;
constexpr char kNamespaces[] = "/run/netns";

// Namespaces whose maker (the pid in their name) is no more.
void ClearLeftovers() {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(kNamespaces, error)) {
    const std::string name = entry.path().filename().string();
    const std::vector<std::string> parts = absl::StrSplit(name, '-');
    int pid = 0;
    if (!absl::StartsWith(name, kPrefix) || parts.size() != 3 ||
        !absl::SimpleAtoi(parts[1], &pid)) {
      continue;
    }
    if (kill(pid, 0) != 0 && errno == ESRCH) {
      RunCommand({"ip", "netns", "del", name}).IgnoreError();
    }
  }
}

}  // namespace

absl::Status KernelLink::Available() {
  if (geteuid() != 0) return absl::PermissionDeniedError("a kernel-shaped link needs root");
  const std::string probe = absl::StrCat(kPrefix, getpid(), "-probe");
  const absl::Status made = RunCommand({"ip", "netns", "add", probe});
  if (!made.ok()) {
    return absl::UnavailableError(
        absl::StrCat("network namespaces cannot be made here: ", made.message()));
  }
  return RunCommand({"ip", "netns", "del", probe});
}

KernelLink::KernelLink(std::string name, int subnet)
    : name_(std::move(name)),
      outside_(absl::StrCat("clv", getpid() % 100000, "o", subnet % 256)),
      inside_(absl::StrCat("clv", getpid() % 100000, "i", subnet % 256)),
      inside_address_(absl::StrCat("10.207.", subnet / 64, ".", subnet % 64 * 4 + 2)),
      outside_address_(absl::StrCat("10.207.", subnet / 64, ".", subnet % 64 * 4 + 1)) {}

absl::StatusOr<std::unique_ptr<KernelLink>> KernelLink::Create(double up_bps, double down_bps) {
  static std::atomic<int> made{0};
  ClearLeftovers();
  const int number = made.fetch_add(1);
  const int subnet = (getpid() * 7 + number) % (256 * 64);
  std::unique_ptr<KernelLink> link(
      new KernelLink(absl::StrCat(kPrefix, getpid(), "-", number), subnet));
  CLEAVE_RETURN_IF_ERROR(link->Build());
  CLEAVE_RETURN_IF_ERROR(link->SetRate(up_bps, down_bps));
  return link;
}

KernelLink::~KernelLink() {
  stream_up_.reset();
  stream_down_.reset();
  RunCommand({"ip", "link", "del", outside_}).IgnoreError();
  RunCommand({"ip", "netns", "del", name_}).IgnoreError();
}

absl::Status KernelLink::Build() {
  const std::vector<std::vector<std::string>> commands = {
      {"ip", "netns", "add", name_},
      {"ip", "link", "add", outside_, "type", "veth", "peer", "name", inside_, "netns", name_},
      {"ip", "addr", "add", absl::StrCat(outside_address_, "/30"), "dev", outside_},
      {"ip", "-n", name_, "addr", "add", absl::StrCat(inside_address_, "/30"), "dev", inside_},
      // One packet at a time: a shaper that sees 64 KB super-packets shapes in lumps of 64 KB.
      {"ip", "link", "set", "dev", outside_, "gso_max_segs", "1", "up"},
      {"ip", "-n", name_, "link", "set", "dev", inside_, "gso_max_segs", "1", "up"},
      {"ip", "-n", name_, "link", "set", "dev", "lo", "up"}};
  for (const auto& command : commands) CLEAVE_RETURN_IF_ERROR(RunCommand(command));
  return absl::OkStatus();
}

std::vector<std::string> KernelLink::ShapeCommand(End end, double bps,
                                                  double least_burst_bytes) const {
  // Half a millisecond: enough for the kernel's timers, too little to matter.
  const auto burst = static_cast<std::int64_t>(std::max(least_burst_bytes, bps / 8 * 0.5e-3));
  const auto limit = static_cast<std::int64_t>(std::max(65536.0, bps / 8 * 0.2));
  return {"qdisc", "replace",
          "dev",   end == End::kInside ? inside_ : outside_,
          "root",  "tbf",
          "rate",  absl::StrCat(static_cast<std::int64_t>(bps), "bit"),
          "burst", absl::StrCat(burst),
          "limit", absl::StrCat(limit)};
}

std::vector<std::string> KernelLink::Tc(End end) const {
  if (end == End::kInside) return {"tc", "-n", name_};
  return {"tc"};
}

absl::Status KernelLink::Shape(End end, double bps) {
  std::vector<std::string> command = Tc(end);
  const std::vector<std::string> rest = ShapeCommand(end, bps, 2 * kPacketBytes);
  command.insert(command.end(), rest.begin(), rest.end());
  return RunCommand(command);
}

absl::Status KernelLink::SetRate(double up_bps, double down_bps) {
  CLEAVE_RETURN_IF_ERROR(Shape(End::kInside, up_bps));
  return Shape(End::kOutside, down_bps);
}

absl::StatusOr<std::unique_ptr<Process>> KernelLink::StartStream(End end) const {
  std::vector<std::string> argv = Tc(end);
  argv.insert(argv.end(), {"-batch", "-"});
  return Process::Start({.argv = std::move(argv)});
}

absl::Status KernelLink::StreamRate(double up_bps, double down_bps) {
  if (stream_up_ == nullptr) {
    CLEAVE_ASSIGN_OR_RETURN(stream_up_, StartStream(End::kInside));
    CLEAVE_ASSIGN_OR_RETURN(stream_down_, StartStream(End::kOutside));
  }
  CLEAVE_RETURN_IF_ERROR(
      stream_up_->WriteLine(absl::StrJoin(ShapeCommand(End::kInside, up_bps, kPacketBytes), " ")));
  return stream_down_->WriteLine(
      absl::StrJoin(ShapeCommand(End::kOutside, down_bps, kPacketBytes), " "));
}

std::vector<std::string> KernelLink::inside_prefix() const {
  return {"ip", "netns", "exec", name_};
}

}  // namespace cleave::emulate
