#ifndef CLEAVE_EDGE_SERVED_MODEL_H_
#define CLEAVE_EDGE_SERVED_MODEL_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/cuts.h"
#include "runtime/chain.h"
#include "runtime/options.h"
#include "wire/messages.h"

namespace cleave {

// What was asked of a model, checked against it.
struct Tail {
  int cut = 0;
  int from = 0;  // Boundary of the chain.
  std::int64_t batch = 1;
};

// One model of an edge, ready to be started at any of its cuts. Immutable; thread-safe.
class ServedModel {
 public:
  struct Options {
    CandidateSpec cuts;
    RuntimeOptions runtime;
    std::function<void(int done, int total)> on_progress;
  };

  static absl::StatusOr<std::shared_ptr<const ServedModel>> Create(
      const std::string& name, std::shared_ptr<const Graph> graph, const Options& options);

  const std::string& name() const { return info_.name; }
  const std::string& digest() const { return info_.digest; }
  const ModelInfo& info() const { return info_; }
  const Chain& chain() const { return *chain_; }

  // FailedPrecondition when the digest is another's; InvalidArgument for a cut that is not offered,
  // tensors that are not the cut's (name, type, rank, known dimensions) or unknown outputs: the
  // message says what was found and what was expected.
  absl::StatusOr<Tail> Check(const InferCall& call) const;
  absl::Status CheckDigest(const std::string& digest) const;

  struct Result {
    std::vector<NamedTensor> outputs;  // Those asked for.
    std::int64_t compute_us = 0;
  };
  // REQUIRES: `tail` is what Check said of `call`.
  absl::StatusOr<Result> Run(const Tail& tail, const InferCall& call,
                             const CancelToken& cancel) const;

 private:
  ServedModel() = default;

  ModelInfo info_;
  std::unique_ptr<Chain> chain_;
  std::map<int, std::vector<TensorSpec>> inputs_of_cut_;  // -1: depends on the batch.
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_SERVED_MODEL_H_
