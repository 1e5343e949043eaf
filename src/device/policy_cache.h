#ifndef CLEAVE_DEVICE_POLICY_CACHE_H_
#define CLEAVE_DEVICE_POLICY_CACHE_H_

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "device/local_model.h"
#include "policy/constraints.h"
#include "policy/policy.h"
#include "policy/policy_spec.h"

namespace cleave {

// The policy in force and what the user said it is.
struct ChosenPolicy {
  std::shared_ptr<const Policy> policy;
  std::optional<FixedPlan> plan;  // The one that the user fixed ("edge" fixes cut 0).
  bool local = false;             // The user said "device".
};

// Makes policies for one model. It keeps the learned ones that it loaded last, so that switching
// between them for every inference reads no file twice. Thread-safe.
class PolicyCache {
 public:
  // The model must outlive it. The policies choose among `encodings`.
  PolicyCache(const LocalModel& model, Constraints constraints, std::vector<Encoding> encodings)
      : model_(model), constraints_(constraints), encodings_(std::move(encodings)) {}

  // MakePolicy's errors; InvalidArgument for a fixed plan and FailedPrecondition for a learned
  // policy of plans that the model does not have.
  absl::StatusOr<ChosenPolicy> Get(const std::string& spec) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A file as it was when it was loaded.
  struct File {
    std::string path;
    std::filesystem::file_time_type written;
    std::uintmax_t bytes = 0;
    friend bool operator==(const File&, const File&) = default;
  };
  struct Loaded {
    File file;
    std::shared_ptr<const Policy> policy;
  };

  absl::Status CheckFixed(const std::string& spec, const FixedPlan& plan) const;
  absl::Status CheckLearned(const std::string& path) const;
  absl::StatusOr<std::shared_ptr<const Policy>> GetLearned(const std::string& path)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const LocalModel& model_;
  const Constraints constraints_;
  const std::vector<Encoding> encodings_;
  absl::Mutex mutex_;
  std::deque<Loaded> loaded_ ABSL_GUARDED_BY(mutex_);  // The newest first.
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_POLICY_CACHE_H_
