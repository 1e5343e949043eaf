#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "device/beside_fake_edge.h"
#include "device/eventually.h"
#include "device/models.h"
#include "device/processor_queue.h"
#include "runtime/chain.h"

namespace cleave {
namespace {

using testing::EarlyOutputModel;
using testing::Eventually;
using testing::FakeEdgeScript;
using ::testing::HasSubstr;
using testing::TempDir;
using Mode = FakeEdgeScript::Infer;
using Stream = DeviceOptions::Stream;
using Future = std::future<absl::StatusOr<InferenceRecord>>;

constexpr std::int64_t kAmpleUs = 30'000'000;

class StreamDeviceTest : public ::testing::Test {
 protected:
  StreamDeviceTest() {
    setenv("CLEAVE_CACHE_DIR", (folder_.path() + "/cache").c_str(), 1);
    path_ = folder_.Write("net.onnx", EarlyOutputModel());
    graph_ = *Graph::Load(path_);
    inputs_ = *RandomInputs(*graph_, 1, 1);
  }

  std::unique_ptr<Device> Open(const std::string& policy, Stream stream) {
    DeviceOptions options;
    options.edge.address = "edge:1";
    options.edge.remote_timeout_us = kAmpleUs;
    options.plans.policy = policy;
    options.plans.cuts = "all";
    options.stream = stream;
    return testing::OpenBesideFakeEdge(path_, options, testing::BesideFakeEdge(graph_, script_));
  }

  void BeSlow(std::int64_t slow_us) {
    script_.Set(&FakeEdgeScript::infer, Mode::kSlow);
    script_.Set(&FakeEdgeScript::slow_us, slow_us);
  }

  TempDir folder_;
  std::string path_;
  std::shared_ptr<const Graph> graph_;
  FakeEdgeScript script_;
  std::vector<NamedTensor> inputs_;
};

TEST_F(StreamDeviceTest, SeveralAreOnTheWireAtOnce) {
  BeSlow(kAmpleUs - 1);
  const auto device = Open("fixed:1", {.max_in_flight = 3});
  std::vector<Future> futures;
  for (int i = 0; i < 3; ++i) futures.push_back(device->InferAsync(inputs_));
  Eventually([&] { return script_.Get(&FakeEdgeScript::infers) == 3; });
}

TEST_F(StreamDeviceTest, AnswersComeInTheOrderOfTheCallsAndEachIsRecorded) {
  const auto device = Open("fixed:1", {.max_in_flight = 4});
  const InferenceRecord alone = *device->Infer(inputs_);
  absl::Mutex mutex;
  std::vector<std::int64_t> ids;
  std::vector<Future> futures;
  for (int i = 0; i < 40; ++i) {
    const bool slow = i % 4 == 0;
    script_.Set(&FakeEdgeScript::infer, slow         ? Mode::kSlow
                                        : i % 4 == 1 ? Mode::kBroken
                                                     : Mode::kAnswer);
    script_.Set(&FakeEdgeScript::slow_us, 5'000);
    ASSERT_TRUE(device
                    ->InferAsync(inputs_,
                                 [&](const absl::StatusOr<InferenceRecord>& record) {
                                   ASSERT_TRUE(record.ok()) << record.status();
                                   EXPECT_EQ(record->outputs.size(), alone.outputs.size());
                                   EXPECT_GE(record->timeline.wait_us, 0);
                                   const absl::MutexLock lock(&mutex);
                                   ids.push_back(record->id);
                                 })
                    .ok());
  }
  Eventually([&] {
    const absl::MutexLock lock(&mutex);
    return ids.size() == 40;
  });
  const absl::MutexLock lock(&mutex);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

TEST_F(StreamDeviceTest, AnswersMayComeAsTheyAre) {
  BeSlow(kAmpleUs - 1);
  const auto device = Open("fixed:1", {.max_in_flight = 2, .order = Stream::Order::kAsTheyCome});
  const Future first = device->InferAsync(inputs_);
  Eventually([&] { return script_.Get(&FakeEdgeScript::infers) == 1; });
  script_.Set(&FakeEdgeScript::infer, Mode::kAnswer);
  Future second = device->InferAsync(inputs_);
  EXPECT_TRUE(second.get().ok());
  EXPECT_EQ(first.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
}

TEST_F(StreamDeviceTest, AFullDeviceRefusesWhereItIsAskedTo) {
  BeSlow(kAmpleUs - 1);
  const auto device = Open("fixed:1", {.max_in_flight = 1, .when_full = Stream::WhenFull::kRefuse});
  const CancelToken cancel;
  Future first = device->InferAsync(inputs_, cancel);
  const auto refused = device->InferAsync(inputs_).get();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("max_in_flight"));
  cancel.Cancel();
  EXPECT_TRUE(absl::IsCancelled(first.get().status()));
}

TEST_F(StreamDeviceTest, NothingIsLostWhileTheEdgeComesAndGoes) {
  const auto device = Open("fixed:1", {.max_in_flight = 4});
  std::vector<Future> futures;
  for (int i = 0; i < 60; ++i) {
    script_.Set(&FakeEdgeScript::infer, i % 3 == 0 ? Mode::kUnavailable : Mode::kAnswer);
    futures.push_back(device->InferAsync(inputs_));
  }
  for (Future& future : futures) {
    const auto record = future.get();
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_EQ(record->where == Where::kDevice, record->fallback.has_value());
  }
}

TEST_F(StreamDeviceTest, ADeviceThatIsDestroyedEndsWhatIsInFlight) {
  BeSlow(kAmpleUs - 1);
  auto device = Open("fixed:1", {.max_in_flight = 3});
  std::vector<Future> futures;
  for (int i = 0; i < 3; ++i) futures.push_back(device->InferAsync(inputs_));
  device.reset();
  for (Future& future : futures) EXPECT_TRUE(absl::IsCancelled(future.get().status()));
}

TEST_F(StreamDeviceTest, WrongInputsAndOptionsAreRefused) {
  const auto device = Open("device", {.max_in_flight = 2});
  EXPECT_TRUE(absl::IsInvalidArgument(device->InferAsync({}).get().status()));
  DeviceOptions options;
  options.stream.max_in_flight = 0;
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("max_in_flight: found 0"));
  options.stream.max_in_flight = 2;
  options.deadline.deadline_us = 1'000;
  options.deadline.max_miss = 0.1;
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("max_miss"));
}

TEST(ProcessorQueueTest, TheNextDeadlineComesFirst) {
  ProcessorQueue queue;
  absl::Mutex mutex;
  std::vector<std::int64_t> order;
  std::vector<std::thread> threads;
  {
    const ProcessorQueue::Turn held(queue, {0, 0, 0});
    for (const std::int64_t due_us : {30, 10, 20}) {
      threads.emplace_back([&, due_us] {
        const ProcessorQueue::Turn turn(queue, {due_us, 0, due_us});
        const absl::MutexLock lock(&mutex);
        order.push_back(due_us);
      });
    }
    Eventually([&] { return queue.waiting() == 3; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(order, ::testing::ElementsAre(10, 20, 30));
}

}  // namespace
}  // namespace cleave
