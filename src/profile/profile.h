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

// Says what a profile is true for. Two profiles are interchangeable only if all fields are equal.
struct ProfileKey {
  std::string model_digest;
  std::string machine;  // The CPU model and the number of cores.
  int threads = 1;
  std::string provider;         // As ProviderSpec::ToString() gives it.
  std::string onnxruntime;      // Its version.
  std::vector<int> boundaries;  // The cut indices of the chain that was measured.
  int exit = 0;                 // The exit of the model at which the chain ends.

  friend bool operator==(const ProfileKey&, const ProfileKey&) = default;
};

// Returns the key of the profiles that this process would measure of this chain.
ProfileKey MakeProfileKey(const Chain& chain, const RuntimeOptions& options);

struct SegmentTime {
  double median_us = 0;
  double spread = 0;  // (p75 - p25) / median
  int runs = 0;
};

// The measured time of every segment of one model on one machine, by the shapes of the model's
// inputs, of which the batch is one dimension. A value type; const access is thread-safe.
class Profile {
 public:
  Profile() = default;
  explicit Profile(ProfileKey key) : key_(std::move(key)) {}

  const ProfileKey& key() const { return key_; }
  bool empty() const { return by_shapes_.empty(); }
  bool Has(const InputShapes& shapes) const { return by_shapes_.contains(shapes); }

  // Replaces the times at these shapes. REQUIRES: there is one entry for each segment.
  void Set(const InputShapes& shapes, std::vector<SegmentTime> segments);
  // Takes over what `other` has measured, in place of what is here at the same shapes.
  void Merge(const Profile& other);

  // Returns the time of the segments from boundary `from` to `to` (positions, not cut indices) at
  // these shapes. Where they were not measured, it is taken as linear in the elements of all inputs
  // between the nearest that were, and as proportional to them beyond the largest and below the
  // smallest.
  // REQUIRES: some shapes were measured, 0 <= from <= to < boundaries.
  double TimeUs(int from, int to, const InputShapes& shapes) const;

  // Says what the profile has measured, the fewest elements first.
  struct Point {
    InputShapes shapes;
    std::vector<SegmentTime> segments;
  };
  std::vector<Point> Points() const;

  // Returns the profile in the format of docs/profile-format.md.
  std::string ToJson() const;
  // Checks every field; `origin` names the text in errors.
  static absl::StatusOr<Profile> FromJson(absl::string_view json, const std::string& origin);

  absl::Status Save(const std::string& path) const;
  // Saves it together with the other shapes that the file already holds under the same key. Two
  // concurrent writers may lose each other's, but never leave half a file.
  absl::Status SaveMerged(const std::string& path) const;
  // FailedPrecondition when the file has another key: the message names the field, what was found
  // and what was expected.
  static absl::StatusOr<Profile> Load(const std::string& path, const ProfileKey& expected);

 private:
  ProfileKey key_;
  std::map<InputShapes, std::vector<SegmentTime>> by_shapes_;
};

struct MeasureOptions {
  int warmup_runs = 2;
  int min_runs = 5;
  int max_runs = 50;
  // Measuring stops when (p75 - p25) / median of the sum is below this.
  double target_spread = 0.05;
  std::int64_t max_time_us = 10'000'000;  // Of the runs at the shapes of one point.
  // Called before each pass; an error ends the measurement with it. It may let others work first.
  std::function<absl::Status()> before_pass;
};

// Measures every segment at each of these shapes robustly: it warms up, repeats until the spread is
// small, and takes medians. `progress` gets a fraction in [0, 1]. Shapes that the model cannot run
// at are an error.
absl::StatusOr<Profile> MeasureProfile(const Chain& chain, const RuntimeOptions& runtime,
                                       const std::vector<InputShapes>& points,
                                       const MeasureOptions& options = {},
                                       const std::function<void(double)>& progress = {},
                                       const CancelToken& cancel = {});

// Returns the path under CacheDir() at which run and serve keep the profile of this key.
std::string ProfileCachePath(const ProfileKey& key);

// Load and save (merged with what is there) the profile at that path. FailedPrecondition if the
// cache folder belongs to another user or others may write to it, since what is in it may come from
// anybody.
absl::StatusOr<Profile> LoadCachedProfile(const ProfileKey& key);
absl::Status SaveCachedProfile(const Profile& profile);

// Returns the cached profile with at least these shapes; measures what is missing and stores it.
absl::StatusOr<Profile> LoadOrMeasureProfile(const Chain& chain, const RuntimeOptions& runtime,
                                             const std::vector<InputShapes>& points,
                                             const MeasureOptions& options = {},
                                             const std::function<void(double)>& progress = {});

}  // namespace cleave

#endif  // CLEAVE_PROFILE_PROFILE_H_
