#include "device/edge_estimates.h"

#include <algorithm>
#include <array>

namespace cleave {
namespace {

constexpr std::int64_t kSmallProbeBytes = 64;
// The probes of a link that was never measured. Each is sent only where those before it say that it
// is cheap. The first fits the first window of a TCP connection, so that it takes one round trip
// and its own time.
constexpr std::array<std::int64_t, 3> kRateProbeBytes = {8 << 10, 64 << 10, 512 << 10};
constexpr int kSmallProbesFirst = 2;
constexpr double kCheapProbeUs = 10'000;
constexpr std::int64_t kLeastProbeTimeoutUs = 1'000'000;
constexpr std::int64_t kLongestProbeTimeoutUs = 5'000'000;
constexpr double kStandInDeviation = 1.0;

double UplinkUs(const LinkEstimate& link, std::int64_t bytes) {
  return static_cast<double>(bytes) * link.up_us_per_byte.mean;
}

}  // namespace

EdgeView EdgeEstimates::View(SlowdownBasis basis, std::int64_t now_us) const {
  EdgeView view;
  view.link = estimator_.Get(now_us);
  view.slowdown = {slowdown_.factor(), slowdown_.deviation()};
  if (basis == SlowdownBasis::kStandIn) {
    view.slowdown.deviation = std::max(view.slowdown.deviation, kStandInDeviation);
  }
  view.queue_age_us = queue_.AgeUs(now_us);
  view.queue_us = queue_.ExpectedUs(now_us);
  view.uplink_wait_us = transfers_.UplinkWaitUs(view.link, now_us);
  return view;
}

std::int64_t EdgeEstimates::BeginExchange(double bytes_up, std::int64_t now_us) {
  planner_.OnTraffic(now_us);
  return transfers_.Begin(bytes_up, now_us);
}

double EdgeEstimates::TailUs(const InferExchange& done,
                             std::optional<double> profile_tail_us) const {
  return done.reply.compute_us > 0
             ? static_cast<double>(done.reply.decode_us + done.reply.compute_us)
             : profile_tail_us.value_or(0) * slowdown_.factor();
}

void EdgeEstimates::EndExchange(std::int64_t number, const InferExchange& done,
                                std::optional<double> profile_tail_us, std::int64_t now_us) {
  planner_.OnTraffic(now_us);
  OverlappingTransfers::Exchange exchange;
  exchange.bytes_up = static_cast<double>(done.exchange.bytes_up);
  exchange.bytes_down = static_cast<double>(done.exchange.bytes_down);
  exchange.sent_us = now_us - done.exchange.total_us;
  exchange.answered_us = now_us;
  exchange.edge_us = static_cast<double>(done.reply.queue_us) + TailUs(done, profile_tail_us);
  AddSamples(transfers_.End(number, exchange, estimator_.Get(now_us)), now_us);
  unfinished_.reset();
}

void EdgeEstimates::AbandonExchange(std::int64_t number, std::int64_t now_us) {
  planner_.OnTraffic(now_us);
  AddSamples(transfers_.Abandon(number, estimator_.Get(now_us), now_us), now_us);
}

void EdgeEstimates::AddSamples(const std::vector<TransferSample>& samples, std::int64_t now_us) {
  for (const TransferSample& sample : samples) estimator_.AddSample(sample, now_us);
}

void EdgeEstimates::LearnEdge(const InferExchange& done, std::optional<double> profile_tail_us,
                              std::int64_t now_us) {
  if (done.reply.compute_us > 0 && profile_tail_us) {
    slowdown_.Add(*profile_tail_us, TailUs(done, profile_tail_us), now_us);
  }
  queue_.Report(static_cast<double>(done.reply.wait_us), now_us);
}

void EdgeEstimates::AddTimeout(const FailedAttempt& attempt, std::int64_t now_us) {
  const double network_us = static_cast<double>(attempt.waited_us) - attempt.predicted_edge_us;
  if (network_us > attempt.predicted_network_us) {
    unfinished_ = TransferSample{attempt.bytes_up, attempt.bytes_down, network_us};
  }
  estimator_.AddFailure(now_us);
}

GreetingProbes EdgeEstimates::BeginGreeting(std::int64_t now_us) {
  bool link_known = estimator_.Get(now_us).known;
  if (unfinished_) {
    estimator_.AddSample(*unfinished_, now_us);
    unfinished_.reset();
    link_known = true;
  }
  return GreetingProbes(link_known ? GreetingProbes::Extent::kProveAlive
                                   : GreetingProbes::Extent::kMeasure);
}

std::optional<std::int64_t> EdgeEstimates::ProbeDue(std::int64_t now_us) {
  return planner_.Due(estimator_.Get(now_us), now_us);
}

std::int64_t EdgeEstimates::OnProbeSent(const ProbeSize& probe, std::int64_t now_us) {
  planner_.OnProbeSent(probe.bytes_up, now_us);
  const double expected_us = estimator_.Get(now_us).TransferUs(
      static_cast<double>(probe.bytes_up), static_cast<double>(probe.bytes_down));
  return std::clamp(static_cast<std::int64_t>(std::min(4 * expected_us, 1e9)), kLeastProbeTimeoutUs,
                    kLongestProbeTimeoutUs);
}

void EdgeEstimates::OnProbeFailed(std::int64_t now_us) {
  planner_.OnProbeFailed(now_us);
  estimator_.AddFailure(now_us);
}

std::int64_t EdgeEstimates::OnProbeAnswered(const AnsweredProbe& probe, std::int64_t now_us) {
  const EdgeClient::ProbeResult& done = probe.result;
  planner_.OnProbeSucceeded(now_us);
  queue_.Report(static_cast<double>(done.wait_us), now_us);
  // A transfer that ran beside the probe held it up.
  if (probe.beside_traffic) return 0;
  const TransferSample sample =
      one_way_.SampleOf({static_cast<double>(done.exchange.bytes_up), done.sent_us, done.arrived_us,
                         static_cast<double>(done.exchange.network_us())},
                        static_cast<double>(done.exchange.bytes_down));
  const LinkEstimator::Verdict verdict = estimator_.AddProbe(sample, now_us);
  if (verdict == LinkEstimator::Verdict::kRepeat) return probe.size.bytes_up;
  if (verdict != LinkEstimator::Verdict::kEnlarge) return 0;
  const std::int64_t next_bytes = planner_.EnlargedBytes(probe.size.bytes_up).value_or(0);
  if (next_bytes == 0) estimator_.AddSample(sample, now_us);
  return next_bytes;
}

std::optional<ProbeSize> GreetingProbes::Next(const EdgeEstimates& estimates, std::int64_t now_us) {
  const int number = sent_++;
  if (number == 0) return ProbeSize{kSmallProbeBytes, kSmallProbeBytes};
  if (extent_ == Extent::kProveAlive) return std::nullopt;
  if (number < kSmallProbesFirst) return ProbeSize{kSmallProbeBytes, kSmallProbeBytes};
  const auto pair = static_cast<std::size_t>(number - kSmallProbesFirst) / 2;
  if (pair >= kRateProbeBytes.size()) return std::nullopt;
  const std::int64_t bytes = kRateProbeBytes[pair];
  if ((number - kSmallProbesFirst) % 2 == 1) return ProbeSize{kSmallProbeBytes, bytes};
  if (pair > 0 && UplinkUs(estimates.Link(now_us), bytes) > kCheapProbeUs) return std::nullopt;
  return ProbeSize{bytes, kSmallProbeBytes};
}

}  // namespace cleave
