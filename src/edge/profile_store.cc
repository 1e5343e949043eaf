#include "edge/profile_store.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::size_t kMaxBatches = 16;
constexpr std::int64_t kMaxBatch = 1024;
constexpr absl::Duration kPoll = absl::Milliseconds(20);
constexpr double kMeasureOneBatchUs = 2e6;

bool HasAll(const Profile& profile, const std::vector<std::int64_t>& batches) {
  return std::all_of(batches.begin(), batches.end(),
                     [&](std::int64_t batch) { return profile.HasBatch(batch); });
}

std::vector<std::int64_t> Missing(const Profile& profile,
                                  const std::vector<std::int64_t>& batches) {
  std::vector<std::int64_t> missing;
  for (const std::int64_t batch : batches) {
    if (!profile.HasBatch(batch)) missing.push_back(batch);
  }
  return missing;
}

}  // namespace

ProfileStore::ProfileStore(RuntimeOptions runtime, Admission& admission,
                           std::int64_t max_input_bytes)
    : runtime_(std::move(runtime)), admission_(admission), max_input_bytes_(max_input_bytes) {}

absl::StatusOr<std::string> ProfileStore::Get(const ServedModel& model, int exit,
                                              const std::vector<std::int64_t>& batches,
                                              const CallContext& context) {
  const std::vector<std::int64_t> asked = batches.empty() ? std::vector<std::int64_t>{1} : batches;
  CLEAVE_RETURN_IF_ERROR(CheckBatches(model, exit, asked));
  const Key key(model.digest(), exit);
  CLEAVE_ASSIGN_OR_RETURN(const Next next, BeginMeasuring(key, asked, context));
  if (next == Next::kMeasure) {
    const absl::Cleanup done = [&] { EndMeasuring(key); };
    CLEAVE_RETURN_IF_ERROR(Measure(model, exit, asked, context));
  }
  return Known(key).ToJson();
}

absl::Status ProfileStore::CheckBatches(const ServedModel& model, int exit,
                                        const std::vector<std::int64_t>& batches) const {
  if (batches.size() > kMaxBatches) {
    return absl::InvalidArgumentError(absl::StrCat("profile: found ", batches.size(),
                                                   " batch sizes, expected at most ", kMaxBatches));
  }
  for (const std::int64_t batch : batches) {
    if (batch < 1 || batch > kMaxBatch) {
      return absl::InvalidArgumentError(
          absl::StrCat("profile: found a batch size of ", batch, ", expected 1 to ", kMaxBatch));
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<TensorSpec> inputs,
                            model.chain(exit).graph().InputsAtBatch(batch));
    for (const TensorSpec& input : inputs) {
      CLEAVE_ASSIGN_OR_RETURN(const std::int64_t elements, ElementCount(input.shape));
      if (elements > max_input_bytes_ / static_cast<std::int64_t>(ElementSize(input.dtype))) {
        return absl::InvalidArgumentError(
            absl::StrCat("profile: at batch ", batch, " the input '", input.name,
                         "' is over the edge's largest message of ", max_input_bytes_, " bytes"));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ProfileStore::Next> ProfileStore::BeginMeasuring(
    const Key& key, const std::vector<std::int64_t>& batches, const CallContext& context) {
  const absl::MutexLock lock(&mutex_);
  const auto free = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return measuring_.count(key) == 0;
  };
  while (!mutex_.AwaitWithTimeout(absl::Condition(&free), kPoll)) {
    if (context.cancel.cancelled()) return absl::CancelledError("cancelled while measuring");
  }
  const auto known = by_key_.find(key);
  if (known != by_key_.end() && HasAll(known->second, batches)) return Next::kUseKnown;
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
                                   const std::vector<std::int64_t>& batches,
                                   const CallContext& context) {
  const ProfileKey key = MakeProfileKey(model.chain(exit), runtime_);
  Profile profile = LoadCachedProfile(key).value_or(Profile(key));
  if (const std::vector<std::int64_t> missing = Missing(profile, batches); !missing.empty()) {
    Admission::Request request;
    request.expected_us = kMeasureOneBatchUs * static_cast<double>(missing.size());
    request.deadline_us = context.deadline_us;
    request.cancel = context.cancel;
    request.exclusive = true;
    CLEAVE_ASSIGN_OR_RETURN(const Admission::Permit permit, admission_.Enter(request));
    CLEAVE_ASSIGN_OR_RETURN(
        const Profile measured,
        MeasureProfile(model.chain(exit), runtime_, missing, {}, {}, context.cancel));
    for (const auto& [batch, segments] : measured.by_batch()) profile.SetBatch(batch, segments);
    // A cache that cannot be written costs the next start a measurement, nothing else.
    SaveCachedProfile(profile).IgnoreError();
  }
  const absl::MutexLock lock(&mutex_);
  by_key_[Key(model.digest(), exit)] = std::move(profile);
  return absl::OkStatus();
}

}  // namespace cleave
