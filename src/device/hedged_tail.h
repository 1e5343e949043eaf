#ifndef CLEAVE_DEVICE_HEDGED_TAIL_H_
#define CLEAVE_DEVICE_HEDGED_TAIL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cleave/device.h"
#include "core/clock.h"
#include "device/call_thread.h"
#include "device/local_runner.h"
#include "device/own_estimates.h"
#include "device/pass.h"
#include "device/remote_caller.h"

namespace cleave {

class HedgeRace;

// Runs what follows the head of a hedged pass: the edge's part and the hedge at once
// (docs/hedging.md). One pass at a time; overdue() from any thread.
class HedgedTail {
 public:
  // All of them must outlive it. The options have a deadline.
  HedgedTail(const DeviceOptions& options, const LocalRunner& runner, const RemoteCaller& caller,
             OwnEstimates& own, const Clock& clock)
      : options_(options), runner_(runner), caller_(caller), own_(own), clock_(clock) {}

  struct Outcome {
    bool answered = false;  // The record has outputs; else neither edge nor hedge gave any.
    // What the edge's part takes in all will be told to OwnEstimates when it is known.
    bool told_later = false;
  };
  // REQUIRES: pass.hedge, and that the pass's head has run.
  Outcome Run(Pass& pass, InferenceRecord& record);

  // Whether the edge's answer to an earlier pass is still waited for.
  bool overdue() const { return thread_.busy(); }

 private:
  std::int64_t CallTimeoutUs(const Pass& pass) const;
  std::int64_t LeftUs(const Pass& pass) const;
  void Ask(const Pass& pass, double predicted_us,
           const std::shared_ptr<const RemoteRequest>& request,
           const std::shared_ptr<HedgeRace>& race);
  void EnterHedge(const Pass& pass, std::vector<NamedTensor> outputs,
                  InferenceRecord& record) const;
  Outcome RunAlone(Pass& pass, InferenceRecord& record) const;
  Outcome LetHedgeWin(const Pass& pass, std::vector<NamedTensor> outputs, HedgeRace& race,
                      InferenceRecord& record) const;

  const DeviceOptions& options_;
  const LocalRunner& runner_;
  const RemoteCaller& caller_;
  OwnEstimates& own_;
  const Clock& clock_;
  CallThread thread_;  // Ends before all that its calls use.
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_HEDGED_TAIL_H_
