#ifndef CLEAVE_FIT_FILTER_FIT_H_
#define CLEAVE_FIT_FILTER_FIT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "codec/filter_file.h"
#include "codec/neural_filter.h"

namespace cleave {

// A picture that a filter is fitted to.
struct FilterSample {
  // CellFeatures as half-precision floats, which take half the room: thousands are kept at once.
  std::vector<std::uint16_t> cells;
  // By cell of the same grid: the highest score of a box whose centre lies there; 0 without any.
  std::vector<float> scores;
  bool occupied = false;  // Whether the detector finds something in it.
  // Samples of one group, such as crops of one photograph, are alike: a fit that knows one of them
  // does not measure another.
  int group = 0;
};

// How a filter is fitted.
struct FilterForm {
  int side = 13;  // Of the grid; 1 pools the whole picture.
  int units = 16;
  double decay = 1e-3;  // The ridge on all weights, of standardised features.
};

struct FilterFitOptions {
  int folds = 5;            // Of the cross-fitting.
  double most_lost = 0.01;  // The share of occupied pictures that may be held back.
  int threads = 1;
  std::uint64_t seed = 1;
  std::function<void(double share)> on_progress;

  // InvalidArgument names the field.
  absl::Status Validate() const;
};

struct FilterFit {
  NeuralFilterParameters parameters;  // Of all samples.
  // Of the samples, each by a filter that was fitted to none of its group.
  std::vector<double> logits;
  FilterThreshold threshold;  // By these logits.
};

// Fits a filter that reads tensors of so many channels. The detector itself is the teacher: the
// probability of each cell is to be its score, in the sense of the cross-entropy, over the cells of
// the highest scores and as many drawn at random; Adam finds the weights, of standardised features.
// The threshold is found by cross-fitting (ThresholdFor). The same samples, form and seed give the
// same filter, whatever the number of threads, on the same kind of processor. InvalidArgument for
// samples that are not of one size or not of several groups, and for too few occupied ones.
absl::StatusOr<FilterFit> FitFilter(const std::vector<FilterSample>& samples,
                                    const std::vector<int>& channels, const FilterForm& form,
                                    const FilterFitOptions& options);

// Returns the highest threshold at which an occupied picture that is exchangeable with these is
// held back with a probability of at most `most_lost` (split conformal prediction: Vovk, Gammerman
// and Shafer 2005): the k-th lowest of the n logits of occupied pictures, k = floor(most_lost
// (n + 1)). InvalidArgument where k is 0, as there are too few. REQUIRES: as many `occupied` as
// logits; 0 < most_lost < 1.
absl::StatusOr<FilterThreshold> ThresholdFor(const std::vector<double>& logits,
                                             const std::vector<bool>& occupied, double most_lost);

}  // namespace cleave

#endif  // CLEAVE_FIT_FILTER_FIT_H_
