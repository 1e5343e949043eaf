#ifndef CLEAVE_LEARN_CHECKPOINT_H_
#define CLEAVE_LEARN_CHECKPOINT_H_

#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"

namespace cleave {

// What one epoch of training gave.
struct EpochRecord {
  double loss = 0;               // Mean over the training images.
  std::vector<double> accuracy;  // That of each exit on the test images, 0 to 1.
  double seconds = 0;            // Wall time, test included.
};

// All that is needed to go on as if training had never stopped. The file is described in
// docs/exits.md.
struct Checkpoint {
  std::map<std::string, std::string> settings;         // What must be the same to go on.
  std::vector<EpochRecord> epochs;                     // The ones that are done.
  std::map<std::string, std::vector<double>> numbers;  // Finite; exact, unlike those in tensors.
  std::map<std::string, Tensor> tensors;               // FP32.

  absl::StatusOr<std::string> Serialize() const;
  // Parses what Serialize returns, whole or not at all: InvalidArgument names `origin` and what is
  // wrong, DataLoss a digest that does not fit.
  static absl::StatusOr<Checkpoint> Parse(absl::string_view bytes, const std::string& origin);

  // Checks that the settings are these. FailedPrecondition names the first setting that differs.
  absl::Status CheckSettings(const std::map<std::string, std::string>& expected,
                             const std::string& origin) const;
};

// Returns the numbers of a checkpoint's tensor, which they view. InvalidArgument names origin,
// tensor, what was found and what was expected where it is missing or has another shape.
absl::StatusOr<std::span<const float>> FloatsOf(const std::map<std::string, Tensor>& tensors,
                                                const std::string& name, const Shape& shape,
                                                const std::string& origin);

}  // namespace cleave

#endif  // CLEAVE_LEARN_CHECKPOINT_H_
