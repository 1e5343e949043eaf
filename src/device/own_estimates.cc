#include "device/own_estimates.h"

namespace cleave {

void OwnEstimates::AddRun(double profile_us, double took_us) {
  const absl::MutexLock lock(&mutex_);
  slowdown_.Add(profile_us, took_us, clock_.NowUs());
}

void OwnEstimates::LearnPicture(double took_us) {
  const absl::MutexLock lock(&mutex_);
  encode_cost_.LearnPicture(took_us, slowdown_.factor());
}

void OwnEstimates::LearnEncoding(Encoding encoding, double raw_bytes, double took_us) {
  const absl::MutexLock lock(&mutex_);
  encode_cost_.Learn(encoding, raw_bytes, took_us, slowdown_.factor());
}

void OwnEstimates::AddInference(const EndedRun& run) {
  const absl::MutexLock lock(&mutex_);
  history_.Add(run);
}

OwnState OwnEstimates::State() const {
  const absl::MutexLock lock(&mutex_);
  OwnState own;
  own.slowdown = {slowdown_.factor(), slowdown_.deviation()};
  own.recent = history_.Get();
  return own;
}

EncodeCost OwnEstimates::encode_cost() const {
  const absl::MutexLock lock(&mutex_);
  return encode_cost_;
}

}  // namespace cleave
