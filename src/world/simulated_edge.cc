#include "world/simulated_edge.h"

#include <algorithm>
#include <cmath>

#include "policy/predict.h"

namespace cleave::world {
namespace {

// What asking for the model's cuts and their list take on the wire, about.
constexpr ProbeSize kGreeting = {300, 2'000};
constexpr double kGreetingTimeoutUs = 3e6;
// The edge's clock is another one.
constexpr std::int64_t kClockOffsetUs = 1'000'000'000;

}  // namespace

std::int64_t SimulatedEdge::Us(double us) { return std::llround(us); }

SimulatedEdge::SimulatedEdge(World& world, std::uint64_t seed, std::int64_t reply_bytes)
    : world_(world),
      reply_bytes_(reply_bytes),
      reconnect_(EdgeLink::Timing().first_retry_us, EdgeLink::Timing().longest_reconnect_us, seed) {
}

EdgeView SimulatedEdge::View(double now_us) const {
  EdgeView view = estimates_.View(EdgeEstimates::SlowdownBasis::kEdgeProfile, Us(now_us));
  view.usable = connected();
  if (!view.usable) view.problem = "edge unavailable: no answer in time";
  return view;
}

SimulatedEdge::Call SimulatedEdge::CallAt(const ProbeSize& size, double now_us, double timeout_us) {
  Call call;
  call.size = size;
  call.sent_us = now_us;
  const double give_up_us = now_us + timeout_us;
  call.end_us = give_up_us;
  const double one_way_us = world_.link.RttUs(now_us, Jitter::kDrawn) / 2;
  const double up_end_us = world_.link.up().FinishUs(
      std::max(now_us, up_free_us_), static_cast<double>(size.bytes_up), give_up_us);
  up_free_us_ = std::max(up_free_us_, std::min(up_end_us, give_up_us));
  call.arrived_us = up_end_us + one_way_us;
  if (call.arrived_us > give_up_us) return call;
  const double down_end_us = world_.link.down().FinishUs(
      std::max(call.arrived_us, down_free_us_), static_cast<double>(size.bytes_down), give_up_us);
  down_free_us_ = std::max(down_free_us_, std::min(down_end_us, give_up_us));
  if (down_end_us + one_way_us > give_up_us) return call;
  call.end_us = down_end_us + one_way_us;
  call.answered = true;
  return call;
}

void SimulatedEdge::Send(const ProbeSize& size, double now_us) {
  const std::int64_t timeout_us = estimates_.OnProbeSent(size, Us(now_us));
  call_ = CallAt(size, now_us, static_cast<double>(timeout_us));
}

void SimulatedEdge::Greet(double now_us) {
  state_ = State::kGreeting;
  call_ = CallAt(kGreeting, now_us, kGreetingTimeoutUs);
}

void SimulatedEdge::Lost(double now_us, double retry_us) {
  state_ = State::kLost;
  greeting_.reset();
  now_us_ = now_us + retry_us;
}

void SimulatedEdge::AdvanceTo(double t_us, Traffic traffic) {
  while (true) {
    if (call_) {
      if (call_->end_us > t_us) return;
      now_us_ = call_->end_us;
      Finish(traffic);
      continue;
    }
    if (now_us_ > t_us) return;
    Check(traffic);
  }
}

// Decides what comes next, while no call is in flight.
void SimulatedEdge::Check(Traffic traffic) {
  if (state_ == State::kLost) {
    Greet(now_us_);
    return;
  }
  const std::int64_t now_us = Us(now_us_);
  const std::optional<std::int64_t> bytes =
      traffic == Traffic::kRequest ? std::nullopt : estimates_.ProbeDue(now_us);
  if (bytes) {
    Send({*bytes, std::min(*bytes, reply_bytes_)}, now_us_);
  } else {
    now_us_ = static_cast<double>(estimates_.NextCheckUs(now_us));
  }
}

void SimulatedEdge::Finish(Traffic traffic) {
  const Call call = *call_;
  call_.reset();
  state_ == State::kGreeting ? FinishGreeting(call) : FinishProbe(call, traffic);
}

void SimulatedEdge::FinishGreeting(const Call& call) {
  if (!call.answered) {
    estimates_.ForgetTimeout();
    estimates_.AddFailure(Us(call.end_us));
    Lost(call.end_us, static_cast<double>(reconnect_.NextDelayUs()));
    return;
  }
  state_ = State::kProbingNewLink;
  greeting_.emplace(estimates_.BeginGreeting(Us(call.end_us)));
  Continue();
}

void SimulatedEdge::FinishProbe(const Call& call, Traffic traffic) {
  const std::int64_t now_us = Us(call.end_us);
  if (!call.answered) {
    estimates_.OnProbeFailed(now_us);
    Lost(call.end_us, static_cast<double>(reconnect_.NextDelayUs()));
    return;
  }
  EdgeClient::ProbeResult done;
  done.exchange.total_us = now_us - Us(call.sent_us);
  done.exchange.bytes_up = call.size.bytes_up;
  done.exchange.bytes_down = call.size.bytes_down;
  done.wait_us = Us(world_.queue.ReportedUs(call.arrived_us));
  done.sent_us = Us(call.sent_us);
  done.arrived_us = Us(call.arrived_us) + kClockOffsetUs;
  const std::int64_t next_bytes = estimates_.OnProbeAnswered(
      {.result = done, .size = call.size, .beside_traffic = traffic == Traffic::kRequest}, now_us);
  if (next_bytes > 0) {
    Send({next_bytes, call.size.bytes_down}, call.end_us);
  } else if (state_ == State::kProbingNewLink) {
    Continue();
  }
}

// Goes on with the probes that follow a greeting.
void SimulatedEdge::Continue() {
  if (const std::optional<ProbeSize> next = greeting_->Next(estimates_, Us(now_us_))) {
    Send(*next, now_us_);
    return;
  }
  greeting_.reset();
  reconnect_.Reset();
  state_ = State::kConnected;
}

void SimulatedEdge::Report(const PlanCost& cost, const PlanRun& run, const Prediction& predicted) {
  up_free_us_ = std::max(up_free_us_, run.up_free_us);
  down_free_us_ = std::max(down_free_us_, run.down_free_us);
  const std::int64_t now_us = Us(run.answered_us);
  const double bytes_up = cost.RequestBytes({.entropy = run.entropy});
  const std::int64_t number = estimates_.BeginExchange(bytes_up, Us(run.sent_us));
  if (!run.answered) {
    estimates_.AbandonExchange(number, now_us);
    estimates_.AddTimeout(
        {cost.bytes_up, cost.bytes_down, predicted.uplink_us + predicted.downlink_us,
         predicted.queue_us + predicted.tail_us, Us(run.wasted_us)},
        now_us);
    call_.reset();
    Lost(run.answered_us, 0);
    return;
  }
  InferExchange done;
  done.exchange.total_us = now_us - Us(run.sent_us);
  done.exchange.bytes_up = Us(bytes_up);
  done.exchange.bytes_down = Us(cost.bytes_down);
  done.reply.queue_us = Us(run.queue_us);
  done.reply.compute_us = Us(run.tail_us);
  done.reply.wait_us = Us(world_.queue.ReportedUs(run.answered_us - run.downlink_us));
  estimates_.EndExchange(number, done, cost.tail_us, now_us);
  estimates_.LearnEdge(done, cost.tail_us, now_us);
  reconnect_.Reset();
}

}  // namespace cleave::world
