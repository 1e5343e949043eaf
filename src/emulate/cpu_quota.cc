#include "emulate/cpu_quota.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave::emulate {
namespace fs = std::filesystem;
namespace {

// The kernel's.
constexpr std::int64_t kLeastQuotaUs = 1'000;
constexpr std::int64_t kLongestPeriodUs = 1'000'000;

absl::Status Put(const std::string& path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  out.flush();
  if (out) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(path, ": '", text, "' cannot be written"));
}

}  // namespace

absl::StatusOr<CpuQuota::Hierarchy> CpuQuota::FindHierarchy() {
  for (const char* folder : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"}) {
    if (fs::exists(absl::StrCat(folder, "/cpu.cfs_quota_us")) ||
        fs::exists(absl::StrCat(folder, "/tasks"))) {
      return Hierarchy{folder, CgroupVersion::kV1};
    }
  }
  if (fs::exists("/sys/fs/cgroup/cgroup.controllers")) {
    // Already so on any system with systemd; without the right to it, Create says why.
    Put("/sys/fs/cgroup/cgroup.subtree_control", "+cpu").IgnoreError();
    return Hierarchy{"/sys/fs/cgroup", CgroupVersion::kV2};
  }
  return absl::UnavailableError("no cgroup hierarchy with a cpu controller is mounted");
}

absl::Status CpuQuota::Available() { return Create(0.5).status(); }

CpuQuota::CpuQuota(std::string folder, CgroupVersion version, std::int64_t period_us)
    : folder_(std::move(folder)),
      version_(version),
      period_us_(period_us),
      members_path_(
          absl::StrCat(folder_, version == CgroupVersion::kV2 ? "/cgroup.procs" : "/tasks")) {}

absl::StatusOr<std::unique_ptr<CpuQuota>> CpuQuota::Create(double share, std::int64_t period_us) {
  static std::atomic<int> made{0};
  if (geteuid() != 0) return absl::PermissionDeniedError("a CPU quota needs root");
  CLEAVE_ASSIGN_OR_RETURN(const Hierarchy hierarchy, FindHierarchy());
  const std::string folder =
      absl::StrCat(hierarchy.folder, "/cleave-", getpid(), "-", made.fetch_add(1));
  std::error_code error;
  fs::create_directory(folder, error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(folder, ": cannot be made"));
  std::unique_ptr<CpuQuota> quota(new CpuQuota(folder, hierarchy.version, period_us));
  CLEAVE_RETURN_IF_ERROR(quota->SetShare(share));
  return quota;
}

CpuQuota::~CpuQuota() {
  // Its members may take a moment to go.
  for (int i = 0; i < 100 && rmdir(folder_.c_str()) != 0 && errno == EBUSY; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

absl::Status CpuQuota::SetShare(double share) {
  if (!(share > 0) || share > 1024) {
    return FieldError("CPU share", share, "more than 0, at most 1024");
  }
  // A small share needs a longer period, or the least quota would be more than it.
  const std::int64_t period_us =
      std::max(period_us_, static_cast<std::int64_t>(std::ceil(kLeastQuotaUs / share)));
  if (period_us > kLongestPeriodUs) {
    return FieldError("CPU share", share, "at least 0.001");
  }
  const std::int64_t quota_us = std::llround(share * static_cast<double>(period_us));
  if (version_ == CgroupVersion::kV2) {
    return Put(folder_ + "/cpu.max", absl::StrCat(quota_us, " ", period_us));
  }
  CLEAVE_RETURN_IF_ERROR(Put(folder_ + "/cpu.cfs_period_us", absl::StrCat(period_us)));
  return Put(folder_ + "/cpu.cfs_quota_us", absl::StrCat(quota_us));
}

}  // namespace cleave::emulate
