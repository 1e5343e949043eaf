#include "device/in_flight.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace cleave {

InFlight::~InFlight() {
  std::vector<std::thread> threads;
  {
    const absl::MutexLock lock(&mutex_);
    for (const auto& [number, token] : tokens_) token.Cancel();
    while (in_flight_ > 0) changed_.Wait(&mutex_);
    stop_ = true;
    changed_.SignalAll();
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

absl::StatusOr<InferenceRecord> InFlight::RunHere(const Run& run) {
  {
    const absl::MutexLock lock(&mutex_);
    while (full()) changed_.Wait(&mutex_);
    ++in_flight_;
  }
  absl::StatusOr<InferenceRecord> record = run();
  const absl::MutexLock lock(&mutex_);
  --in_flight_;
  changed_.SignalAll();
  return record;
}

absl::Status InFlight::Start(Run run, InferenceDone done, const CancelToken& cancel) {
  const absl::MutexLock lock(&mutex_);
  if (full() && options_.when_full == DeviceOptions::Stream::WhenFull::kRefuse) {
    return absl::ResourceExhaustedError(absl::StrCat("inference: found ", in_flight_,
                                                     " in flight, expected fewer than ",
                                                     options_.max_in_flight, " (max_in_flight)"));
  }
  while (full()) changed_.Wait(&mutex_);
  ++in_flight_;
  const std::int64_t number = started_++;
  tokens_.emplace(number, cancel);
  tasks_.push_back({number, std::move(run), std::move(done)});
  if (idle_ < static_cast<std::int64_t>(tasks_.size()) &&
      static_cast<std::int64_t>(threads_.size()) < options_.max_in_flight) {
    threads_.emplace_back([this] { Work(); });
  }
  changed_.SignalAll();
  return absl::OkStatus();
}

void InFlight::Work() {
  mutex_.Lock();
  while (!stop_) {
    if (tasks_.empty()) {
      ++idle_;
      changed_.Wait(&mutex_);
      --idle_;
      continue;
    }
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    mutex_.Unlock();
    absl::StatusOr<InferenceRecord> record = task.run();
    task.run = nullptr;  // It holds the inputs.
    mutex_.Lock();
    HandOver(task, std::move(record));
  }
  mutex_.Unlock();
}

std::map<std::int64_t, InFlight::Answered>::iterator InFlight::Next() {
  const bool as_they_come = options_.order == DeviceOptions::Stream::Order::kAsTheyCome;
  return as_they_come ? answered_.begin() : answered_.find(handed_over_);
}

void InFlight::HandOver(Task& task, absl::StatusOr<InferenceRecord> record) {
  tokens_.erase(task.number);
  answered_.emplace(task.number, Answered{std::move(task.done), std::move(record)});
  if (handing_over_) return;
  handing_over_ = true;
  for (auto next = Next(); next != answered_.end(); next = Next()) {
    Answered answered = std::move(next->second);
    answered_.erase(next);
    mutex_.Unlock();
    answered.done(std::move(answered.record));
    answered.done = nullptr;
    mutex_.Lock();
    ++handed_over_;
    --in_flight_;
    changed_.SignalAll();
  }
  handing_over_ = false;
}

}  // namespace cleave
