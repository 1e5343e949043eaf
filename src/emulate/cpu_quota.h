#ifndef CLEAVE_EMULATE_CPU_QUOTA_H_
#define CLEAVE_EMULATE_CPU_QUOTA_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cleave::emulate {

// A control group whose processes together get a share of one core: how a weak device is made out
// of a strong machine. It works with cgroup v1 and v2, and needs root. The group goes with the
// object. Thread-compatible.
class CpuQuota {
 public:
  // Returns OK where such a group can be made; else the error says why not.
  static absl::Status Available();

  // Makes a group that gets `share` of one core, in [0.001, 1024]. The period (longer where the
  // share would come below 1 ms of it) is the grain: work stalls for up to period * (1 - share).
  static absl::StatusOr<std::unique_ptr<CpuQuota>> Create(double share,
                                                          std::int64_t period_us = 10'000);
  ~CpuQuota();
  CpuQuota(const CpuQuota&) = delete;
  CpuQuota& operator=(const CpuQuota&) = delete;

  absl::Status SetShare(double share);
  // Returns the file to which a process writes its pid to join
  // (ProcessOptions::cgroup_members_path).
  const std::string& members_path() const { return members_path_; }

 private:
  enum class CgroupVersion { kV1, kV2 };
  // Where groups can be made.
  struct Hierarchy {
    std::string folder;
    CgroupVersion version = CgroupVersion::kV1;
  };

  static absl::StatusOr<Hierarchy> FindHierarchy();
  CpuQuota(std::string folder, CgroupVersion version, std::int64_t period_us);

  std::string folder_;
  CgroupVersion version_;
  std::int64_t period_us_;
  std::string members_path_;
};

}  // namespace cleave::emulate

#endif  // CLEAVE_EMULATE_CPU_QUOTA_H_
