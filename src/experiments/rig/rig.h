#ifndef CLEAVE_EXPERIMENTS_RIG_RIG_H_
#define CLEAVE_EXPERIMENTS_RIG_RIG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "emulate/busy_core.h"
#include "emulate/cpu_quota.h"
#include "emulate/kernel_link.h"
#include "emulate/process.h"
#include "emulate/relay.h"
#include "experiments/rig/worker.h"

namespace cleave::experiments::rig {

struct RigOptions {
  std::string program;  // `cleave`
  std::string folder;   // Takes profiles and logs of the processes.
  double device_share = 0.25;
  // How a device gets its share: by a quota of the kernel's, which holds for all that the process
  // does, or by other work on its core, which is finer but there during inferences alone. Where
  // the second cannot be, the first.
  enum class SlowBy { kQuota, kBusyCore };
  SlowBy slow_by = SlowBy::kQuota;
  bool changing_share = false;  // SetDeviceShare will be called, whatever the share is now.
  // Cache of the devices' profiles; empty: one in `folder` for this share.
  std::string device_cache;
  bool force_relay = false;
  // The delay in each direction, on top of the link's own. A relay at the edge's end of a
  // kernel-shaped link adds it, since not every kernel can delay packets.
  std::int64_t delay_us = 0;
  std::uint64_t seed = 1;
};

// The rig of an experiment: an edge process, a shaped link, and device processes with a share of a
// core behind it. Uses the kernel's means where it may (root), else a relay and full speed.
// Thread-compatible.
class Rig {
 public:
  static absl::StatusOr<std::unique_ptr<Rig>> Create(const RigOptions& options);

  // Serves these models (files), in place of what was served before; waits until it listens.
  absl::Status StartEdge(const std::vector<std::string>& models);
  // Kills the edge by SIGKILL, which is what a crash looks like.
  void KillEdge();
  int edge_pid() const { return edge_ == nullptr ? -1 : edge_->pid(); }
  std::string edge_here() const;  // HOST:PORT, not through the link.

  absl::Status SetRate(double bps);

  // Starts a second link to the edge, which replays a trace. It starts again with each call.
  absl::Status StartTrace(const Trace& trace);

  // Sets rates that change many times a second.
  absl::Status StreamRate(double up_bps, double down_bps);

  // Sets each device's share of a core from now on. Does nothing where none is enforced.
  absl::Status SetDeviceShare(double share);

  // Through which link a device reaches the edge: the one of SetRate and StreamRate, or that of
  // StartTrace.
  enum class Link { kShaped, kTrace };
  // Starts a device process; its edge and seed are the rig's.
  absl::StatusOr<std::unique_ptr<Worker>> StartWorker(WorkerOptions options,
                                                      Link link = Link::kShaped);

  // Has the edge measure its profile at this batch size, so that no device waits for it.
  absl::Status WarmEdgeProfile(const std::string& name, const std::string& digest, int exit,
                               std::int64_t batch);

  std::string link_name() const;
  bool share_enforced() const { return share_enforced_; }
  RigOptions::SlowBy slowed_by() const {
    return busy_core_ != nullptr ? RigOptions::SlowBy::kBusyCore : RigOptions::SlowBy::kQuota;
  }
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  explicit Rig(RigOptions options) : options_(std::move(options)) {}
  std::string edge_from_device() const;
  void ChooseHowToSlow();
  // Returns what a new device process joins; empty without a quota.
  absl::StatusOr<std::string> NewQuota();
  emulate::LinkShape RelayShape(double bps) const {
    return {.rate_bps = bps, .delay_us = options_.delay_us};
  }

  const RigOptions options_;
  std::unique_ptr<emulate::KernelLink> kernel_;
  std::unique_ptr<emulate::Relay> relay_;
  std::unique_ptr<emulate::Relay> delay_relay_;
  std::unique_ptr<emulate::Relay> trace_relay_;
  bool share_enforced_ = false;
  double share_ = 1;
  std::vector<std::unique_ptr<emulate::CpuQuota>> quotas_;  // One for each device that was started.
  std::shared_ptr<emulate::BusyCore> busy_core_;
  std::unique_ptr<emulate::Process> edge_;
  int port_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace cleave::experiments::rig

#endif  // CLEAVE_EXPERIMENTS_RIG_RIG_H_
