#include "edge/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "edge/cost_estimator.h"
#include "wire/messages.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;

Admission::Request Costing(double expected_us) {
  Admission::Request request;
  request.expected_us = expected_us;
  return request;
}

void WaitFor(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// A request that enters on a thread of its own and stays until it is told to leave.
class Guest {
 public:
  Guest(Admission& admission, const Admission::Request& request)
      : thread_([this, &admission, request] {
          absl::StatusOr<Admission::Permit> permit = admission.Enter(request);
          status_ = permit.status();
          if (permit.ok()) queue_us_ = permit->queue_us();
          inside_ = permit.ok();
          ended_ = true;
          if (!permit.ok()) return;
          WaitFor([this] { return leave_.load(); });
        }) {}
  ~Guest() {
    Leave();
    thread_.join();
  }

  bool inside() const { return inside_; }
  bool ended() const { return ended_; }
  void AwaitInside() const {
    WaitFor([this] { return inside_.load(); });
  }
  absl::Status AwaitEnd() const {
    WaitFor([this] { return ended_.load(); });
    return status_;
  }
  std::int64_t queue_us() const { return queue_us_; }
  void Leave() { leave_ = true; }

 private:
  std::atomic<bool> inside_ = false;
  std::atomic<bool> ended_ = false;
  std::atomic<bool> leave_ = false;
  std::atomic<std::int64_t> queue_us_ = 0;
  absl::Status status_;
  std::thread thread_;
};

void AwaitQueued(const Admission& admission, int queued) {
  WaitFor([&] { return admission.Load().queued == queued; });
}

TEST(Admission, RunsAtOnceWhereAWorkerIsFree) {
  FakeClock clock;
  Admission admission({2, 1}, clock);
  const auto first = admission.Enter(Costing(100));
  const auto second = admission.Enter(Costing(100));
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(first->queue_us(), 0);
  EXPECT_EQ(admission.Load().running, 2);
  EXPECT_EQ(admission.Load().queued, 0);
}

TEST(Admission, FirstComeFirstServed) {
  FakeClock clock;
  Admission admission({1, 8}, clock);
  std::optional<Admission::Permit> running(admission.Enter(Costing(100)).value());
  std::vector<std::unique_ptr<Guest>> guests;
  for (int i = 0; i < 3; ++i) {
    guests.push_back(std::make_unique<Guest>(admission, Costing(100)));
    AwaitQueued(admission, i + 1);
  }
  clock.AdvanceUs(5000);
  running.reset();
  for (int i = 0; i < 3; ++i) {
    guests[static_cast<std::size_t>(i)]->AwaitInside();
    for (int later = i + 1; later < 3; ++later) {
      EXPECT_FALSE(guests[static_cast<std::size_t>(later)]->inside());
    }
    guests[static_cast<std::size_t>(i)]->Leave();
  }
  EXPECT_EQ(guests[0]->queue_us(), 5000);
}

TEST(Admission, AFullQueueRefusesWithTheExpectedWait) {
  FakeClock clock;
  Admission admission({1, 2}, clock);
  const auto running = admission.Enter(Costing(1000));
  const Guest first(admission, Costing(300));
  AwaitQueued(admission, 1);
  Guest second(admission, Costing(200));
  AwaitQueued(admission, 2);
  clock.AdvanceUs(400);
  const absl::Status refused = admission.Enter(Costing(1)).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetExpectedWait(refused), 600 + 300 + 200);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("2 of 2 places taken"));
  EXPECT_EQ(admission.Load().refused, 1);
  admission.Abort();
}

