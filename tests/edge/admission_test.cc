#include "edge/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
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

// One who enters on a thread of its own and stays until told to leave.
class Guest {
 public:
  Guest(Admission& admission, const Admission::Request& request)
      : thread_([this, &admission, request] {
          absl::StatusOr<Admission::Slot> slot = admission.Enter(request);
          status_ = slot.status();
          ended_ = true;
          if (!slot.ok()) return;
          inside_ = true;
          queue_us_ = slot->queue_us();
          WaitFor([this] { return leave_.load(); });
        }) {}
  ~Guest() {
    Leave();
    thread_.join();
  }

  bool inside() const { return inside_; }
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
  std::optional<Admission::Slot> running(admission.Enter(Costing(100)).value());
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
  std::optional<Admission::Slot> alone(admission.Enter(exclusive).value());
  const Guest guest(admission, Costing(1));
  AwaitQueued(admission, 1);
  EXPECT_FALSE(guest.inside());
  alone.reset();
  guest.AwaitInside();
}

TEST(Admission, ClosingLetsTheQueueEndAndRefusesTheRest) {
  FakeClock clock;
  Admission admission({1, 8}, clock);
  std::optional<Admission::Slot> running(admission.Enter(Costing(10)).value());
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
        const auto slot = admission.Enter(Costing(1));
        ASSERT_TRUE(slot.ok());
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

TEST(CostEstimator, ForgetsRatherThanGrowsWithoutLimit) {
  CostEstimator costs;
  for (int batch = 1; batch <= 10'000; ++batch) costs.Observe({"m", 0, batch}, 10);
  EXPECT_EQ(costs.ExpectedUs({"m", 0, 10'000}), 10);
}

}  // namespace
}  // namespace cleave
