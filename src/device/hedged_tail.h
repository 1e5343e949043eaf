#ifndef CLEAVE_DEVICE_HEDGED_TAIL_H_
#define CLEAVE_DEVICE_HEDGED_TAIL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "core/clock.h"
#include "device/call_thread.h"
#include "device/inference.h"
#include "device/local_runner.h"
#include "device/own_estimates.h"
#include "device/remote_caller.h"

namespace cleave {

class HedgeRace;

// Runs what follows the head of a hedged inference: the edge's part and the hedge at once
// (docs/hedging.md). Run is called by one thread at a time, overdue() by any.
class HedgedTail {
 public:
  // The others must outlive it. `remote_timeout_us` is the longest wait for an edge.
  HedgedTail(std::int64_t remote_timeout_us, const LocalRunner& runner, const RemoteCaller& caller,
             OwnEstimates& own, const Clock& clock)
      : remote_timeout_us_(remote_timeout_us),
        runner_(runner),
        caller_(caller),
        own_(own),
        clock_(clock) {}

  // Returns the better answer that is in time; Unanswered where neither edge nor hedge gave one.
  // REQUIRES: decided.hedge, a deadline, and that `head` ended at the cut.
  EdgeOutcome Run(const InferenceRequest& request, const Decided& decided, const HeadRun& head);

  // Whether the edge's answer to an earlier inference is still waited for.
  bool overdue() const { return thread_.busy(); }

 private:
  EdgeOutcome RunAlone(const InferenceRequest& request, const Decided& decided, const HeadRun& head,
                       const absl::Status& not_sent) const;
  std::int64_t CallTimeoutUs(const InferenceRequest& request, const Decided& decided) const;
  std::int64_t LeftUs(const InferenceRequest& request) const;
  void Ask(const InferenceRequest& request, const Decided& decided,
           const std::shared_ptr<const RemoteRequest>& remote,
           const std::shared_ptr<HedgeRace>& race);
  Answer LateAnswer(const InferenceRequest& request, const Decided& decided, const HeadRun& head,
                    HedgeRun hedge, HedgeRace& race) const;
  Answer HedgeAnswer(const InferenceRequest& request, const Decided& decided, const HeadRun& head,
                     HedgeRun hedge, std::optional<std::string> fallback) const;

  const std::int64_t remote_timeout_us_;
  const LocalRunner& runner_;
  const RemoteCaller& caller_;
  OwnEstimates& own_;
  const Clock& clock_;
  CallThread thread_;  // Ends before all that its calls use.
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_HEDGED_TAIL_H_
