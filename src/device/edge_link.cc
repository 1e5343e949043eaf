#include "device/edge_link.h"

#include <algorithm>
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
constexpr double kProbesShareOfBudget = 0.1;
constexpr double kGreetingShareOfBudget = 0.25;  // Of what is left, each probe of a greeting.
constexpr std::int64_t kShortestRestUs = 10'000;

bool SameOffer(const EdgeOffer& a, const EdgeOffer& b) {
  return a.plain == b.plain && a.max_request_bytes == b.max_request_bytes && a.codecs == b.codecs &&
         a.codec_problem == b.codec_problem &&
         std::equal(a.exits.begin(), a.exits.end(), b.exits.begin(), b.exits.end(),
                    [](const EdgeOffer::Exit& x, const EdgeOffer::Exit& y) {
                      return x.cuts == y.cuts && x.profile == y.profile;
                    });
}

bool HasProfile(const EdgeOffer& offer, int exit) {
  return offer.exits[static_cast<std::size_t>(exit)].profile != nullptr;
}

ProbeOptions ProbesWithin(std::optional<double> data_budget_bps) {
  ProbeOptions options;
  if (data_budget_bps) options.max_bps = kProbesShareOfBudget * *data_budget_bps;
  return options;
}

// The two sides do not trust each other, or the device may not do this.
bool AreCredentialsRefused(const absl::Status& status) {
  return absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status);
}

bool IsTooLarge(const absl::Status& status) {
  return absl::IsResourceExhausted(status) && !GetExpectedWait(status).has_value();
}

}  // namespace

EdgeLink::EdgeLink(std::unique_ptr<EdgeClient> client, GreetingTerms terms, const Clock& clock,
                   std::uint64_t seed, Timing timing, std::optional<double> data_budget_bps)
    : client_(std::move(client)),
      terms_(std::move(terms)),
      clock_(clock),
      timing_(timing),
      estimates_(ProbesWithin(data_budget_bps)),
      budget_(data_budget_bps ? std::optional<DataBudget>(*data_budget_bps) : std::nullopt),
      reconnect_(timing.first_retry_us, timing.longest_reconnect_us, seed),
      errors_(timing.first_retry_us, timing.longest_error_us, seed + 1),
      credentials_(timing.recheck_us, timing.longest_credentials_us, seed + 2),
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
  const bool has_profile = offer_ != nullptr && HasProfile(*offer_, terms_.wanted_exits.front());
  EdgeView view = estimates_.View(has_profile ? EdgeEstimates::SlowdownBasis::kEdgeProfile
                                              : EdgeEstimates::SlowdownBasis::kStandIn,
                                  now_us);
  view.usable = connected_ && now_us >= rest_until_us_;
  if (!view.usable) view.problem = problem_;
  view.offer = offer_;
  if (budget_) view.data_left_bytes = budget_->LeftBytes(now_us);
  return view;
}

absl::StatusOr<InferExchange> EdgeLink::Infer(const InferCall& call, const Terms& terms) {
  {
    const absl::MutexLock lock(&mutex_);
    ++in_flight_;
  }
  std::optional<std::int64_t> number;
  const auto made = [&](std::int64_t bytes_up) {
    {
      const absl::MutexLock lock(&mutex_);
      number = estimates_.BeginExchange(static_cast<double>(bytes_up), clock_.NowUs());
      Spend(bytes_up);
    }
    if (terms.made) terms.made();
  };
  absl::StatusOr<InferExchange> done = client_->Infer(call, terms.timeout_us, terms.cancel, made);
  const absl::MutexLock lock(&mutex_);
  --in_flight_;
  if (!number) return done;
  const std::int64_t now_us = clock_.NowUs();
  if (done.ok()) {
    estimates_.EndExchange(*number, *done, terms.profile_tail_us, now_us);
    Spend(done->exchange.bytes_down);
  } else {
    estimates_.AbandonExchange(*number, now_us);
  }
  return done;
}

void EdgeLink::ReportSuccess(const InferExchange& done, std::optional<double> profile_tail_us) {
  const absl::MutexLock lock(&mutex_);
  estimates_.LearnEdge(done, profile_tail_us, clock_.NowUs());
  reconnect_.Reset();
  errors_.Reset();
  credentials_.Reset();
}

void EdgeLink::ReportFailure(const absl::Status& status, const FailedAttempt& attempt) {
  const absl::MutexLock lock(&mutex_);
  const std::int64_t now_us = clock_.NowUs();
  problem_ = FailureText(status, attempt.waited_us);
  if (const std::optional<std::int64_t> wait_us = GetExpectedWait(status)) {
    estimates_.AddWait(static_cast<double>(*wait_us), now_us);
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
    estimates_.AddTimeout(attempt, now_us);
    Lost(problem_, 0);
    return;
  }
  if (absl::IsUnavailable(status)) {
    estimates_.AddFailure(now_us);
    Lost(problem_, reconnect_.NextDelayUs());
    return;
  }
  if (AreCredentialsRefused(status)) {
    const std::int64_t delay_us = credentials_.NextDelayUs();
    rest_until_us_ = now_us + delay_us;
    Lost(problem_, delay_us);
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

void EdgeLink::Spend(std::int64_t bytes) {
  if (budget_) budget_->Spend(static_cast<double>(bytes), clock_.NowUs());
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
    if (RecheckDue(now_us)) {
      mutex_.Unlock();
      Recheck();
      mutex_.Lock();
      continue;
    }
    const bool quiet = in_flight_ == 0 && !offer_->plain;
    const std::optional<std::int64_t> probe = quiet ? estimates_.ProbeDue(now_us) : std::nullopt;
    if (!probe) {
      Sleep(estimates_.NextCheckUs(now_us));
      continue;
    }
    mutex_.Unlock();
    SendProbe({*probe, std::min(*probe, terms_.reply_bytes)});
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
      estimates_.ForgetTimeout();
      estimates_.AddFailure(clock_.NowUs());
    }
    Lost(FailureText(status, 0), unreachable                     ? reconnect_.NextDelayUs()
                                 : AreCredentialsRefused(status) ? credentials_.NextDelayUs()
                                                                 : timing_.recheck_us);
    return;
  }
  reconnect_.Reset();
  connected_ = true;
  profile_wanted_ = !offer->plain;
  fetch_at_us_ = 0;
  recheck_at_us_ = clock_.NowUs() + timing_.recheck_us;
  AcceptOffer(*std::move(offer));
}

