#include "experiments/rig/stream.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/clock.h"
#include "core/statistics.h"
#include "core/status_macros.h"

namespace cleave::experiments::rig {
namespace {

// The answers of a stream, which come on the device's own threads. Thread-safe.
class Answers {
 public:
  void Expect() ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    ++missing_;
  }

  // In place of an answer that will not come.
  void Forgo() ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    --missing_;
  }

  void Add(const absl::StatusOr<InferenceRecord>& record, std::int64_t now_us)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    --missing_;
    error_.Update(record.status());
    if (!record.ok()) return;
    answered_us_.push_back(static_cast<double>(now_us));
    result_.latencies_us.push_back(static_cast<double>(record->latency_us));
    bytes_up_.push_back(static_cast<double>(record->bytes_up));
    bytes_down_.push_back(static_cast<double>(record->bytes_down));
    accuracies_.push_back(record->accuracy.value_or(0));
    up_bps_.push_back(record->link_up_bps);
    result_.fallbacks += record->fallback ? 1 : 0;
    const Plan& plan = record->plan;
    ++result_.plans[absl::StrCat(plan.cut, "/", EncodingName(plan.encoding), "/", plan.exit)];
  }

  bool failed() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    return !error_.ok();
  }

  absl::StatusOr<StreamResult> WaitForAll() ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](std::int64_t* missing) { return *missing == 0; }, &missing_));
    CLEAVE_RETURN_IF_ERROR(error_);
    StreamResult result = result_;
    result.frames = static_cast<int>(answered_us_.size());
    if (result.frames == 0) return result;
    const auto [first, last] = std::minmax_element(answered_us_.begin(), answered_us_.end());
    if (*last > *first) result.frames_per_s = (result.frames - 1) * 1e6 / (*last - *first);
    result.bytes_up = Mean(bytes_up_);
    result.bytes_down = Mean(bytes_down_);
    result.expected_accuracy = Mean(accuracies_);
    result.believed_up_bps = Median(up_bps_);
    return result;
  }

 private:
  mutable absl::Mutex mutex_;
  std::int64_t missing_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  StreamResult result_ ABSL_GUARDED_BY(mutex_);
  std::vector<double> answered_us_ ABSL_GUARDED_BY(mutex_);
  std::vector<double> bytes_up_ ABSL_GUARDED_BY(mutex_);
  std::vector<double> bytes_down_ ABSL_GUARDED_BY(mutex_);
  std::vector<double> accuracies_ ABSL_GUARDED_BY(mutex_);
  std::vector<double> up_bps_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<StreamResult> RunStream(Device& device, const StreamTerms& terms,
                                       const StreamFiles& files) {
  Answers answers;
  const Clock& clock = Clock::Steady();
  const std::int64_t end_us = clock.NowUs() + std::llround(terms.seconds * 1e6);
  absl::Status status;
  for (std::int64_t item = terms.first_item; clock.NowUs() < end_us && !answers.failed(); ++item) {
    absl::StatusOr<std::vector<std::string>> pictures = files(item);
    status = pictures.status();
    if (!status.ok()) break;
    answers.Expect();
    status = device.InferPicturesAsync(
        *std::move(pictures), [&answers, &clock](const absl::StatusOr<InferenceRecord>& record) {
          answers.Add(record, clock.NowUs());
        });
    if (status.ok()) continue;
    answers.Forgo();
    break;
  }
  absl::StatusOr<StreamResult> result = answers.WaitForAll();
  CLEAVE_RETURN_IF_ERROR(status);
  return result;
}

}  // namespace cleave::experiments::rig
