#ifndef CLEAVE_CODEC_NEURAL_FILTER_H_
#define CLEAVE_CODEC_NEURAL_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/tensor.h"

namespace cleave {

// Describes a picture by the tensors [N, C, H, W] that it has at a cut, for each of side x side
// cells, row by row: by the greatest value of each channel in the cell, and by the mean of each
// channel over the cell and those around it, tensor by tensor. Row i of the cells covers the rows
// floor(i H / side) to ceil((i + 1) H / side) - 1 of a tensor, and columns alike, so that each
// tensor may have a size of its own. Returns [cell][feature]. InvalidArgument for a tensor of
// another type or rank, or without elements. REQUIRES: 0 <= item < N of each. Thread-safe.
absl::StatusOr<std::vector<float>> CellFeatures(const std::vector<const Tensor*>& tensors,
                                                std::int64_t item, int side);

// The weights of a NeuralFilter. A plain value.
struct NeuralFilterParameters {
  std::vector<int> channels;         // Of each tensor that it reads.
  int side = 1;                      // Of its grid of cells; 1: the whole picture is one.
  int units = 0;                     // Of its hidden layer.
  std::vector<float> unit_weight;    // [unit][feature].
  std::vector<float> unit_bias;      // [unit].
  std::vector<float> output_weight;  // [unit].
  std::vector<float> direct_weight;  // [feature]: past the hidden layer.
  float bias = 0;

  // Returns how many features a cell has: two for each channel.
  std::size_t features() const;
  // InvalidArgument names what is out of its range, or has another size than the others say.
  absl::Status Validate() const;
};

inline constexpr int kMostFilterTensors = 64;
inline constexpr int kMostFilterChannels = 8192;  // Of all tensors together.
inline constexpr int kMostFilterSide = 64;
inline constexpr int kMostFilterUnits = 256;

// A neural filter (Matsubara and Levorato, "Neural Compression and Filtering for Edge-assisted
// Real-time Object Detection in Challenged Networks", arXiv 2007.15818): says by the tensors of an
// early cut how likely a detector finds anything in a picture. Each cell of the picture has a
// logit, sum of output_weight * max(0, unit_weight . features + unit_bias) plus direct_weight .
// features plus bias; that of the picture is the greatest. Immutable; thread-safe.
class NeuralFilter {
 public:
  // Errors are those of Validate.
  static absl::StatusOr<NeuralFilter> Create(NeuralFilterParameters parameters);

  const NeuralFilterParameters& parameters() const { return parameters_; }

  // Returns the logit of each item of a batch. InvalidArgument for tensors of another number, type,
  // rank or number of channels than the filter was fitted to, or of different batches.
  absl::StatusOr<std::vector<double>> Logits(const std::vector<const Tensor*>& tensors) const;
  // Returns that of one picture's CellFeatures. REQUIRES: `cells` is of this filter's size.
  double Logit(const std::vector<float>& cells) const;

 private:
  explicit NeuralFilter(NeuralFilterParameters parameters) : parameters_(std::move(parameters)) {}

  NeuralFilterParameters parameters_;
};

}  // namespace cleave

#endif  // CLEAVE_CODEC_NEURAL_FILTER_H_
