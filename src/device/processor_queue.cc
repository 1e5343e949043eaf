#include "device/processor_queue.h"

namespace cleave {

void ProcessorQueue::Turn::Take() {
  if (taken_) return;
  const absl::MutexLock lock(&queue_.mutex_);
  const auto place = queue_.waiting_.insert(place_).first;
  while (queue_.busy_ || place != queue_.waiting_.begin()) queue_.changed_.Wait(&queue_.mutex_);
  queue_.waiting_.erase(place);
  queue_.busy_ = true;
  taken_ = true;
}

void ProcessorQueue::Turn::Release() {
  if (!taken_) return;
  const absl::MutexLock lock(&queue_.mutex_);
  queue_.busy_ = false;
  taken_ = false;
  queue_.changed_.SignalAll();
}

}  // namespace cleave
