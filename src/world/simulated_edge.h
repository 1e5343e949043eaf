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

  // Whether a request is in flight beside what the background does.
  enum class Traffic : std::uint8_t { kNone, kRequest };

  // Does all that the background does until then.
  void AdvanceTo(double t_us, Traffic traffic);

  bool connected() const { return state_ == State::kConnected; }
  EdgeView View(double now_us) const;

  // Returns when the link is free of probes and requests.
  double up_free_us() const { return up_free_us_; }
  double down_free_us() const { return down_free_us_; }

  // Reports a request that was sent as `run` tells. REQUIRES: AdvanceTo(run.answered_us,
  // Traffic::kRequest) was called before.
  void Report(const PlanCost& cost, const PlanRun& run, const Prediction& predicted);

 private:
  enum class State : std::uint8_t { kLost, kGreeting, kProbingNewLink, kConnected };

  // A call in flight: a probe, or a greeting.
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
  void Finish(Traffic traffic);
  void FinishGreeting(const Call& call);
  void FinishProbe(const Call& call, Traffic traffic);
  void Continue();
  void Check(Traffic traffic);
  void Lost(double now_us, double retry_us);

  World& world_;
  const std::int64_t reply_bytes_;
  EdgeEstimates estimates_;
  Backoff reconnect_;
  State state_ = State::kLost;
  std::optional<GreetingProbes> greeting_;
  std::optional<Call> call_;
  double now_us_ = 0;  // When the background looks next.
  double up_free_us_ = 0;
  double down_free_us_ = 0;
};

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_SIMULATED_EDGE_H_
