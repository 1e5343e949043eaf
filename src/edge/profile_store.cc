#include "edge/profile_store.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::size_t kMaxPoints = 16;
constexpr std::int64_t kMaxBatch = 1024;
constexpr absl::Duration kPoll = absl::Milliseconds(20);
constexpr double kMeasureOnePointUs = 2e6;

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

ProfileStore::ProfileStore(RuntimeOptions runtime, Admission& admission,
                           std::int64_t max_input_bytes)
    : runtime_(std::move(runtime)), admission_(admission), max_input_bytes_(max_input_bytes) {}

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
    if (batch < 1 || batch > kMaxBatch) {
      return FieldError("profile", absl::StrCat("a batch size of ", batch),
                        absl::StrCat("1 to ", kMaxBatch));
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
    if (EstimatedBytes(input.dtype, input.shape) > max_input_bytes_) {
      return absl::InvalidArgumentError(
          absl::StrCat("profile: the input '", input.name, "' of ", ShapeString(input.shape),
                       " is over the edge's largest message of ", max_input_bytes_, " bytes"));
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
  if (const std::vector<InputShapes> missing = Missing(profile, points); !missing.empty()) {
    Admission::Request request;
    request.expected_us = kMeasureOnePointUs * static_cast<double>(missing.size());
    request.deadline_us = context.deadline_us;
    request.cancel = context.cancel;
    request.exclusive = true;
    CLEAVE_ASSIGN_OR_RETURN(const Admission::Permit permit, admission_.Enter(request));
    CLEAVE_ASSIGN_OR_RETURN(
        const Profile measured,
        MeasureProfile(model.chain(exit), runtime_, missing, {}, {}, context.cancel));
    profile.Merge(measured);
    // A cache that cannot be written costs the next start a measurement, nothing else.
    SaveCachedProfile(profile).IgnoreError();
  }
  const absl::MutexLock lock(&mutex_);
  by_key_[Key(model.digest(), exit)] = std::move(profile);
  return absl::OkStatus();
}

}  // namespace cleave
