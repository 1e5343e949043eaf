#ifndef CLEAVE_LEARN_POOLED_FEATURES_H_
#define CLEAVE_LEARN_POOLED_FEATURES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "model/attach_exits.h"
#include "model/cuts.h"
#include "model/graph.h"
#include "runtime/chain.h"

namespace cleave {

// What exit heads read: the model's tensors at some places, pooled as AttachExits pools them. One
// run of the model up to the last place gives all of them. Thread-safe.
class PooledFeatures {
 public:
  // `places` are as FindExitPlaces gives them for the table. Errors are those of Chain::Create.
  static absl::StatusOr<PooledFeatures> Create(std::shared_ptr<const Graph> graph,
                                               const CutTable& table, std::vector<ExitPlace> places,
                                               const RuntimeOptions& runtime);

  const std::vector<ExitPlace>& places() const { return places_; }

  // Returns the features of each place: batch x features(), row by row. InvalidArgument for an
  // input that does not fit.
  absl::StatusOr<std::vector<std::vector<float>>> Run(const Tensor& input) const;

 private:
  PooledFeatures(std::unique_ptr<Chain> chain, std::vector<ExitPlace> places);

  std::unique_ptr<Chain> chain_;
  std::vector<ExitPlace> places_;
};

}  // namespace cleave

#endif  // CLEAVE_LEARN_POOLED_FEATURES_H_
