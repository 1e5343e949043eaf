#include "edge/model_counters.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace cleave {
namespace {

void Count(ModelCounts::Times& times, std::int64_t us) {
  ++times.count;
  times.us += us;
}

}  // namespace

void ModelCounters::Add(const EdgeEvent& event) {
  using enum EdgeEventKind;
  const bool inference = event.kind == kInfer || event.kind == kRefused || event.kind == kError;
  if (!inference || event.named == EdgeEvent::Named::kNothing) return;
  const absl::MutexLock lock(&mutex_);
  ModelCounts& counts = counts_[event.model];
  const std::int64_t whole_us = event.queue_us + event.decode_us + event.compute_us;
  if (event.kind != kInfer) return Count(counts.failed, whole_us);
  counts.last_us = absl::ToUnixMicros(absl::Now());
  counts.items += event.batch;
  Count(counts.answered, whole_us);
  Count(counts.queue, event.queue_us);
  Count(counts.decode, event.decode_us);
  Count(counts.compute, event.compute_us);
}

std::vector<ModelCounts> ModelCounters::Of(const std::vector<std::string>& models) const {
  const absl::MutexLock lock(&mutex_);
  std::vector<ModelCounts> all;
  all.reserve(models.size());
  for (const std::string& name : models) {
    const auto found = counts_.find(name);
    all.push_back(found == counts_.end() ? ModelCounts() : found->second);
    all.back().name = name;
  }
  return all;
}

void ModelCounters::KeepOnly(const std::vector<std::string>& models) {
  const absl::MutexLock lock(&mutex_);
  std::erase_if(counts_, [&models](const auto& counts) {
    return std::find(models.begin(), models.end(), counts.first) == models.end();
  });
}

}  // namespace cleave
