#ifndef CLEAVE_LEARN_EXIT_HEADS_H_
#define CLEAVE_LEARN_EXIT_HEADS_H_

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"

namespace cleave {

// Samples of one exit: a row of `width` features and a label for each.
struct HeadSamples {
  std::vector<float> features;  // Row by row.
  std::vector<int> labels;      // 0 to classes - 1.
  std::int64_t width = 0;
};

struct HeadOptions {
  std::int64_t classes = 0;
  // Half of it times the squared weights (those of standardized features) is added to the loss.
  double weight_decay = 1e-3;
  int steps = 200;  // At most, of L-BFGS over all samples.
  std::function<void(double share)> on_progress;
  CancelToken cancel;

  // InvalidArgument names the field.
  absl::Status Validate() const;
};

// logits = weights * features + bias.
struct LinearHead {
  std::vector<float> weights;  // Classes x width.
  std::vector<float> bias;
  double loss = 0;  // At the end, weight decay included.
  int steps = 0;    // How many steps were made.
};

// Trains a head by softmax regression on standardized features by L-BFGS from zero weights, on one
// thread: the loss has one minimum, nothing is drawn, and the same samples and options give the
// same weights, bit for bit, on the same kind of processor. The standardization is folded into the
// weights; a feature that hardly differs from sample to sample gets weights of 0. InvalidArgument
// for samples that do not fit each other or are not finite; Internal where LibTorch fails.
absl::StatusOr<LinearHead> TrainLinearHead(const HeadSamples& samples, const HeadOptions& options);

// Applies the head to one row of features, in double precision, and returns a number for each
// class.
std::vector<double> ApplyHead(const LinearHead& head, std::span<const float> features);

}  // namespace cleave

#endif  // CLEAVE_LEARN_EXIT_HEADS_H_