bool EdgeLink::RecheckDue(std::int64_t now_us) const {
  return terms_.codecs != nullptr && !offer_->plain && !offer_->codecs && now_us >= recheck_at_us_;
}

// The edge is only asked: two devices with codecs of their own would else push them in turns.
void EdgeLink::Recheck() {
  GreetingTerms terms = terms_;
  terms.push = false;
  absl::StatusOr<EdgeOffer> offer = GreetEdge(*client_, terms);
  const absl::MutexLock lock(&mutex_);
  recheck_at_us_ = clock_.NowUs() + timing_.recheck_us;
  if (!offer.ok() || !connected_ || !offer->codecs) return;
  offer->max_request_bytes = offer_->max_request_bytes;
  AcceptOffer(*std::move(offer));
}

bool EdgeLink::MeasureNewLink() {
  GreetingProbes probes = BeginGreeting();
  while (const std::optional<ProbeSize> probe = NextOf(probes)) {
    if (!SendProbe(*probe)) return false;
  }
  return true;
}

GreetingProbes EdgeLink::BeginGreeting() {
  const absl::MutexLock lock(&mutex_);
  return estimates_.BeginGreeting(clock_.NowUs());
}

std::optional<ProbeSize> EdgeLink::NextOf(GreetingProbes& probes) const {
  const absl::MutexLock lock(&mutex_);
  const std::int64_t now_us = clock_.NowUs();
  const std::optional<ProbeSize> probe = probes.Next(estimates_, now_us);
  if (!probe || !budget_) return probe;
  const auto bytes = static_cast<double>(probe->bytes_up + probe->bytes_down);
  return bytes <= kGreetingShareOfBudget * budget_->LeftBytes(now_us) ? probe : std::nullopt;
}

bool EdgeLink::SendProbe(ProbeSize probe) {
  while (probe.bytes_up > 0) {
    const std::optional<std::int64_t> next_bytes = SendProbeOnce(probe);
    if (!next_bytes) return false;
    probe.bytes_up = *next_bytes;
  }
  return true;
}

std::optional<std::int64_t> EdgeLink::SendProbeOnce(const ProbeSize& probe) {
  std::int64_t timeout_us = 0;
  {
    const absl::MutexLock lock(&mutex_);
    timeout_us = estimates_.OnProbeSent(probe, clock_.NowUs());
    Spend(probe.bytes_up + probe.bytes_down);
  }
  const absl::StatusOr<EdgeClient::ProbeResult> done =
      client_->Probe(probe.bytes_up, probe.bytes_down, timeout_us);
  const absl::MutexLock lock(&mutex_);
  const std::int64_t now_us = clock_.NowUs();
  if (!done.ok()) {
    estimates_.OnProbeFailed(now_us);
    Lost(FailureText(done.status(), timeout_us), reconnect_.NextDelayUs());
    return std::nullopt;
  }
  return estimates_.OnProbeAnswered(
      {.result = *done, .size = probe, .beside_traffic = in_flight_ > 0}, now_us);
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
  ProfileQuery query;
  query.points = {terms_.shapes};
  CLEAVE_ASSIGN_OR_RETURN(std::string json, client_->GetProfile(terms_.model, terms_.digest, exit,
                                                                query, kProfileTimeoutUs));
  CLEAVE_ASSIGN_OR_RETURN(Profile profile, Profile::FromJson(json, "the edge's profile"));
  const ProfileKey& key = profile.key();
  const bool fits = key.model_digest == terms_.digest && key.exit == exit &&
                    !key.boundaries.empty() && !profile.empty();
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
      const bool never =
          absl::IsUnimplemented(fetched.status()) || absl::IsPermissionDenied(fetched.status());
      if (never) profile_wanted_ = false;
      return;
    }
    if (exit == terms_.wanted_exits.back()) profile_wanted_ = false;
    AcceptProfile(exit, *std::move(fetched));
  }
}

// With another profile than before, what was learned of the edge's speed is void.
void EdgeLink::AcceptProfile(int exit, FetchedProfile fetched) {
  if (fetched.json == profile_json_[exit] && HasProfile(*offer_, exit)) return;
  const bool first = profile_json_[exit].empty() && exit != terms_.wanted_exits.front();
  if (!first) estimates_.ForgetSlowdown();
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
    case absl::StatusCode::kUnauthenticated:
      return absl::StrCat("credentials refused: ", message);
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
