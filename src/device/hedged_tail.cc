#include "device/hedged_tail.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

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
constexpr std::int64_t kHandOverPart = 100;  // This part of the deadline comes on top.

// An answer of the edge that is worth no more need not be waited for.
bool EdgeIsBetter(const Decided& decided) {
  const std::optional<double>& hedge = decided.hedge->cost.accuracy;
  return !decided.cost.accuracy || !hedge || *decided.cost.accuracy > *hedge;
}

HedgeRecord RecordOf(const Decided& decided, const HedgeRun& hedge) {
  HedgeRecord record;
  record.plan = decided.hedge->cost.plan;
  if (hedge.outputs.ok()) record.finished_us = hedge.finished_us;
  return record;
}

// The outcome without the hedge, with what the hedge was and took of the device.
EdgeOutcome WithHedge(EdgeOutcome outcome, const Decided& decided, HedgeRun hedge) {
  std::visit(
      [&](auto& ended) {
        ended.hedge = RecordOf(decided, hedge);
        if (hedge.input) ended.time.prepare_us = hedge.input->prepare_us;
      },
      outcome);
  if (auto* unanswered = std::get_if<Unanswered>(&outcome)) {
    unanswered->input = std::move(hedge.input);
  }
  return outcome;
}

}  // namespace

// What the two runners of a race share. Thread-safe.
class HedgeRace {
 public:
  // Hands over the edge's answer. False where nobody waits any more.
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

EdgeOutcome HedgedTail::Run(const InferenceRequest& request, const Decided& decided,
                            const HeadRun& head) {
  absl::StatusOr<RemoteRequest> made = caller_.Make(request, decided, head);
  if (!made.ok()) return RunAlone(request, decided, head, made.status());
  const auto remote = std::make_shared<const RemoteRequest>(*std::move(made));
  const auto race = std::make_shared<HedgeRace>();
  Ask(request, decided, remote, race);
  HedgeRun hedge = runner_.RunHedge(request, decided, head, race->stop_hedge());
  absl::Time until = absl::InfiniteFuture();  // The call itself ends by its timeout.
  if (hedge.outputs.ok()) {
    until = absl::Now() + absl::Microseconds(EdgeIsBetter(decided) ? LeftUs(request) : 0);
  }
  std::optional<RemoteAnswer> answer = race->WaitUntil(until);
  const bool edge_wins =
      answer && answer->status.ok() && (!hedge.outputs.ok() || EdgeIsBetter(decided));
  if (!hedge.outputs.ok() || edge_wins) {
    return WithHedge(OutcomeOf(decided, *remote, *std::move(answer)), decided, std::move(hedge));
  }
  if (!answer) return LateAnswer(request, decided, head, std::move(hedge), *race);
  std::optional<std::string> fallback;
  if (!answer->status.ok()) fallback = FallbackText(*answer);
  return HedgeAnswer(request, decided, head, std::move(hedge), std::move(fallback));
}

std::int64_t HedgedTail::LeftUs(const InferenceRequest& request) const {
  const std::int64_t deadline_us = *request.deadline_us;
  const std::int64_t until_us =
      request.start_us + deadline_us - kHandOverUs - deadline_us / kHandOverPart;
  return std::max<std::int64_t>(0, until_us - clock_.NowUs());
}

// Past the deadline the call goes on for what it can still tell about link and edge.
std::int64_t HedgedTail::CallTimeoutUs(const InferenceRequest& request,
                                       const Decided& decided) const {
  WaitTerms terms = TermsOfWait(request, decided, remote_timeout_us_, clock_.NowUs());
  terms.remaining_us.reset();
  terms.user_chose_plan = false;
  return std::min(remote_timeout_us_, std::max(RemoteTimeoutUs(terms), LeftUs(request)));
}

void HedgedTail::Ask(const InferenceRequest& request, const Decided& decided,
                     const std::shared_ptr<const RemoteRequest>& remote,
                     const std::shared_ptr<HedgeRace>& race) {
  const std::int64_t timeout_us = CallTimeoutUs(request, decided);
  const auto call = [this, race, remote, timeout_us, predicted_us = decided.predicted_us,
                     start_us = request.start_us] {
    RemoteAnswer answer = caller_.Ask(*remote, timeout_us, race->stop_call());
    if (race->Deliver(std::move(answer)) || race->stop_call().cancelled()) return;
    own_.AddInference({.predicted_us = predicted_us,
                       .latency_us = static_cast<double>(clock_.NowUs() - start_us),
                       .missed = false,
                       .remote = true});
  };
  thread_.Start(call, race->stop_call());
}

EdgeOutcome HedgedTail::RunAlone(const InferenceRequest& request, const Decided& decided,
                                 const HeadRun& head, const absl::Status& not_sent) const {
  HedgeRun hedge = runner_.RunHedge(request, decided, head, CancelToken());
  if (hedge.outputs.ok()) {
    return HedgeAnswer(request, decided, head, std::move(hedge), NotSentText(not_sent));
  }
  Unanswered unanswered;
  unanswered.fallback = NotSentText(not_sent);
  return WithHedge(std::move(unanswered), decided, std::move(hedge));
}

Answer HedgedTail::LateAnswer(const InferenceRequest& request, const Decided& decided,
                              const HeadRun& head, HedgeRun hedge, HedgeRace& race) const {
  const std::int64_t waited_us = clock_.NowUs() - request.start_us;
  const bool edge_is_better = EdgeIsBetter(decided);
  if (!edge_is_better) race.stop_call().Cancel();
  Answer answer = HedgeAnswer(
      request, decided, head, std::move(hedge),
      edge_is_better
          ? absl::StrCat("late: no answer after ", FormatDuration(static_cast<double>(waited_us)))
          : "late: the hedge, as accurate, was done first");
  answer.learned_later = edge_is_better;
  return answer;
}

Answer HedgedTail::HedgeAnswer(const InferenceRequest& request, const Decided& decided,
                               const HeadRun& head, HedgeRun hedge,
                               std::optional<std::string> fallback) const {
  Answer answer;
  answer.outputs = *std::move(hedge.outputs);
  answer.plan = decided.hedge->cost.plan;
  answer.accuracy = decided.hedge->cost.accuracy;
  answer.fallback = std::move(fallback);
  answer.hedge = HedgeRecord{answer.plan, hedge.finished_us, /*won=*/true};
  if (hedge.input) answer.time.prepare_us = hedge.input->prepare_us;
  answer.time.tail_us =
      std::max<std::int64_t>(0, hedge.finished_us - decided.decide_us - head.prepare_us -
                                    answer.time.prepare_us - head.progress.run_us);
  answer.time.wasted_us = clock_.NowUs() - request.start_us - hedge.finished_us;
  return answer;
}

}  // namespace cleave