TEST(Admission, ExpectedWaitSharesTheWorkAmongTheWorkers) {
  FakeClock clock;
  Admission admission({2, 8}, clock);
  EXPECT_EQ(admission.ExpectedWaitUs(), 0);
  const auto first = admission.Enter(Costing(1000));
  EXPECT_EQ(admission.ExpectedWaitUs(), 0);
  const auto second = admission.Enter(Costing(500));
  EXPECT_EQ(admission.ExpectedWaitUs(), 750);
  clock.AdvanceUs(10'000);
  EXPECT_EQ(admission.ExpectedWaitUs(), 75) << "a run that overruns still has something left";
}

TEST(Admission, ADeadlineThatTheWaitWouldOutlastIsRefusedAtOnce) {
  FakeClock clock;
  Admission admission({1, 8}, clock);
  const auto running = admission.Enter(Costing(10'000));
  Admission::Request request = Costing(1);
  request.deadline_us = clock.NowUs() + 9'000;
  const absl::Status refused = admission.Enter(request).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetExpectedWait(refused), 10'000);
  EXPECT_EQ(admission.Load().queued, 0);
}

TEST(Admission, ADeadlineThatPassesInTheQueueEndsTheWait) {
  FakeClock clock;
  Admission admission({1, 8}, clock);
  const auto running = admission.Enter(Costing(10));
  Admission::Request request = Costing(1);
  request.deadline_us = clock.NowUs() + 9'000;
  const Guest guest(admission, request);
  AwaitQueued(admission, 1);
  clock.AdvanceUs(9'000);
  EXPECT_EQ(guest.AwaitEnd().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(admission.Load().queued, 0);
}

Admission::Request NeededIn(const Clock& clock, double expected_us, std::int64_t in_us) {
  Admission::Request request = Costing(expected_us);
  request.deadline_us = clock.NowUs() + in_us;
  return request;
}

TEST(Admission, ARunThatWouldEndAfterItsDeadlineIsRefusedAtOnce) {
  FakeClock clock;
  Admission admission({1, 8}, clock);
  const absl::Status alone = admission.Enter(NeededIn(clock, 10'000, 9'999)).status();
  EXPECT_EQ(alone.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetExpectedWait(alone), 0);
  const auto running = admission.Enter(NeededIn(clock, 10'000, 10'000));
  ASSERT_TRUE(running.ok()) << running.status();
  const absl::Status behind = admission.Enter(NeededIn(clock, 5'000, 14'999)).status();
  EXPECT_EQ(behind.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetExpectedWait(behind), 10'000);
  EXPECT_THAT(std::string(behind.message()), HasSubstr("before the end of the run"));
  EXPECT_EQ(admission.Load().refused, 2);
  EXPECT_EQ(admission.Load().queued, 0);
}

TEST(Admission, ADeadlineThatHasPassedIsNoRun) {
  FakeClock clock;
  Admission admission({1, 8}, clock);
  Admission::Request request = NeededIn(clock, 0, 0);
  request.expectation_out_of_date = true;
  EXPECT_EQ(admission.Enter(request).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(Admission, AWorkerThatComesTooLateIsNotGranted) {
  FakeClock clock;
  Admission admission({1, 8}, clock);
  std::optional<Admission::Permit> overrunning(admission.Enter(Costing(1'000)).value());
  const Guest late(admission, NeededIn(clock, 5'000, 10'000));
  AwaitQueued(admission, 1);
  Guest behind(admission, NeededIn(clock, 1'000, 10'000));
  AwaitQueued(admission, 2);
  clock.AdvanceUs(5'001);
  overrunning.reset();
  EXPECT_EQ(late.AwaitEnd().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(late.inside());
  behind.AwaitInside();
  EXPECT_EQ(admission.Load().refused, 1);
}

TEST(Admission, AWaitThatCanNoLongerEndInTimeIsRefusedBeforeItsDeadline) {
  FakeClock clock;
  Admission admission({1, 8}, clock);
  const auto overrunning = admission.Enter(Costing(1'000));
  const Guest late(admission, NeededIn(clock, 5'000, 10'000));
  AwaitQueued(admission, 1);
  clock.AdvanceUs(5'001);
  const absl::Status refused = late.AwaitEnd();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetExpectedWait(refused), 100) << "it does not wait for itself";
}

TEST(Admission, AnExpectationThatIsOutOfDateIsTriedWhereAWorkerIsFreeOnly) {
  FakeClock clock;
  Admission admission({1, 8}, clock);
  Admission::Request request = NeededIn(clock, 10'000, 9'000);
  request.expectation_out_of_date = true;
  const auto tried = admission.Enter(request);
  EXPECT_TRUE(tried.ok()) << tried.status();
  EXPECT_EQ(admission.Enter(request).status().code(), absl::StatusCode::kResourceExhausted);
}

// Requests that come at a steady rate, whatever became of those before them, to one worker, on a
// clock that stands still while threads move: what happens does not depend on the machine.
class OpenLoop {
 public:
  static constexpr std::int64_t kDeadlineUs = 200'000;

  struct Counts {
    int in_time = 0;
    int late = 0;
    int refused = 0;
  };

  // Runs are expected to take `expected_us`, and take what `run_us` says of the one so numbered.
  OpenLoop(double expected_us, std::function<std::int64_t(int)> run_us)
      : expected_us_(expected_us), run_us_(std::move(run_us)) {}

  Counts Run(std::int64_t interval_us, int requests) {
    for (int i = 0; i < requests; ++i) {
      const std::int64_t arrival_us = start_us_ + i * interval_us;
      while (runner_ && runner_ends_us_ <= arrival_us) EndRun();
      AdvanceTo(arrival_us);
      Arrive();
    }
    while (runner_ || !waiting_.empty()) runner_ ? EndRun() : Settle();
    return counts_;
  }

 private:
  struct Caller {
    Caller(Admission& admission, const Admission::Request& request)
        : deadline_us(request.deadline_us), guest(admission, request) {}
    std::int64_t deadline_us;
    Guest guest;
  };

  void AdvanceTo(std::int64_t time_us) { clock_.AdvanceUs(time_us - clock_.NowUs()); }

  void Arrive() {
    waiting_.push_back(
        std::make_unique<Caller>(admission_, NeededIn(clock_, expected_us_, kDeadlineUs)));
    WaitFor([&] {
      const int waiting = Waiting();
      return waiting_.back()->guest.ended() || admission_.Load().queued == waiting;
    });
    Settle();
  }

  void EndRun() {
    AdvanceTo(runner_ends_us_);
    ++(clock_.NowUs() <= runner_->deadline_us ? counts_.in_time : counts_.late);
    const int completed = static_cast<int>(admission_.Load().completed) + 1;
    runner_->guest.Leave();
    WaitFor([&] { return admission_.Load().completed == completed; });
    runner_.reset();
    Settle();
  }

  int Waiting() const {
    return static_cast<int>(std::count_if(waiting_.begin(), waiting_.end(), [](const auto& caller) {
      return !caller->guest.ended();
    }));
  }

  // Waits until everyone whom the admission granted or refused knows it.
  void Settle() {
    WaitFor([&] {
      const int waiting = Waiting();
      return admission_.Load().queued == waiting;
    });
    for (auto caller = waiting_.begin(); caller != waiting_.end();) {
      if (!(*caller)->guest.ended()) {
        ++caller;
        continue;
      }
      if ((*caller)->guest.inside()) {
        EXPECT_LE(clock_.NowUs() + expected_us_, (*caller)->deadline_us);
        runner_ = std::move(*caller);
        runner_ends_us_ = clock_.NowUs() + run_us_(runs_++);
      } else {
        EXPECT_FALSE((*caller)->guest.AwaitEnd().ok());
        ++counts_.refused;
      }
      caller = waiting_.erase(caller);
    }
  }

  const double expected_us_;
  const std::function<std::int64_t(int)> run_us_;
  FakeClock clock_;
  const std::int64_t start_us_ = clock_.NowUs();
  Admission admission_{{1, 64}, clock_};
  std::list<std::unique_ptr<Caller>> waiting_;
  std::unique_ptr<Caller> runner_;
  std::int64_t runner_ends_us_ = 0;
  int runs_ = 0;
  Counts counts_;
};

constexpr std::int64_t kRunUs = 12'000;

TEST(Admission, UnderOverloadTheWorkerDoesNothingThatComesTooLate) {
  constexpr int kRequests = 300;
  for (const double load : {0.9, 2.0, 4.0}) {
    const auto interval_us = static_cast<std::int64_t>(kRunUs / load);
    const auto counts = OpenLoop(kRunUs, [](int) { return kRunUs; }).Run(interval_us, kRequests);
    EXPECT_EQ(counts.late, 0) << load;
    EXPECT_EQ(counts.in_time + counts.refused, kRequests) << load;
    // All that the worker can do from the first arrival on, but for the run that it is at.
    const std::int64_t possible = interval_us * kRequests / kRunUs;
    EXPECT_GE(counts.in_time, std::min<std::int64_t>(kRequests, possible)) << load;
  }
}

TEST(Admission, UnderOverloadARunThatOverrunsCostsThoseBehindItNoMoreThanItsTime) {
  constexpr int kRequests = 300;
  // Every fifth takes thrice its time.
  const auto run_us = [](int run) { return run % 5 == 4 ? 3 * kRunUs : kRunUs; };
  const auto counts = OpenLoop(kRunUs, run_us).Run(kRunUs / 4, kRequests);
  EXPECT_EQ(counts.in_time + counts.late + counts.refused, kRequests);
  const std::int64_t possible = kRunUs / 4 * kRequests / (kRunUs * 7 / 5);
  EXPECT_GE(counts.in_time, possible * 4 / 5);
  EXPECT_LE(counts.late, (counts.in_time + counts.late) / 5) << "more than overran themselves";
}

TEST(Admission, CancellationEndsTheWaitAndMakesRoom) {
  FakeClock clock;
  Admission admission({1, 1}, clock);
  const auto running = admission.Enter(Costing(10));
  const Admission::Request request = Costing(1);
  const Guest guest(admission, request);
  AwaitQueued(admission, 1);
  request.cancel.Cancel();
  EXPECT_EQ(guest.AwaitEnd().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(admission.Load().queued, 0);
  EXPECT_EQ(admission.Load().refused, 0);
}

TEST(Admission, ACancelledExclusiveRequestLetsThoseBehindItIn) {
  FakeClock clock;
  Admission admission({2, 8}, clock);
  const auto running = admission.Enter(Costing(10));
  Admission::Request exclusive = Costing(10);
  exclusive.exclusive = true;
  const Guest blocked(admission, exclusive);
  AwaitQueued(admission, 1);
  const Guest behind(admission, Costing(10));
  AwaitQueued(admission, 2);
  EXPECT_FALSE(behind.inside());
  exclusive.cancel.Cancel();
  EXPECT_EQ(blocked.AwaitEnd().code(), absl::StatusCode::kCancelled);
  behind.AwaitInside();
}

TEST(Admission, AnExclusiveRequestHasAllWorkers) {
  FakeClock clock;
  Admission admission({3, 8}, clock);
  Admission::Request exclusive = Costing(10);
  exclusive.exclusive = true;
  std::optional<Admission::Permit> alone(admission.Enter(exclusive).value());
  const Guest guest(admission, Costing(1));
  AwaitQueued(admission, 1);
  EXPECT_FALSE(guest.inside());
  alone.reset();
  guest.AwaitInside();
}

TEST(Admission, ClosingLetsTheQueueEndAndRefusesTheRest) {
  FakeClock clock;
  Admission admission({1, 8}, clock);
  std::optional<Admission::Permit> running(admission.Enter(Costing(10)).value());
  Guest waiting(admission, Costing(10));
  AwaitQueued(admission, 1);
  admission.Close();
  EXPECT_EQ(admission.Enter(Costing(1)).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(admission.WaitIdle(1000));
  running.reset();
  waiting.AwaitInside();
  waiting.Leave();
  EXPECT_TRUE(admission.WaitIdle(60'000'000));
  EXPECT_EQ(admission.Load().completed, 2);
}

TEST(Admission, AbortEndsEveryWait) {
  FakeClock clock;
  Admission admission({1, 8}, clock);
  const auto running = admission.Enter(Costing(10));
  const Guest first(admission, Costing(10));
  const Guest second(admission, Costing(10));
  AwaitQueued(admission, 2);
  admission.Abort();
  EXPECT_EQ(first.AwaitEnd().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(second.AwaitEnd().code(), absl::StatusCode::kUnavailable);
}

TEST(Admission, UtilizationFollowsTheBusyShare) {
  FakeClock clock;
  Admission admission({2, 8}, clock);
  EXPECT_EQ(admission.Load().utilization, 0);
  {
    const auto half = admission.Enter(Costing(10));
    clock.AdvanceUs(60'000'000);
    EXPECT_NEAR(admission.Load().utilization, 0.5, 1e-6);
  }
  clock.AdvanceUs(60'000'000);
  EXPECT_NEAR(admission.Load().utilization, 0, 1e-6);
}

TEST(Admission, ManyAtOnceNeverExceedTheWorkers) {
  Admission admission({3, 100}, Clock::Steady());
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::atomic<int> done = 0;
  std::vector<std::thread> threads;
  threads.reserve(12);
  for (int t = 0; t < 12; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const auto permit = admission.Enter(Costing(1));
        ASSERT_TRUE(permit.ok());
        const int now = ++inside;
        int seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        --inside;
        ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 12 * 200);
  EXPECT_LE(most, 3);
  EXPECT_EQ(admission.Load().completed, 12 * 200);
  EXPECT_EQ(admission.Load().running, 0);
}

Admission::Request Of(const std::string& client, double expected_us) {
  Admission::Request request = Costing(expected_us);
  request.client = client;
  return request;
}

TEST(FairQueueing, APoliteClientIsServedBeforeTheBacklogOfAGreedyOne) {
  FakeClock clock;
  Admission admission({1, 16}, clock);
  std::optional<Admission::Permit> running(admission.Enter(Of("greedy", 100)).value());
  std::vector<std::unique_ptr<Guest>> greedy;
  for (int i = 0; i < 6; ++i) {
    greedy.push_back(std::make_unique<Guest>(admission, Of("greedy", 100)));
    AwaitQueued(admission, i + 1);
  }
  EXPECT_EQ(admission.ExpectedWaitUs("greedy"), 700);
  EXPECT_EQ(admission.ExpectedWaitUs("polite"), 100) << "only what runs is before it";
  Guest polite(admission, Of("polite", 100));
  AwaitQueued(admission, 7);
  clock.AdvanceUs(100);
  running.reset();
  polite.AwaitInside();
  for (const auto& one : greedy) EXPECT_FALSE(one->inside());
  polite.Leave();
  for (const auto& one : greedy) {
    one->AwaitInside();
    one->Leave();
  }
}

// The order in which requests that wait are served, by the names of their clients.
std::string ServedOrder(Admission& admission, FakeClock& clock,
                        const std::vector<Admission::Request>& waiting) {
  std::optional<Admission::Permit> running(admission.Enter(Of("first", 1)).value());
  std::vector<std::unique_ptr<Guest>> guests;
  for (const Admission::Request& request : waiting) {
    guests.push_back(std::make_unique<Guest>(admission, request));
    AwaitQueued(admission, static_cast<int>(guests.size()));
  }
  std::string order;
  running.reset();
  std::vector<bool> served(guests.size());
  for (std::size_t count = 0; count < guests.size(); ++count) {
    std::size_t next = guests.size();
    WaitFor([&] {
      for (std::size_t i = 0; i < guests.size(); ++i) {
        if (guests[i]->inside() && !served[i]) next = i;
      }
      return next < guests.size();
    });
    served[next] = true;
    order += waiting[next].client;
    clock.AdvanceUs(static_cast<std::int64_t>(waiting[next].expected_us));
    guests[next]->Leave();
  }
  return order;
}

TEST(FairQueueing, ClientsTakeTurnsByWhatTheirRunsCost) {
  FakeClock clock;
  Admission equal({1, 16}, clock);
  EXPECT_EQ(ServedOrder(equal, clock,
                        {Of("a", 100), Of("a", 100), Of("a", 100), Of("b", 100), Of("b", 100)}),
            "ababa");
  Admission costly({1, 16}, clock);
  EXPECT_EQ(ServedOrder(costly, clock,
                        {Of("a", 200), Of("a", 200), Of("b", 100), Of("b", 100), Of("b", 100)}),
            "abbab");
}

TEST(FairQueueing, AWeightIsAShare) {
  FakeClock clock;
  Admission admission({1, 16, {{"a", 2}}}, clock);
  EXPECT_EQ(ServedOrder(admission, clock,
                        {Of("a", 100), Of("a", 100), Of("a", 100), Of("a", 100), Of("b", 100),
                         Of("b", 100)}),
            "abaaba");
}

TEST(FairQueueing, InAFullQueueTheClientWithTheMostGivesItsLastPlace) {
  FakeClock clock;
  Admission admission({1, 3}, clock);
  std::optional<Admission::Permit> running(admission.Enter(Of("greedy", 100)).value());
  std::vector<std::unique_ptr<Guest>> greedy;
  for (int i = 0; i < 3; ++i) {
    greedy.push_back(std::make_unique<Guest>(admission, Of("greedy", 100)));
    AwaitQueued(admission, i + 1);
  }
  EXPECT_EQ(admission.Enter(Of("greedy", 100)).status().code(),
            absl::StatusCode::kResourceExhausted);
  Guest polite(admission, Of("polite", 100));
  const absl::Status displaced = greedy.back()->AwaitEnd();
  EXPECT_EQ(displaced.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(GetExpectedWait(displaced).has_value());
  running.reset();
  polite.AwaitInside();
  polite.Leave();
  for (int i = 0; i < 2; ++i) {
    greedy[static_cast<std::size_t>(i)]->AwaitInside();
    greedy[static_cast<std::size_t>(i)]->Leave();
  }
}

TEST(FairQueueing, NobodyIsDisplacedByAClientThatHasAsMany) {
  FakeClock clock;
  Admission admission({1, 2}, clock);
  const auto running = admission.Enter(Of("a", 100));
  const Guest a(admission, Of("a", 100));
  AwaitQueued(admission, 1);
  const Guest b(admission, Of("b", 100));
  AwaitQueued(admission, 2);
  EXPECT_EQ(admission.Enter(Of("b", 100)).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(admission.Enter(Of("c", 100)).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(a.ended());
  EXPECT_FALSE(b.ended());
  admission.Abort();
}

TEST(CostEstimator, ALargeBatchSaysLittleOfASmallOne) {
  CostEstimator costs;
  const RunKind one{"m", 0, 0, 192, RunKind::Decoding::kNone, 1};
  RunKind many = one;
  many.elements = 192'000;
  many.items = 1000;
  costs.Observe(many, 20'000'000);
  EXPECT_NEAR(costs.ExpectedUs(one), 20'000, 1) << "a thousandth of it, and not all";
  costs.Observe(one, 30'000);
  EXPECT_EQ(costs.ExpectedUs(one), 30'000);
  EXPECT_EQ(costs.ExpectedUs(many), 20'000'000);
  const RunKind other{"other", 0, 0, 192, RunKind::Decoding::kNone, 1};
  EXPECT_LT(costs.ExpectedUs(other), 40'000);
}

TEST(CostEstimator, KnowsEachKindAndGuessesTheRest) {
  CostEstimator costs;
  EXPECT_EQ(costs.ExpectedUs({"m", 0, 1}), 0);
  for (int i = 0; i < 50; ++i) costs.Observe({"m", 0, 1}, 1000);
  EXPECT_EQ(costs.ExpectedUs({"m", 0, 1}), 1000);
  EXPECT_EQ(costs.ExpectedUs({"m", 3, 1}), 1000);
  for (int i = 0; i < 50; ++i) costs.Observe({"m", 3, 1}, 100);
  EXPECT_EQ(costs.ExpectedUs({"m", 0, 1}), 1000);
  EXPECT_EQ(costs.ExpectedUs({"m", 3, 1}), 100);
  EXPECT_NEAR(costs.ExpectedUs({"other", 0, 1}), 100, 1);
}

TEST(CostEstimator, FollowsAChange) {
  CostEstimator costs;
  costs.Observe({"m", 0, 1}, 1000);
  for (int i = 0; i < 20; ++i) costs.Observe({"m", 0, 1}, 3000);
  EXPECT_NEAR(costs.ExpectedUs({"m", 0, 1}), 3000, 50);
}

TEST(CostEstimator, WhatNoRunHasShownOfLateIsOutOfDate) {
  FakeClock clock;
  CostEstimator costs(clock);
  EXPECT_TRUE(costs.IsOutOfDate({"m", 0, 1}));
  costs.Observe({"m", 0, 1}, 1000);
  clock.AdvanceUs(1'000'000);
  EXPECT_FALSE(costs.IsOutOfDate({"m", 0, 1}));
  EXPECT_TRUE(costs.IsOutOfDate({"m", 3, 1}));
  clock.AdvanceUs(1);
  EXPECT_TRUE(costs.IsOutOfDate({"m", 0, 1}));
}

TEST(CostEstimator, ARunThatWasBrokenOffShowsThatItTakesLonger) {
  FakeClock clock;
  CostEstimator costs(clock);
  costs.ObserveBrokenOff({"m", 0, 1}, 1000);
  EXPECT_EQ(costs.ExpectedUs({"m", 0, 1}), 1000);
  clock.AdvanceUs(2'000'000);
  costs.ObserveBrokenOff({"m", 0, 1}, 500);
  EXPECT_EQ(costs.ExpectedUs({"m", 0, 1}), 1000) << "it might have taken as long";
  EXPECT_FALSE(costs.IsOutOfDate({"m", 0, 1}));
  costs.ObserveBrokenOff({"m", 0, 1}, 2000);
  EXPECT_GT(costs.ExpectedUs({"m", 0, 1}), 1000);
}

TEST(CostEstimator, ForgetsRatherThanGrowsWithoutLimit) {
  CostEstimator costs;
  for (int batch = 1; batch <= 10'000; ++batch) costs.Observe({"m", 0, batch}, 10);
  EXPECT_EQ(costs.ExpectedUs({"m", 0, 10'000}), 10);
}

}  // namespace
}  // namespace cleave
