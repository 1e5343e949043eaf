#include "device/hedged_tail.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/units.h"
#include "device/edge_link.h"
#include "device/timeout.h"

namespace cleave {
namespace {

// What waking up and handing over an answer may take: so long before the deadline the wait ends.
constexpr std::int64_t kHandOverUs = 500;
constexpr std::int64_t kHandOverPart = 100;  // And this part of the deadline.

// An answer of the edge that is worth no more need not be waited for.
bool EdgeIsBetter(const Pass& pass) {
  const std::optional<double>& hedge = pass.hedge->cost.accuracy;
  return !pass.cost.accuracy || !hedge || *pass.cost.accuracy > *hedge;
}

}  // namespace

// What the two runners of a race share. Thread-safe.
class HedgeRace {
 public:
  // By the edge's side; false where nobody waits any more.
  bool Deliver(RemoteAnswer answer) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    if (left_) return false;
    if (answer.status.ok()) stop_hedge_.Cancel();
    answer_ = std::move(answer);
    delivered_.SignalAll();
    return true;
  }

  // The edge's answer, good or bad, if it comes in time; else it is told to Deliver that nobody
  // waits.
  std::optional<RemoteAnswer> WaitUntil(absl::Time until) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    while (!answer_ && !delivered_.WaitWithDeadline(&mutex_, until)) {
    }
    left_ = !answer_;
    return std::exchange(answer_, std::nullopt);
  }

  const CancelToken& stop_hedge() const { return stop_hedge_; }
  const CancelToken& stop_call() const { return stop_call_; }

 private:
  const CancelToken stop_hedge_;
  const CancelToken stop_call_;
  absl::Mutex mutex_;
  absl::CondVar delivered_;
  std::optional<RemoteAnswer> answer_ ABSL_GUARDED_BY(mutex_);
  bool left_ ABSL_GUARDED_BY(mutex_) = false;
};

HedgedTail::Outcome HedgedTail::Run(Pass& pass, InferenceRecord& record) {
  absl::StatusOr<RemoteRequest> made = caller_.Make(pass, record.id);
  if (!made.ok()) {
    EnterNotSent(made.status(), record);
    return RunAlone(pass, record);
  }
  const auto request = std::make_shared<const RemoteRequest>(*std::move(made));
  const auto race = std::make_shared<HedgeRace>();
  Ask(pass, record.predicted_us, request, race);
  absl::StatusOr<std::vector<NamedTensor>> hedge =
      runner_.RunHedge(pass, race->stop_hedge(), record);
  absl::Time until = absl::InfiniteFuture();  // The call itself ends by its timeout.
  if (hedge.ok()) {
    record.hedge->finished_us = clock_.NowUs() - pass.start_us;
    until = absl::Now() + absl::Microseconds(EdgeIsBetter(pass) ? LeftUs(pass) : 0);
  }
  std::optional<RemoteAnswer> answer = race->WaitUntil(until);
  const bool edge_wins = answer && answer->status.ok() && (!hedge.ok() || EdgeIsBetter(pass));
  if (!hedge.ok() || edge_wins) {
    return {.answered = EnterAnswer(*request, *std::move(answer), record)};
  }
  if (!answer) return LetHedgeWin(pass, *std::move(hedge), *race, record);
  if (!answer->status.ok()) EnterAnswer(*request, *std::move(answer), record);
  EnterHedge(pass, *std::move(hedge), record);
  return {.answered = true};
}

std::int64_t HedgedTail::LeftUs(const Pass& pass) const {
  const std::int64_t deadline_us = *options_.deadline_us;
  const std::int64_t until_us =
      pass.start_us + deadline_us - kHandOverUs - deadline_us / kHandOverPart;
  return std::max<std::int64_t>(0, until_us - clock_.NowUs());
}

// Past the deadline the call goes on for what it can still tell about link and edge.
std::int64_t HedgedTail::CallTimeoutUs(const Pass& pass) const {
  WaitTerms terms = TermsOfWait(pass, options_, clock_.NowUs());
  terms.remaining_us.reset();
  terms.user_chose_plan = false;
  return std::min(options_.remote_timeout_us, std::max(RemoteTimeoutUs(terms), LeftUs(pass)));
}

void HedgedTail::Ask(const Pass& pass, double predicted_us,
                     const std::shared_ptr<const RemoteRequest>& request,
                     const std::shared_ptr<HedgeRace>& race) {
  const std::int64_t timeout_us = CallTimeoutUs(pass);
  const auto call = [this, race, request, timeout_us, predicted_us, start_us = pass.start_us] {
    RemoteAnswer answer = caller_.Ask(*request, timeout_us, race->stop_call());
    if (race->Deliver(std::move(answer)) || race->stop_call().cancelled()) return;
    own_.AddInference(predicted_us, static_cast<double>(clock_.NowUs() - start_us),
                      /*missed=*/false, /*remote=*/true);
  };
  thread_.Start(call, race->stop_call());
}

HedgedTail::Outcome HedgedTail::RunAlone(Pass& pass, InferenceRecord& record) const {
  absl::StatusOr<std::vector<NamedTensor>> hedge = runner_.RunHedge(pass, CancelToken(), record);
  if (!hedge.ok()) return {};
  record.hedge->finished_us = clock_.NowUs() - pass.start_us;
  EnterHedge(pass, *std::move(hedge), record);
  return {.answered = true};
}

HedgedTail::Outcome HedgedTail::LetHedgeWin(const Pass& pass, std::vector<NamedTensor> outputs,
                                            HedgeRace& race, InferenceRecord& record) const {
  const std::int64_t waited_us = clock_.NowUs() - pass.start_us;
  record.fallback =
      EdgeIsBetter(pass)
          ? absl::StrCat("late: no answer after ", FormatDuration(static_cast<double>(waited_us)))
          : std::string("late: the hedge, as accurate, was done first");
  if (!EdgeIsBetter(pass)) race.stop_call().Cancel();
  EnterHedge(pass, std::move(outputs), record);
  return {.answered = true, .told_later = EdgeIsBetter(pass)};
}

void HedgedTail::EnterHedge(const Pass& pass, std::vector<NamedTensor> outputs,
                            InferenceRecord& record) const {
  record.outputs = std::move(outputs);
  record.plan = pass.hedge->cost.plan;
  record.accuracy = pass.hedge->cost.accuracy;
  record.where = Where::kDevice;
  record.hedge->won = true;
  Timeline& time = record.timeline;
  time.tail_us = std::max<std::int64_t>(
      0, *record.hedge->finished_us - time.decide_us - time.prepare_us - time.head_us);
  time.wasted_us = clock_.NowUs() - pass.start_us - *record.hedge->finished_us;
}

}  // namespace cleave
