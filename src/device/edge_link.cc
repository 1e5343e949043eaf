#include "device/edge_link.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/status_macros.h"
#include "core/units.h"

namespace cleave {
namespace {

constexpr std::int64_t kProfileTimeoutUs = 120'000'000;
constexpr std::int64_t kProfileRetryUs = 5'000'000;
constexpr std::int64_t kSmallProbeBytes = 64;
// Of a link that was never measured: each is sent only where the ones before make it cheap. The
// first fits the first window of a TCP connection, so that it takes one round trip and its own
// time.
constexpr std::array<std::int64_t, 3> kRateProbeBytes = {8 << 10, 64 << 10, 512 << 10};
constexpr double kCheapProbeUs = 10'000;
constexpr std::int64_t kLeastProbeTimeoutUs = 1'000'000;
constexpr std::int64_t kLongestProbeTimeoutUs = 5'000'000;
constexpr std::int64_t kShortestRestUs = 10'000;
constexpr double kStandInDeviation = 1.0;

bool SameOffer(const EdgeOffer& a, const EdgeOffer& b) {
  return a.plain == b.plain && a.max_request_bytes == b.max_request_bytes &&
         std::equal(a.exits.begin(), a.exits.end(), b.exits.begin(), b.exits.end(),
                    [](const EdgeOffer::Exit& x, const EdgeOffer::Exit& y) {
                      return x.cuts == y.cuts && x.profile == y.profile;
                    });
}

bool HasProfile(const EdgeOffer& offer, int exit) {
  return offer.exits[static_cast<std::size_t>(exit)].profile != nullptr;
}

bool IsTooLarge(const absl::Status& status) {
  return absl::IsResourceExhausted(status) && !GetExpectedWait(status).has_value();
}

}  // namespace

EdgeLink::EdgeLink(std::unique_ptr<EdgeClient> client, GreetingTerms terms, const Clock& clock,
                   std::uint64_t seed, Timing timing)
    : client_(std::move(client)),
      terms_(std::move(terms)),
      clock_(clock),
      timing_(timing),
      reconnect_(timing.first_retry_us, timing.longest_reconnect_us, seed),
      errors_(timing.first_retry_us, timing.longest_error_us, seed + 1),
      keeper_([this] { KeepInTouch(); }),
      fetcher_([this] { FetchProfiles(); }) {}

EdgeLink::~EdgeLink() {
  {
    const absl::MutexLock lock(&mutex_);
    stop_ = true;
    changed_.SignalAll();
  }
  client_->CancelAll();
  keeper_.join();
  fetcher_.join();
}

void EdgeLink::WaitForGreeting(std::int64_t greeting_us, std::int64_t profile_us) {
  const absl::MutexLock lock(&mutex_);
  const absl::Time greeting_end = absl::Now() + absl::Microseconds(greeting_us);
  while (!greeted_once_ && !changed_.WaitWithDeadline(&mutex_, greeting_end)) {
  }
  const absl::Time profile_end = absl::Now() + absl::Microseconds(profile_us);
  while (connected_ && profile_wanted_ && !changed_.WaitWithDeadline(&mutex_, profile_end)) {
  }
}

EdgeView EdgeLink::View() const {
  const absl::MutexLock lock(&mutex_);
  const std::int64_t now_us = clock_.NowUs();
  EdgeView view;
  view.usable = connected_ && now_us >= rest_until_us_;
  if (!view.usable) view.problem = problem_;
  view.link = estimator_.Get(now_us);
  view.offer = offer_;
  view.slowdown = {slowdown_.factor(), slowdown_.deviation()};
  if (offer_ == nullptr || !HasProfile(*offer_, terms_.wanted_exits.front())) {
    view.slowdown.deviation = std::max(view.slowdown.deviation, kStandInDeviation);
  }
  view.queue_age_us = queue_.AgeUs(now_us);
  view.queue_us = queue_.ExpectedUs(now_us);
  return view;
}

absl::StatusOr<InferExchange> EdgeLink::Infer(const InferCall& call, std::int64_t timeout_us) {
  {
    const absl::MutexLock lock(&mutex_);
    ++in_flight_;
    planner_.OnTraffic(clock_.NowUs());
  }
  absl::StatusOr<InferExchange> done = client_->Infer(call, timeout_us);
  const absl::MutexLock lock(&mutex_);
  --in_flight_;
  planner_.OnTraffic(clock_.NowUs());
  return done;
}

// What the edge takes beside queue, decoding and run (parsing, its answer's making) goes with the
// size of the message, so it is learned as part of the link.
void EdgeLink::ReportSuccess(const InferExchange& done, double profile_tail_us) {
  const absl::MutexLock lock(&mutex_);
  const std::int64_t now_us = clock_.NowUs();
  const Exchange& exchange = done.exchange;
  const bool tells_compute = done.reply.compute_us > 0;
  const double tail_us = tells_compute
                             ? static_cast<double>(done.reply.decode_us + done.reply.compute_us)
                             : profile_tail_us * slowdown_.factor();
  const double network_us = static_cast<double>(exchange.total_us - done.reply.queue_us) - tail_us;
  estimator_.AddSample({static_cast<double>(exchange.bytes_up),
                        static_cast<double>(exchange.bytes_down), std::max(0.0, network_us)},
                       now_us);
  if (tells_compute) slowdown_.Add(profile_tail_us, tail_us, now_us);
  queue_.Report(static_cast<double>(done.reply.wait_us), now_us);
  unfinished_.reset();
  reconnect_.Reset();
  errors_.Reset();
}

void EdgeLink::ReportFailure(const absl::Status& status, const FailedAttempt& attempt) {
  const absl::MutexLock lock(&mutex_);
  const std::int64_t now_us = clock_.NowUs();
  problem_ = FailureText(status, attempt.waited_us);
  if (const std::optional<std::int64_t> wait_us = GetExpectedWait(status)) {
    queue_.Report(static_cast<double>(*wait_us), now_us);
    rest_until_us_ = now_us + std::clamp(*wait_us, kShortestRestUs, timing_.longest_error_us);
    return;
  }
  if (IsTooLarge(status) && offer_ != nullptr) {
    EdgeOffer offer = *offer_;
    offer.max_request_bytes = static_cast<std::int64_t>(attempt.bytes_up);
    AcceptOffer(std::move(offer));
    return;
  }
  if (absl::IsDeadlineExceeded(status)) {
    const double network_us = static_cast<double>(attempt.waited_us) - attempt.predicted_edge_us;
    if (network_us > attempt.predicted_network_us) {
      unfinished_ = TransferSample{attempt.bytes_up, attempt.bytes_down, network_us};
    }
    estimator_.AddFailure(now_us);
    Lost(problem_, 0);
    return;
  }
  if (absl::IsUnavailable(status)) {
    estimator_.AddFailure(now_us);
    Lost(problem_, reconnect_.NextDelayUs());
    return;
  }
  rest_until_us_ = now_us + errors_.NextDelayUs();
  Lost(problem_, 0);
}

void EdgeLink::Lost(const std::string& problem, std::int64_t retry_us) {
  connected_ = false;
  problem_ = problem;
  greet_at_us_ = clock_.NowUs() + retry_us;
  changed_.SignalAll();
}

void EdgeLink::AcceptOffer(EdgeOffer offer) {
  for (std::size_t i = 0; offer_ != nullptr && i < offer.exits.size(); ++i) {
    if (offer.exits[i].profile == nullptr) offer.exits[i].profile = offer_->exits[i].profile;
  }
  if (offer_ == nullptr || !SameOffer(*offer_, offer))
    offer_ = std::make_shared<const EdgeOffer>(std::move(offer));
  changed_.SignalAll();
}

void EdgeLink::Sleep(std::int64_t until_us) {
  if (stop_) return;
  const std::int64_t sleep_us =
      std::clamp<std::int64_t>(until_us - clock_.NowUs(), 0, timing_.longest_sleep_us);
  changed_.WaitWithTimeout(&mutex_, absl::Microseconds(sleep_us));
}

void EdgeLink::KeepInTouch() {
  mutex_.Lock();
  while (!stop_) {
    const std::int64_t now_us = clock_.NowUs();
    if (!connected_) {
      if (now_us < greet_at_us_) {
        Sleep(greet_at_us_);
        continue;
      }
      mutex_.Unlock();
      Greet();
      mutex_.Lock();
      continue;
    }
    const bool quiet = in_flight_ == 0 && !offer_->plain;
    const std::optional<std::int64_t> probe =
        quiet ? planner_.Due(estimator_.Get(now_us), now_us) : std::nullopt;
    if (!probe) {
      Sleep(planner_.NextCheckUs(now_us));
      continue;
    }
    mutex_.Unlock();
    SendProbe(*probe, std::min(*probe, terms_.reply_bytes));
    mutex_.Lock();
  }
  mutex_.Unlock();
}

void EdgeLink::Greet() {
  absl::StatusOr<EdgeOffer> offer = GreetEdge(*client_, terms_);
  const bool reached = !offer.ok() || offer->plain || MeasureNewLink();
  const absl::MutexLock lock(&mutex_);
  greeted_once_ = true;
  changed_.SignalAll();
  if (!reached) return;
  if (!offer.ok()) {
    const absl::Status& status = offer.status();
    const bool unreachable = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
    if (unreachable) {
      unfinished_.reset();
      estimator_.AddFailure(clock_.NowUs());
    }
    Lost(FailureText(status, 0), unreachable ? reconnect_.NextDelayUs() : timing_.recheck_us);
    return;
  }
  reconnect_.Reset();
  connected_ = true;
  profile_wanted_ = !offer->plain;
  fetch_at_us_ = 0;
  AcceptOffer(*std::move(offer));
}

// On a link that is known, small probes only: they prove it alive and refresh the round trip, while
// a larger one could ride on a shaper's burst and hide the rate that real transfers have shown.
bool EdgeLink::MeasureNewLink() {
  bool known = false;
  {
    const absl::MutexLock lock(&mutex_);
    known = estimator_.Get(clock_.NowUs()).known;
    if (unfinished_) {
      estimator_.AddSample(*unfinished_, clock_.NowUs());
      unfinished_.reset();
      known = true;
    }
  }
  if (!SendProbe(kSmallProbeBytes, kSmallProbeBytes)) return false;
  if (known) return true;
  if (!SendProbe(kSmallProbeBytes, kSmallProbeBytes)) return false;
  for (const std::int64_t bytes : kRateProbeBytes) {
    if (bytes != kRateProbeBytes.front() && TransferUs(bytes) > kCheapProbeUs) break;
    if (!SendProbe(bytes, kSmallProbeBytes) || !SendProbe(kSmallProbeBytes, bytes)) return false;
  }
  return true;
}

double EdgeLink::TransferUs(std::int64_t bytes) const {
  const absl::MutexLock lock(&mutex_);
  const LinkEstimate link = estimator_.Get(clock_.NowUs());
  return static_cast<double>(bytes) * link.up_us_per_byte.mean;
}

bool EdgeLink::SendProbe(std::int64_t bytes_up, std::int64_t bytes_down) {
  for (ProbeStep step{.next_bytes = bytes_up}; step.next_bytes > 0;) {
    step = SendProbeOnce(step.next_bytes, bytes_down);
    if (!step.answered) return false;
  }
  return true;
}

EdgeLink::ProbeStep EdgeLink::SendProbeOnce(std::int64_t bytes_up, std::int64_t bytes_down) {
  std::int64_t timeout_us = 0;
  {
    const absl::MutexLock lock(&mutex_);
    const std::int64_t now_us = clock_.NowUs();
    planner_.OnProbeSent(bytes_up, now_us);
    const double expected_us = estimator_.Get(now_us).TransferUs(static_cast<double>(bytes_up),
                                                                 static_cast<double>(bytes_down));
    timeout_us = std::clamp(static_cast<std::int64_t>(std::min(4 * expected_us, 1e9)),
                            kLeastProbeTimeoutUs, kLongestProbeTimeoutUs);
  }
  const absl::StatusOr<EdgeClient::ProbeResult> done =
      client_->Probe(bytes_up, bytes_down, timeout_us);
  const absl::MutexLock lock(&mutex_);
  const std::int64_t now_us = clock_.NowUs();
  if (!done.ok()) {
    planner_.OnProbeFailed(now_us);
    estimator_.AddFailure(now_us);
    Lost(FailureText(done.status(), timeout_us), reconnect_.NextDelayUs());
    return {};
  }
  planner_.OnProbeSucceeded(now_us);
  queue_.Report(static_cast<double>(done->wait_us), now_us);
  ProbeStep step{.answered = true};
  // A transfer that ran beside the probe held it up.
  if (in_flight_ > 0) return step;
  const TransferSample sample =
      one_way_.SampleOf({static_cast<double>(done->exchange.bytes_up), done->sent_us,
                         done->arrived_us, static_cast<double>(done->exchange.network_us())},
                        static_cast<double>(done->exchange.bytes_down));
  const LinkEstimator::Verdict verdict = estimator_.AddProbe(sample, now_us);
  if (verdict == LinkEstimator::Verdict::kRepeat) step.next_bytes = bytes_up;
  if (verdict == LinkEstimator::Verdict::kEnlarge) {
    step.next_bytes = planner_.EnlargedBytes(bytes_up).value_or(0);
    if (step.next_bytes == 0) estimator_.AddSample(sample, now_us);
  }
  return step;
}

void EdgeLink::FetchProfiles() {
  mutex_.Lock();
  while (!stop_) {
    const bool due = connected_ && profile_wanted_;
    if (!due || clock_.NowUs() < fetch_at_us_) {
      Sleep(due ? fetch_at_us_ : clock_.NowUs() + timing_.longest_sleep_us);
      continue;
    }
    mutex_.Unlock();
    FetchProfileOnce();
    mutex_.Lock();
  }
  mutex_.Unlock();
}

absl::StatusOr<EdgeLink::FetchedProfile> EdgeLink::FetchProfile(int exit) const {
  CLEAVE_ASSIGN_OR_RETURN(std::string json, client_->GetProfile(terms_.model, terms_.digest, exit,
                                                                {terms_.batch}, kProfileTimeoutUs));
  CLEAVE_ASSIGN_OR_RETURN(Profile profile, Profile::FromJson(json, "the edge's profile"));
  const ProfileKey& key = profile.key();
  const bool fits = key.model_digest == terms_.digest && key.exit == exit &&
                    !key.boundaries.empty() && !profile.batches().empty();
  if (!fits) return absl::InternalError("the edge's profile is another model's or empty");
  return FetchedProfile{std::move(json), std::make_shared<const Profile>(std::move(profile))};
}

void EdgeLink::FetchProfileOnce() {
  for (const int exit : terms_.wanted_exits) {
    absl::StatusOr<FetchedProfile> fetched = FetchProfile(exit);
    const absl::MutexLock lock(&mutex_);
    changed_.SignalAll();
    if (stop_) return;
    if (!fetched.ok()) {
      fetch_at_us_ = clock_.NowUs() + kProfileRetryUs;
      if (absl::IsUnimplemented(fetched.status())) profile_wanted_ = false;
      return;
    }
    if (exit == terms_.wanted_exits.back()) profile_wanted_ = false;
    AcceptProfile(exit, *std::move(fetched));
  }
}

// A profile that is another than before makes what was learned of the edge's speed void.
void EdgeLink::AcceptProfile(int exit, FetchedProfile fetched) {
  if (fetched.json == profile_json_[exit] && HasProfile(*offer_, exit)) return;
  const bool first = profile_json_[exit].empty() && exit != terms_.wanted_exits.front();
  if (!first) slowdown_ = SlowdownTracker();
  profile_json_[exit] = std::move(fetched.json);
  EdgeOffer offer = *offer_;
  offer.exits[static_cast<std::size_t>(exit)].profile = std::move(fetched.profile);
  AcceptOffer(std::move(offer));
}

std::string FailureText(const absl::Status& status, std::int64_t waited_us) {
  const std::string message(status.message());
  switch (status.code()) {
    case absl::StatusCode::kDeadlineExceeded:
      return waited_us > 0
                 ? absl::StrCat("timeout after ", FormatDuration(static_cast<double>(waited_us)))
                 : absl::StrCat("edge unavailable: no answer in time");
    case absl::StatusCode::kUnavailable:
      return absl::StrCat("edge unavailable: ", message);
    case absl::StatusCode::kResourceExhausted:
      if (const std::optional<std::int64_t> wait_us = GetExpectedWait(status)) {
        return absl::StrCat("refused: queue full, expected wait ",
                            FormatDuration(static_cast<double>(*wait_us)));
      }
      return absl::StrCat("refused: ", message);
    case absl::StatusCode::kFailedPrecondition:
      return absl::StrContains(message, "digest") && !absl::StartsWith(message, "digest mismatch")
                 ? absl::StrCat("digest mismatch: ", message)
                 : message;
    case absl::StatusCode::kNotFound:
      return absl::StrCat("the edge lacks the model: ", message);
    case absl::StatusCode::kDataLoss:
      return absl::StrCat("reply malformed: ", message);
    default:
      return absl::StrCat("edge error: ", absl::StatusCodeToString(status.code()), ": ", message);
  }
}

}  // namespace cleave
