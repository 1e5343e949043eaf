#ifndef CLEAVE_DEVICE_EDGE_LINK_H_
#define CLEAVE_DEVICE_EDGE_LINK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/clock.h"
#include "device/backoff.h"
#include "device/edge_estimates.h"
#include "device/edge_view.h"
#include "device/greeting.h"
#include "device/plan_table.h"
#include "link/data_budget.h"
#include "wire/client.h"

namespace cleave {

// Keeps one edge in reach: greets it, notices when it has gone and comes back, probes the link when
// nothing was sent for a while, fetches the edge's profile, and turns every exchange into
// estimates. It has two threads of its own. Thread-safe; the destructor ends every wait.
class EdgeLink {
 public:
  // How long to wait between attempts of all kinds.
  struct Timing {
    std::int64_t longest_sleep_us = 1'000'000;  // The background threads', in real time.
    // An edge that serves another model, or lacks the codecs, is asked again.
    std::int64_t recheck_us = 5'000'000;
    std::int64_t first_retry_us = 100'000;
    std::int64_t longest_reconnect_us = 1'000'000;  // Between attempts to reach a lost edge.
    std::int64_t longest_error_us = 5'000'000;      // After errors of an edge that answers.
    // After credentials were refused, of which the first wait is recheck_us.
    std::int64_t longest_credentials_us = 60'000'000;
  };

  // With `data_budget_bps`, what travels is counted against a budget (link/data_budget.h), of which
  // View tells the rest; probes take a tenth of it at most.
  EdgeLink(std::unique_ptr<EdgeClient> client, GreetingTerms terms, const Clock& clock,
           std::uint64_t seed, Timing timing, std::optional<double> data_budget_bps = std::nullopt);
  ~EdgeLink();
  EdgeLink(const EdgeLink&) = delete;
  EdgeLink& operator=(const EdgeLink&) = delete;

  // Blocks until the first greeting has ended, well or not, and then until the edge's profile is
  // there; each at most this long.
  void WaitForGreeting(std::int64_t greeting_us, std::int64_t profile_us);

  // The edge as it is known now.
  EdgeView View() const;

  // How one request is made.
  struct Terms {
    std::int64_t timeout_us = 0;
    CancelToken cancel;
    // What is predicted for the edge's run, of an edge that is not slowed down; nothing where
    // nothing is known of it.
    std::optional<double> profile_tail_us;
    std::function<void()> made;  // As RequestMade.
  };
  // Makes one request, and blocks until its end, which tells of the link. The caller reports its
  // outcome by one of the next two, unless it was cancelled.
  absl::StatusOr<InferExchange> Infer(const InferCall& call, const Terms& terms);
  // Without `profile_tail_us`, which nothing is known of, the edge's slow-down learns nothing.
  void ReportSuccess(const InferExchange& done, std::optional<double> profile_tail_us);
  void ReportFailure(const absl::Status& status, const FailedAttempt& attempt);

 private:
  void KeepInTouch();
  void FetchProfiles();
  void Greet() ABSL_LOCKS_EXCLUDED(mutex_);
  // An edge that is in reach but has not the device's codecs is asked whether it has them now.
  bool RecheckDue(std::int64_t now_us) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Recheck() ABSL_LOCKS_EXCLUDED(mutex_);
  struct FetchedProfile {
    std::string json;
    std::shared_ptr<const Profile> profile;
  };
  absl::StatusOr<FetchedProfile> FetchProfile(int exit) const;
  void FetchProfileOnce() ABSL_LOCKS_EXCLUDED(mutex_);
  void AcceptProfile(int exit, FetchedProfile fetched) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False when the edge was lost meanwhile.
  bool MeasureNewLink() ABSL_LOCKS_EXCLUDED(mutex_);
  GreetingProbes BeginGreeting() ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<ProbeSize> NextOf(GreetingProbes& probes) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Sends the probe and those that must follow to make sense of it. False if the edge did not
  // answer.
  bool SendProbe(ProbeSize probe) ABSL_LOCKS_EXCLUDED(mutex_);
  // The size of the probe that must follow, or 0. Nothing if the edge did not answer.
  std::optional<std::int64_t> SendProbeOnce(const ProbeSize& probe) ABSL_LOCKS_EXCLUDED(mutex_);
  void Lost(const std::string& problem, std::int64_t retry_us)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AcceptOffer(EdgeOffer offer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Spend(std::int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Sleep(std::int64_t until_us) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<EdgeClient> client_;
  const GreetingTerms terms_;
  const Clock& clock_;
  const Timing timing_;

  mutable absl::Mutex mutex_;
  absl::CondVar changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  bool greeted_once_ ABSL_GUARDED_BY(mutex_) = false;
  bool connected_ ABSL_GUARDED_BY(mutex_) = false;
  std::int64_t greet_at_us_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t rest_until_us_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t recheck_at_us_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string problem_ ABSL_GUARDED_BY(mutex_) = "not greeted yet";
  std::shared_ptr<const EdgeOffer> offer_ ABSL_GUARDED_BY(mutex_);
  bool profile_wanted_ ABSL_GUARDED_BY(mutex_) = false;
  std::int64_t fetch_at_us_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<int, std::string> profile_json_ ABSL_GUARDED_BY(mutex_);  // By exit.
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  EdgeEstimates estimates_ ABSL_GUARDED_BY(mutex_);
  std::optional<DataBudget> budget_ ABSL_GUARDED_BY(mutex_);
  Backoff reconnect_ ABSL_GUARDED_BY(mutex_);
  Backoff errors_ ABSL_GUARDED_BY(mutex_);
  Backoff credentials_ ABSL_GUARDED_BY(mutex_);

  std::thread keeper_;
  std::thread fetcher_;
};

// What a failure is called in a record: "timeout after 120 ms", "edge unavailable: ...",
// "refused: queue full, expected wait 300 ms", "credentials refused: ...", ...
std::string FailureText(const absl::Status& status, std::int64_t waited_us);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_EDGE_LINK_H_
