#ifndef CLEAVE_PROFILE_PROFILE_H_
#define CLEAVE_PROFILE_PROFILE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/cancel.h"
#include "runtime/chain.h"

namespace cleave {

// What a profile is true for. Two profiles are interchangeable only where all of it is equal.
struct ProfileKey {
  std::string model_digest;
  std::string machine;  // CPU model and core count.
  int threads = 1;
  std::string provider;         // ProviderSpec::ToString()
  std::string onnxruntime;      // Version.
  std::vector<int> boundaries;  // Cut indices of the chain that was measured.
  int exit = 0;                 // Of the model, that the chain ends at.

  friend bool operator==(const ProfileKey&, const ProfileKey&) = default;
};

// The key of profiles that this process would measure of this chain.
ProfileKey MakeProfileKey(const Chain& chain, const RuntimeOptions& options);

struct SegmentTime {
  double median_us = 0;
  double spread = 0;  // (p75 - p25) / median
  int runs = 0;
};

// Measured time of every segment of one model on one machine, by batch size. A value type; const
// access is thread-safe.
class Profile {
 public:
  Profile() = default;
  explicit Profile(ProfileKey key) : key_(std::move(key)) {}

  const ProfileKey& key() const { return key_; }
  std::vector<std::int64_t> batches() const;
  bool HasBatch(std::int64_t batch) const;

  // Replaces what is known of this batch size. REQUIRES: one entry for each segment.
  void SetBatch(std::int64_t batch, std::vector<SegmentTime> segments);

  // Time of the segments from boundary `from` to `to` (positions, not cut indices) at this batch:
  // linear between measured batch sizes, proportional beyond the largest and below the smallest.
  // REQUIRES: at least one batch measured, 0 <= from <= to < boundaries.
  double TimeUs(int from, int to, std::int64_t batch) const;

  const std::map<std::int64_t, std::vector<SegmentTime>>& by_batch() const { return by_batch_; }

  std::string ToJson() const;
  // Checks every field; `origin` names the text in errors.
  static absl::StatusOr<Profile> FromJson(absl::string_view json, const std::string& origin);

  absl::Status Save(const std::string& path) const;
  // Saves it together with the other batch sizes that the file already holds under the same key.
  // Two writers at once may lose each other's batches, never half a file.
  absl::Status SaveMerged(const std::string& path) const;
  // FailedPrecondition when the file's key is another: the message names the field, what was found
  // and expected.
  static absl::StatusOr<Profile> Load(const std::string& path, const ProfileKey& expected);

 private:
  ProfileKey key_;
  std::map<std::int64_t, std::vector<SegmentTime>> by_batch_;
};

struct MeasureOptions {
  int warmup_runs = 2;
  int min_runs = 5;
  int max_runs = 50;
  double target_spread = 0.05;            // Stop when (p75 - p25) / median of the sum is below.
  std::int64_t max_time_us = 10'000'000;  // For each batch size.
};

// Measures every segment at these batch sizes (robust: warm-up, repeats until the spread is small,
// medians). `progress` gets a fraction in [0, 1]. Batch sizes that a fixed-batch model cannot run
// are an error.
absl::StatusOr<Profile> MeasureProfile(const Chain& chain, const RuntimeOptions& runtime,
                                       const std::vector<std::int64_t>& batches,
                                       const MeasureOptions& options = {},
                                       const std::function<void(double)>& progress = {},
                                       const CancelToken& cancel = {});

// Where run and serve keep the profile of this key by themselves, under CacheDir().
std::string ProfileCachePath(const ProfileKey& key);

// Reads and keeps (merged with what is there) the profile at that place. FailedPrecondition where
// the cache folder is another user's or open to others: what lies there may be anybody's.
absl::StatusOr<Profile> LoadCachedProfile(const ProfileKey& key);
absl::Status SaveCachedProfile(const Profile& profile);

// The cached profile with at least these batch sizes; measures what is missing and stores it.
absl::StatusOr<Profile> LoadOrMeasureProfile(const Chain& chain, const RuntimeOptions& runtime,
                                             const std::vector<std::int64_t>& batches,
                                             const MeasureOptions& options = {},
                                             const std::function<void(double)>& progress = {});

}  // namespace cleave

#endif  // CLEAVE_PROFILE_PROFILE_H_
