#ifndef CLEAVE_DEVICE_EDGE_ESTIMATES_H_
#define CLEAVE_DEVICE_EDGE_ESTIMATES_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "device/edge_view.h"
#include "device/queue_tracker.h"
#include "link/estimator.h"
#include "link/one_way.h"
#include "link/overlap.h"
#include "link/probe_planner.h"
#include "profile/slowdown.h"
#include "wire/client.h"

namespace cleave {

// A request that ended without a usable answer.
struct FailedAttempt {
  double bytes_up = 0;
  double bytes_down = 0;
  double predicted_network_us = 0;
  double predicted_edge_us = 0;  // The predicted wait and tail.
  std::int64_t waited_us = 0;
};

// The payload of a probe and of its answer.
struct ProbeSize {
  std::int64_t bytes_up = 0;
  std::int64_t bytes_down = 0;
};

// A probe that the edge answered.
struct AnsweredProbe {
  EdgeClient::ProbeResult result;
  ProbeSize size;
  bool beside_traffic = false;  // A request was under way, so that the probe's time tells nothing.
};

class EdgeEstimates;

// The probes that follow a greeting, one after the other. On a link that is known there is a small
// one only: it proves the link alive and refreshes the round trip, while a larger one could ride on
// a shaper's burst and hide the rate that real transfers have shown.
class GreetingProbes {
 public:
  enum class Extent { kProveAlive, kMeasure };
  explicit GreetingProbes(Extent extent) : extent_(extent) {}

  // The next probe; nothing at the end.
  std::optional<ProbeSize> Next(const EdgeEstimates& estimates, std::int64_t now_us);

 private:
  Extent extent_;
  int sent_ = 0;
};

// What a device learns of an edge and of the link to it, from every exchange and probe that ended.
// It has no clock and no threads: EdgeLink feeds it in real time, and the environment that policies
// learn in (src/world/simulated_environment.h) in simulated time. Thread-compatible: callers lock.
class EdgeEstimates {
 public:
  explicit EdgeEstimates(const ProbeOptions& probes = {}) : planner_(probes) {}

  LinkEstimate Link(std::int64_t now_us) const { return estimator_.Get(now_us); }

  // What the edge's slow-down is measured against.
  enum class SlowdownBasis { kEdgeProfile, kStandIn };
  // A view with link, slow-down and queue; the caller fills in the other fields. Against a stand-in
  // the slow-down is uncertain.
  EdgeView View(SlowdownBasis basis, std::int64_t now_us) const;

  // A request of so many bytes is handed over. Returns its number for the next two, one of which
  // must follow.
  std::int64_t BeginExchange(double bytes_up, std::int64_t now_us);
  // Its answer has come, which tells of the link. `profile_tail_us` stands for the edge's time
  // where the edge does not tell it.
  void EndExchange(std::int64_t number, const InferExchange& done,
                   std::optional<double> profile_tail_us, std::int64_t now_us);
  // It ended without an answer.
  void AbandonExchange(std::int64_t number, std::int64_t now_us);
  // What an answer that is right tells of the edge. Without `profile_tail_us`, it says nothing of
  // the edge's slow-down.
  void LearnEdge(const InferExchange& done, std::optional<double> profile_tail_us,
                 std::int64_t now_us);
  // A request got no answer in time. Its transfer counts as a sample once the link proves alive
  // (BeginGreeting).
  void AddTimeout(const FailedAttempt& attempt, std::int64_t now_us);
  // The edge was out of reach.
  void AddFailure(std::int64_t now_us) { estimator_.AddFailure(now_us); }
  void AddWait(double wait_us, std::int64_t now_us) { queue_.Report(wait_us, now_us); }
  // The link did not even carry a greeting, so that a transfer that was given up says nothing of
  // rates.
  void ForgetTimeout() { unfinished_.reset(); }
  // The edge has another profile, so that what was learned of its speed is void.
  void ForgetSlowdown() { slowdown_ = SlowdownTracker(); }

  // The edge answers again, or for the first time. Returns the probes that follow.
  GreetingProbes BeginGreeting(std::int64_t now_us);

  // The payload of the probe that is due if the link is idle at `now_us`, or nothing; and when to
  // ask again at the latest.
  std::optional<std::int64_t> ProbeDue(std::int64_t now_us);
  std::int64_t NextCheckUs(std::int64_t now_us) const { return planner_.NextCheckUs(now_us); }

  // How long to wait for the answer of a probe that leaves now.
  std::int64_t OnProbeSent(const ProbeSize& probe, std::int64_t now_us);
  void OnProbeFailed(std::int64_t now_us);
  // The payload of the probe that must follow to make sense of this one; 0: none must.
  std::int64_t OnProbeAnswered(const AnsweredProbe& probe, std::int64_t now_us);

 private:
  // What the edge takes besides queue, decoding and run (parsing, making its answer) grows with the
  // size of the message, so it is learned as part of the link.
  double TailUs(const InferExchange& done, std::optional<double> profile_tail_us) const;
  void AddSamples(const std::vector<TransferSample>& samples, std::int64_t now_us);

  // A transfer that was given up, to be believed once the link proves alive: a dead one says
  // nothing about rates.
  std::optional<TransferSample> unfinished_;
  LinkEstimator estimator_;
  OverlappingTransfers transfers_;
  OneWayTimer one_way_;
  ProbePlanner planner_;
  SlowdownTracker slowdown_;
  QueueTracker queue_;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_EDGE_ESTIMATES_H_
