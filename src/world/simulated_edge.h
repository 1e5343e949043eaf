#ifndef CLEAVE_WORLD_SIMULATED_EDGE_H_
#define CLEAVE_WORLD_SIMULATED_EDGE_H_

#include <cstdint>
#include <optional>

#include "device/backoff.h"
#include "device/edge_estimates.h"
#include "device/edge_link.h"
#include "device/edge_view.h"
#include "policy/predict.h"
#include "world/plan_run.h"

namespace cleave::world {

// What EdgeLink is to a device, in simulated time: greets the edge, probes the link in silence,
// notices when it is gone and comes back. What is learned and when a probe is due is EdgeLink's own
// code (src/device/edge_estimates.h). Thread-compatible; `world` must outlive it.
class SimulatedEdge {
 public:
  SimulatedEdge(World& world, std::uint64_t seed, std::int64_t reply_bytes);

  // Does all that the background does until then; a request is under way all the while, or not.
  void AdvanceTo(double t_us, bool in_flight);

  bool connected() const { return state_ == State::kConnected; }
  EdgeView View(double now_us) const;

  // From when on the link is free of probes and requests.
  double up_free_us() const { return up_free_us_; }
  double down_free_us() const { return down_free_us_; }

  // A request that was sent as `run` tells; call after AdvanceTo(run.answered_us, true).
  void Report(const PlanCost& cost, bool entropy, const PlanRun& run, const Prediction& predicted);

 private:
  enum class State : std::uint8_t { kLost, kGreeting, kProbingNewLink, kConnected };

  // A call that is under way: a probe, or a greeting.
  struct Call {
    ProbeSize size;
    double sent_us = 0;
    double arrived_us = 0;
    double end_us = 0;
    bool answered = false;
  };

  static std::int64_t Us(double us);
  Call CallAt(const ProbeSize& size, double now_us, double timeout_us);
  void Send(const ProbeSize& size, double now_us);
  void Greet(double now_us);
  void Finish(bool in_flight);
  void FinishGreeting(const Call& call);
  void FinishProbe(const Call& call, bool in_flight);
  void Continue();
  void Check(bool in_flight);
  void Lost(double now_us, double retry_us);

  World& world_;
  const std::int64_t reply_bytes_;
  EdgeEstimates estimates_;
  Backoff reconnect_;
  State state_ = State::kLost;
  std::optional<GreetingProbes> greeting_;
  std::optional<Call> call_;
  double now_us_ = 0;  // Of the background's next look.
  double up_free_us_ = 0;
  double down_free_us_ = 0;
};

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_SIMULATED_EDGE_H_
