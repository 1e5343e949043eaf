#ifndef CLEAVE_EMULATE_CPU_QUOTA_H_
#define CLEAVE_EMULATE_CPU_QUOTA_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cleave::emulate {

// A control group whose processes together get a share of one core: how a weak device is made out
// of a strong machine. cgroup v1 or v2; needs root. Goes with the object. Thread-compatible.
class CpuQuota {
 public:
  // OK where such a group can be made; else why not.
  static absl::Status Available();

  // `share` of one core, in [0.001, 1024]. The period (longer where the share would come below 1 ms
  // of it) is the grain: work stalls for up to period * (1 - share).
  static absl::StatusOr<std::unique_ptr<CpuQuota>> Create(double share,
                                                          std::int64_t period_us = 10'000);
  ~CpuQuota();
  CpuQuota(const CpuQuota&) = delete;
  CpuQuota& operator=(const CpuQuota&) = delete;

  absl::Status SetShare(double share);
  // The file to which a process writes its pid to join (ProcessOptions::cgroup_members_path).
  const std::string& members_path() const { return members_path_; }

 private:
  CpuQuota(std::string folder, bool v2, std::int64_t period_us);

  std::string folder_;
  bool v2_;
  std::int64_t period_us_;
  std::string members_path_;
};

}  // namespace cleave::emulate

#endif  // CLEAVE_EMULATE_CPU_QUOTA_H_
