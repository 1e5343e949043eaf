#include "edge/profile_store.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::size_t kMaxPoints = 16;
constexpr std::size_t kMaxKnownPoints = 256;
constexpr absl::Duration kPoll = absl::Milliseconds(20);
constexpr std::int64_t kSliceUs = 100'000;
// A device waits for its profile, so this is what its shapes get, and the other requests the rest.
constexpr std::int64_t kMaxPointUs = 5'000'000;

// Holds all workers for the passes of a measurement, but lets others have their turn after a slice.
class Slices {
 public:
  Slices(Admission& admission, const CallContext& context) : admission_(admission) {
    request_.client = context.peer;
    request_.expected_us = static_cast<double>(kSliceUs);
    request_.deadline_us = context.deadline_us;
    request_.cancel = context.cancel;
    request_.exclusive = true;
  }

  absl::Status BeforePass() {
    const std::int64_t now_us = Clock::Steady().NowUs();
    if (permit_ && now_us - entered_us_ < kSliceUs) return absl::OkStatus();
    permit_.reset();
    CLEAVE_ASSIGN_OR_RETURN(Admission::Permit permit, admission_.Enter(request_));
    permit_.emplace(std::move(permit));
    request_.continues = true;
    entered_us_ = Clock::Steady().NowUs();
    return absl::OkStatus();
  }

 private:
  Admission& admission_;
  Admission::Request request_;
  std::optional<Admission::Permit> permit_;
  std::int64_t entered_us_ = 0;
};

bool HasAll(const Profile& profile, const std::vector<InputShapes>& points) {
  return std::all_of(points.begin(), points.end(),
                     [&](const InputShapes& shapes) { return profile.Has(shapes); });
}

std::vector<InputShapes> Missing(const Profile& profile, const std::vector<InputShapes>& points) {
  std::vector<InputShapes> missing;
  for (const InputShapes& shapes : points) {
    if (!profile.Has(shapes)) missing.push_back(shapes);
  }
  return missing;
}

}  // namespace

ProfileStore::ProfileStore(RuntimeOptions runtime, Admission& admission, const Limits& limits)
    : runtime_(std::move(runtime)), admission_(admission), limits_(limits) {}

absl::StatusOr<std::string> ProfileStore::Get(const ServedModel& model, int exit,
                                              const ProfileQuery& query,
                                              const CallContext& context) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<InputShapes> asked, PointsOf(model, exit, query));
  const Key key(model.digest(), exit);
  CLEAVE_ASSIGN_OR_RETURN(const Next next, BeginMeasuring(key, asked, context));
  if (next == Next::kMeasure) {
    const absl::Cleanup done = [&] { EndMeasuring(key); };
    CLEAVE_RETURN_IF_ERROR(Measure(model, exit, asked, context));
  }
  return Known(key).ToJson();
}

absl::StatusOr<std::vector<InputShapes>> ProfileStore::PointsOf(const ServedModel& model, int exit,
                                                                const ProfileQuery& query) const {
  if (query.batches.size() + query.points.size() > kMaxPoints) {
    return FieldError(
        "profile",
        absl::StrCat(query.batches.size(), " batch sizes and ", query.points.size(), " shapes"),
        absl::StrCat("at most ", kMaxPoints));
  }
  const Graph& graph = model.chain(exit).graph();
  std::vector<InputShapes> points = query.points;
  for (const std::int64_t batch : query.batches) {
    if (batch < 1 || batch > limits_.max_batch) {
      return FieldError("profile", absl::StrCat("a batch size of ", batch),
                        absl::StrCat("1 to ", limits_.max_batch, " (--max-batch)"));
    }
    CLEAVE_ASSIGN_OR_RETURN(InputShapes shapes, model.ShapesAtBatch(exit, batch));
    points.push_back(std::move(shapes));
  }
  if (points.empty()) points.push_back(model.shapes(exit));
  for (const InputShapes& shapes : points) CLEAVE_RETURN_IF_ERROR(CheckPoint(graph, shapes));
  return points;
}

absl::Status ProfileStore::CheckPoint(const Graph& graph, const InputShapes& shapes) const {
  if (shapes.size() != graph.inputs().size()) {
    return FieldError("profile: inputs", shapes.size(), graph.inputs().size());
  }
  CLEAVE_RETURN_IF_ERROR(CheckShapes(graph, shapes));
  for (const TensorSpec& input : SpecsOf(graph, shapes)) {
    CLEAVE_RETURN_IF_ERROR(ElementCount(input.shape).status());
    if (EstimatedBytes(input.dtype, input.shape) > limits_.max_input_bytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          "profile: the input '", input.name, "' of ", ShapeString(input.shape),
          " is over the edge's largest message of ", limits_.max_input_bytes, " bytes"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ProfileStore::Next> ProfileStore::BeginMeasuring(
    const Key& key, const std::vector<InputShapes>& points, const CallContext& context) {
  const absl::MutexLock lock(&mutex_);
  const auto free = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return measuring_.count(key) == 0;
  };
  while (!mutex_.AwaitWithTimeout(absl::Condition(&free), kPoll)) {
    if (context.cancel.cancelled()) return absl::CancelledError("cancelled while measuring");
  }
  const auto known = by_key_.find(key);
  if (known != by_key_.end() && HasAll(known->second, points)) return Next::kUseKnown;
  measuring_.insert(key);
  return Next::kMeasure;
}

void ProfileStore::EndMeasuring(const Key& key) {
  const absl::MutexLock lock(&mutex_);
  measuring_.erase(key);
}

Profile ProfileStore::Known(const Key& key) const {
  const absl::MutexLock lock(&mutex_);
  const auto known = by_key_.find(key);
  return known == by_key_.end() ? Profile() : known->second;
}

absl::Status ProfileStore::Measure(const ServedModel& model, int exit,
                                   const std::vector<InputShapes>& points,
                                   const CallContext& context) {
  const ProfileKey key = MakeProfileKey(model.chain(exit), runtime_);
  Profile profile = LoadCachedProfile(key).value_or(Profile(key));
  profile.Merge(Known(Key(model.digest(), exit)));
  if (const std::vector<InputShapes> missing = Missing(profile, points); !missing.empty()) {
    if (profile.Points().size() + missing.size() > kMaxKnownPoints) {
      return absl::ResourceExhaustedError(
          absl::StrCat("profile: found ", profile.Points().size(), " shapes that are known and ",
                       missing.size(), " more, expected at most ", kMaxKnownPoints));
    }
    Slices slices(admission_, context);
    MeasureOptions how;
    how.max_time_us = kMaxPointUs;
    how.before_pass = [&slices] { return slices.BeforePass(); };
    for (const InputShapes& shapes : missing) {
      CLEAVE_ASSIGN_OR_RETURN(
          const Profile measured,
          MeasureProfile(model.chain(exit), runtime_, {shapes}, how, {}, context.cancel));
      profile.Merge(measured);
      Keep(Key(model.digest(), exit), profile);
    }
    // A cache that cannot be written costs the next start a measurement, nothing else.
    SaveCachedProfile(profile).IgnoreError();
  }
  Keep(Key(model.digest(), exit), profile);
  return absl::OkStatus();
}

void ProfileStore::Keep(const Key& key, const Profile& profile) {
  const absl::MutexLock lock(&mutex_);
  by_key_[key] = profile;
}

}  // namespace cleave
