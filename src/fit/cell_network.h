#ifndef CLEAVE_FIT_CELL_NETWORK_H_
#define CLEAVE_FIT_CELL_NETWORK_H_

#include <Eigen/Dense>
#include <cstdint>

#include "codec/neural_filter.h"

namespace cleave {

// Cells as rows of their features, each with the probability that is to be told of it.
struct CellRows {
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> features;
  Eigen::VectorXf targets;
};

struct CellNetworkTerms {
  int units = 0;
  double decay = 0;
  std::uint64_t seed = 1;
};

// Fits the weights of a NeuralFilter to cells, by the cross-entropy of the targets and the decay of
// the weights: Adam (arXiv 1412.6980) in batches of 512, with a rate that falls as a cosine. What
// does not concern weights (channels, side) is left as it is. Thread-safe.
// REQUIRES: rows.features has a row at least.
NeuralFilterParameters FitCellNetwork(const CellRows& rows, const CellNetworkTerms& terms);

}  // namespace cleave

#endif  // CLEAVE_FIT_CELL_NETWORK_H_
