#include "experiments/rig/rig.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/status_macros.h"
#include "wire/client.h"

namespace cleave::experiments::rig {
namespace {

constexpr std::int64_t kEdgeStartUs = 120'000'000;
constexpr std::int64_t kEdgeGoneUs = 10'000'000;
constexpr std::int64_t kProfileUs = 300'000'000;
// The kernel hands out a millisecond at least; at a quarter of a core that makes this the finest
// grain.
constexpr std::int64_t kQuotaPeriodUs = 4'000;
constexpr double kFirstRateBps = 100e6;
constexpr int kDeviceCore = 0;

// A port that is free now, and stays the edge's over its restarts.
absl::StatusOr<int> FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t size = sizeof(address);
  const bool ok = fd >= 0 &&
                  bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
                  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (fd >= 0) close(fd);
  if (!ok) return absl::UnavailableError("no free TCP port for the edge");
  return ntohs(address.sin_port);
}

// Device and edge are two machines: they get cores of their own where there are enough, so that
// neither waits for the other.
enum class Machine { kDevice, kEdge };

std::vector<std::string> PinTo(Machine machine) {
  const unsigned cores = std::thread::hardware_concurrency();
  if (cores < 2) return {};
  const std::string set = machine == Machine::kDevice ? absl::StrCat(kDeviceCore)
                          : cores == 2                ? "1"
                                                      : absl::StrCat("1-", cores - 1);
  return {"taskset", "--cpu-list", set};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Rig>> Rig::Create(const RigOptions& options) {
  std::unique_ptr<Rig> rig(new Rig(options));
  std::error_code failed;
  std::filesystem::create_directories(options.folder, failed);
  if (failed) return absl::InternalError(absl::StrCat(options.folder, ": ", failed.message()));
  CLEAVE_ASSIGN_OR_RETURN(rig->port_, FreePort());
  // First, so that all the rest keeps off the device's core.
  if (options.device_share < 1 || options.changing_share) rig->ChooseHowToSlow();
  const absl::Status kernel = options.force_relay ? absl::CancelledError("not asked for")
                                                  : emulate::KernelLink::Available();
  if (kernel.ok()) {
    CLEAVE_ASSIGN_OR_RETURN(rig->kernel_,
                            emulate::KernelLink::Create(kFirstRateBps, kFirstRateBps));
    if (options.delay_us > 0) {
      CLEAVE_ASSIGN_OR_RETURN(rig->delay_relay_,
                              emulate::Relay::Start({.listen = "0.0.0.0:0",
                                                     .to = rig->edge_here(),
                                                     .up = {.delay_us = options.delay_us},
                                                     .down = {.delay_us = options.delay_us}}));
    }
  } else {
    rig->notes_.push_back(absl::StrCat("no kernel link: ", kernel.message()));
    CLEAVE_ASSIGN_OR_RETURN(rig->relay_,
                            emulate::Relay::Start({.to = rig->edge_here(),
                                                   .up = rig->RelayShape(kFirstRateBps),
                                                   .down = rig->RelayShape(kFirstRateBps)}));
  }
  return rig;
}

void Rig::ChooseHowToSlow() {
  share_ = options_.device_share;
  if (options_.slow_by == RigOptions::SlowBy::kBusyCore) {
    absl::StatusOr<std::unique_ptr<emulate::BusyCore>> busy =
        emulate::BusyCore::Create(kDeviceCore);
    share_enforced_ = busy.ok();
    if (busy.ok()) {
      busy_core_ = *std::move(busy);
      return;
    }
    notes_.push_back(absl::StrCat("no other work on the device's core: ", busy.status().message()));
  }
  const absl::Status quota = emulate::CpuQuota::Available();
  share_enforced_ = quota.ok();
  if (!quota.ok()) notes_.push_back(absl::StrCat("the device is not slowed: ", quota.message()));
}

std::string Rig::edge_here() const { return absl::StrCat("127.0.0.1:", port_); }

std::string Rig::edge_from_device() const {
  if (relay_ != nullptr) return absl::StrCat("127.0.0.1:", relay_->port());
  return absl::StrCat(kernel_->outside_address(), ":",
                      delay_relay_ != nullptr ? delay_relay_->port() : port_);
}

std::string Rig::link_name() const {
  return kernel_ != nullptr ? "kernel (network namespace, veth and tbf)" : "relay in user space";
}

absl::Status Rig::StartEdge(const std::vector<std::string>& models) {
  KillEdge();
  std::vector<std::string> argv = PinTo(Machine::kEdge);
  for (const std::string& word :
       {options_.program, std::string("serve"), std::string("--listen"),
        absl::StrCat("0.0.0.0:", port_), std::string("--insecure"), std::string("--models")}) {
    argv.push_back(word);
  }
  argv.insert(argv.end(), models.begin(), models.end());
  CLEAVE_ASSIGN_OR_RETURN(
      edge_,
      emulate::Process::Start({.argv = std::move(argv),
                               .environment = {{"CLEAVE_CACHE_DIR", options_.folder + "/edge"}},
                               .stderr_path = options_.folder + "/edge.log"}));
  const auto listening = edge_->WaitForLine("listening", kEdgeStartUs);
  if (listening.ok()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the edge did not start: ", listening.status().message(),
                                          " (see ", options_.folder, "/edge.log)"));
}

void Rig::KillEdge() {
  if (edge_ == nullptr) return;
  edge_->Signal(SIGKILL);
  edge_->Wait(kEdgeGoneUs).status().IgnoreError();
  edge_.reset();
}

absl::Status Rig::SetRate(double bps) {
  if (kernel_ != nullptr) return kernel_->SetRate(bps, bps);
  return relay_->SetShapes(RelayShape(bps), RelayShape(bps));
}

absl::Status Rig::StartTrace(const Trace& trace) {
  if (trace_relay_ != nullptr) return trace_relay_->SetShapes({.trace = trace}, {.trace = trace});
  CLEAVE_ASSIGN_OR_RETURN(trace_relay_, emulate::Relay::Start({.listen = "0.0.0.0:0",
                                                               .to = edge_here(),
                                                               .up = {.trace = trace},
                                                               .down = {.trace = trace}}));
  return kernel_ != nullptr ? kernel_->SetRate(1e9, 1e9) : absl::OkStatus();
}

absl::Status Rig::StreamRate(double up_bps, double down_bps) {
  if (kernel_ != nullptr) return kernel_->StreamRate(up_bps, down_bps);
  return relay_->SetShapes(RelayShape(up_bps), RelayShape(down_bps));
}

absl::Status Rig::SetDeviceShare(double share) {
  share_ = share;
  for (const auto& quota : quotas_) CLEAVE_RETURN_IF_ERROR(quota->SetShare(share));
  return busy_core_ != nullptr ? busy_core_->SetShare(share) : absl::OkStatus();
}

absl::StatusOr<std::string> Rig::NewQuota() {
  if (!share_enforced_ || busy_core_ != nullptr) return std::string();
  CLEAVE_ASSIGN_OR_RETURN(auto quota, emulate::CpuQuota::Create(share_, kQuotaPeriodUs));
  quotas_.push_back(std::move(quota));
  return quotas_.back()->members_path();
}

absl::StatusOr<std::unique_ptr<Worker>> Rig::StartWorker(WorkerOptions options, Link link) {
  std::string edge = edge_from_device();
  if (link == Link::kTrace) {
    const std::string host = kernel_ != nullptr ? kernel_->outside_address() : "127.0.0.1";
    edge = absl::StrCat(host, ":", trace_relay_->port());
  }
  emulate::ProcessOptions process;
  // A profile holds for one share only, which its key does not know.
  process.environment = {
      {"CLEAVE_CACHE_DIR", options_.device_cache.empty()
                               ? absl::StrFormat("%s/device-%g", options_.folder,
                                                 share_enforced_ ? options_.device_share : 1.0)
                               : options_.device_cache}};
  process.stderr_path = options_.folder + "/device.log";
  CLEAVE_ASSIGN_OR_RETURN(process.cgroup_members_path, NewQuota());
  std::vector<std::string> prefix = PinTo(Machine::kDevice);
  if (kernel_ != nullptr) {
    const std::vector<std::string> inside = kernel_->inside_prefix();
    prefix.insert(prefix.begin(), inside.begin(), inside.end());
  }
  options.edge = edge;
  options.seed = options_.seed;
  CLEAVE_ASSIGN_OR_RETURN(
      std::unique_ptr<Worker> worker,
      Worker::Start(options, options_.program, std::move(prefix), std::move(process)));
  if (busy_core_ != nullptr) worker->SlowBy(busy_core_);
  return worker;
}

absl::Status Rig::WarmEdgeProfile(const std::string& name, const std::string& digest, int exit,
                                  std::int64_t batch) {
  CLEAVE_ASSIGN_OR_RETURN(const auto client, EdgeClient::Create({.target = edge_here()}));
  return client->GetProfile(name, digest, exit, {.batches = {batch}, .points = {}}, kProfileUs)
      .status();
}

}  // namespace cleave::experiments::rig
