#ifndef CLEAVE_APP_VERIFY_H_
#define CLEAVE_APP_VERIFY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "model/cuts.h"
#include "model/graph.h"
#include "runtime/options.h"

namespace cleave::app {

// How far apart two tensors of one shape are.
struct Difference {
  double max_abs_error = 0;  // Infinite where one of the two is not a number and the other is.
  double scale = 0;          // Largest absolute value of the reference.
  bool bit_exact = true;
};

// InvalidArgument when type or shape differ.
absl::StatusOr<Difference> Compare(const Tensor& reference, const Tensor& found);

struct VerifyOptions {
  ShapeRequest inputs;
  CandidateSpec cuts;
  RuntimeOptions runtime;
  int pairs = 5;  // Timed pairs of (split, whole) runs at each cut.
  std::uint64_t seed = 1;
  // An error of more than this share of the largest absolute output fails, or of a tenth of it
  // where the output is smaller than 0.1; in a model with half precision, of 100 times as much.
  // Splitting changes which operators ONNX Runtime fuses, and with them the rounding.
  double tolerance = 1e-4;
  std::function<void(double)> on_progress;  // Fraction in [0, 1].
};

struct CutVerdict {
  int index = 0;
  double max_abs_error = 0;  // Over all outputs of the model.
  // max_abs_error / largest absolute value of that output or 0.1, over 100 with half precision.
  double relative_error = 0;
  bool bit_exact = true;
  double time_ratio = 0;  // Median over pairs: (head + tail) / whole model.
};

struct VerifyReport {
  std::string model;      // The file's path.
  ResolvedInputs inputs;  // What was run.
  std::vector<CutVerdict> cuts;
  double worst_abs_error = 0;
  double worst_relative_error = 0;
  double time_ratio_median = 0;  // Over the cuts.
  double tolerance = 0;
  // Whether the whole model gives other outputs each time that it runs. Then there is nothing to
  // compare with, and only names, types and shapes are checked.
  bool random = false;
  bool within_tolerance() const { return random || worst_relative_error <= tolerance; }

  // {"model","random","cuts":[{"index","max_abs_error","relative_error","bit_exact"}],
  // "worst_abs_error","worst_relative_error","time_ratio_median"}
  std::string ToJson() const;
  // A table for people.
  std::string ToText() const;
};

// Runs head and tail at every candidate cut, the tensor copied in between as a wire would, and
// compares with the whole model on the same made-up input. Float16 outputs count with 100 times the
// tolerance.
absl::StatusOr<VerifyReport> Verify(const std::shared_ptr<const Graph>& graph,
                                    const VerifyOptions& options);

}  // namespace cleave::app

#endif  // CLEAVE_APP_VERIFY_H_
