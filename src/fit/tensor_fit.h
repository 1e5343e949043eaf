#ifndef CLEAVE_FIT_TENSOR_FIT_H_
#define CLEAVE_FIT_TENSOR_FIT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/tensor_codec.h"

namespace cleave {

// What the outputs do when a tensor is changed: the squared length of their change, and the change
// itself in fewer dimensions, which keep lengths and angles nearly (Sketch).
struct Response {
  double squared = 0;
  std::vector<float> sketch;
};

// Adds up the elements of a change with random signs in kSketchSize places, so that the products of
// two sketches are those of what they were made of, on average (a count sketch). The same element
// always goes to the same place with the same sign. Thread-safe.
inline constexpr std::size_t kSketchSize = std::size_t{1} << 14;
Response Sketch(const std::vector<float>& change);

struct TensorFitOptions {
  // Samples whose response to changes is probed, for each band of a block: the time that this takes
  // grows with the product of both and the channels.
  int probed_samples_per_band = 4;
  // Those that the coding of coefficients is fitted to, at most: large tensors need fewer.
  int coded_samples = 32;
  // The mean squared change of the outputs that t1 should make; each further rate has a step that
  // is sqrt(2) times as large.
  double finest_distortion = 1;
  float lambda = 0.06F;
  int threads = 1;  // That call `respond` at once.
  std::uint64_t seed = 1;
  std::function<void(const std::string& what, double share)> on_progress;

  // InvalidArgument names the field.
  absl::Status Validate() const;
};

// Says what the outputs of a sample do when its tensor becomes this one. Thread-safe.
using Respond = std::function<absl::StatusOr<Response>(std::size_t sample, const Tensor& changed)>;

// Fits a codec to the tensors that samples have at a cut, each of batch 1 and the same shape:
//
// 1. the mean of each channel, and for each band of the blocks the covariance of the channels;
// 2. for each band the sensitivity of the outputs to the channels: in every block of a sample, one
//    channel of one band after the other is changed by the same small amount, up or down at random,
//    and the products of the outputs' changes make the matrix, which is drawn to the mean of all
//    bands by three tenths;
// 3. for each band a generalised Karhunen-Loève transform (fit/generalised_klt.h);
// 4. the steps: t1's makes the distortion that is asked for;
// 5. how coefficients are coded at each step (fit/coefficient_fit.h).
//
// InvalidArgument for tensors that no codec takes and for too few samples: there should be at least
// four blocks for each channel. Errors of `respond` are passed on.
absl::StatusOr<TensorCodecParameters> FitTensorCodec(const std::vector<Tensor>& samples,
                                                     const Respond& respond,
                                                     const TensorFitOptions& options);

}  // namespace cleave

#endif  // CLEAVE_FIT_TENSOR_FIT_H_
