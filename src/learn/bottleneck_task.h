#ifndef CLEAVE_LEARN_BOTTLENECK_TASK_H_
#define CLEAVE_LEARN_BOTTLENECK_TASK_H_

// Internal to src/learn.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/codec_file.h"
#include "codec/preprocessing.h"
#include "learn/torch_graph.h"
#include "learn/train_bottleneck.h"
#include "model/cuts.h"
#include "model/graph.h"
#include "runtime/chain.h"

namespace cleave {

// What a picture becomes in the model without a bottleneck.
struct Observed {
  Tensor tensor;                     // The cut's.
  std::vector<NamedTensor> outputs;  // All of the model's.
  std::vector<NamedTensor> early;    // Those that the head makes.
};

// The model that a bottleneck is trained for: its head and its answers by ONNX Runtime, its tail by
// LibTorch. Immutable; thread-safe.
class BottleneckTask {
 public:
  // Errors are those of TrainBottleneck.
  static absl::StatusOr<BottleneckTask> Open(const BottleneckOptions& options);

  const Graph& graph() const { return *graph_; }
  const CodecFile& codecs() const { return *codecs_; }
  const TensorCodecParameters& codec() const { return codecs_->Find(tensor_.name)->parameters(); }
  const TensorSpec& tensor() const { return tensor_; }
  const Preprocessing& how() const { return how_; }
  const TorchGraph& tail() const { return *tail_; }
  std::int64_t macs() const { return table_.total_macs; }
  double worst_node() const { return worst_node_; }

  absl::StatusOr<Observed> Observe(const Tensor& input) const;

 private:
  BottleneckTask() = default;

  absl::Status FindCut(const BottleneckOptions& options);
  absl::Status MakeTail(const BottleneckOptions& options);

  std::shared_ptr<const Graph> graph_;
  std::shared_ptr<const CodecFile> codecs_;
  CutTable table_;
  TensorSpec tensor_;
  Preprocessing how_;
  std::unique_ptr<Chain> chain_;
  std::optional<TorchGraph> tail_;
  double worst_node_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_LEARN_BOTTLENECK_TASK_H_
