#ifndef CLEAVE_DEVICE_VERIFIER_H_
#define CLEAVE_DEVICE_VERIFIER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/device.h"
#include "device/remote_caller.h"

namespace cleave {

// Has the device do again what an edge did, of a share of the inferences, and compares: an edge may
// answer with plausible nonsense. Immutable; thread-safe.
class Verifier {
 public:
  // Which inferences are drawn depends on their numbers and the seed alone.
  Verifier(double share, std::uint64_t seed) : share_(share), seed_(seed) {}

  // Nothing where the inference of this number is not drawn or cannot be compared: there is no
  // answer, it consists of detections, or none of its outputs is FP32 or FP64.
  std::optional<VerificationRecord> Verify(std::int64_t inference, const RemoteRequest& request,
                                           const RemoteAnswer& answer) const;
  // Whether the inference of this number is drawn.
  bool Draws(std::int64_t inference) const;

 private:
  const double share_;
  const std::uint64_t seed_;
};

// The tail of the request, run on the device from the very tensors that the edge has got: those
// that were sent, after their encoding.
absl::StatusOr<std::vector<NamedTensor>> RunAgain(const RemoteRequest& request);

// The greatest difference between two tensors, divided by the greatest magnitude in `own`. Nothing
// where they are not both FP32 or both FP64, or of different shapes.
std::optional<double> RelativeDifference(const Tensor& own, const Tensor& other);

// Why an answer that was found to be wrong is not taken, for the record.
std::string DisagreementText(const VerificationRecord& verification);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_VERIFIER_H_
