#ifndef CLEAVE_APP_DETECTOR_CUTS_H_
#define CLEAVE_APP_DETECTOR_CUTS_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/preprocessing.h"
#include "detect/detection.h"
#include "detect/detection_head.h"
#include "model/graph.h"
#include "runtime/exit_models.h"

namespace cleave::app {

struct DetectorCutsOptions {
  std::string model;
  ShapeRequest inputs;     // The picture's size where the model leaves it free.
  RuntimeOptions runtime;  // Of each run.
  std::optional<int> cut;  // This one alone; else those of FilterCuts.
};

// A detector that runs from cut to cut, as fitting and measuring a filter need it. Immutable;
// thread-safe.
class DetectorCuts {
 public:
  // InvalidArgument names the model or the field: for one that is no detector of pictures or has
  // early exits, and for a cut that a filter cannot read.
  static absl::StatusOr<DetectorCuts> Open(const DetectorCutsOptions& options);

  const Graph& graph() const { return *graph_; }
  const CutTable& table() const { return exits_.back().table; }
  const Preprocessing& how() const { return how_; }
  const DetectionHead& head() const { return head_; }
  // The cuts, ascending.
  const std::vector<int>& cuts() const { return cuts_; }
  // The tensors of a cut that a filter reads: FP32 with height and width.
  std::vector<TensorSpec> ReadableTensors(int cut) const;
  // The share of the network's multiply-accumulates that the head of a cut does.
  double ShareOfWork(int cut) const;

  // What a picture is on its way through the detector.
  struct Run {
    std::vector<std::vector<Tensor>> readable;  // By cut: the tensors that a filter reads.
    std::vector<NamedTensor> outputs;
  };
  absl::StatusOr<Run> RunPicture(const Tensor& input) const;

  // What the detector finds in these outputs, in pixels of the input; by its own head, or by that
  // of BoxesHead.
  absl::StatusOr<std::vector<Detection>> Find(const std::vector<NamedTensor>& outputs,
                                              const DetectionHead& head) const;
  // A head that gives every box whose score is not next to nothing, without suppression.
  DetectionHead BoxesHead() const;

 private:
  std::shared_ptr<const Graph> graph_;
  std::vector<ExitModel> exits_;  // The only one.
  Preprocessing how_;
  DetectionHead head_;
  std::vector<int> cuts_;
};

// The cuts at which a filter may pay: for each of the first three quarters of the network's work,
// the one with the fewest elements among those whose head ends in it, and of equals the last. Cuts
// without a tensor that a filter reads, with an obstacle, and behind the first output have none.
std::vector<int> FilterCuts(const Graph& graph, const CutTable& table);

}  // namespace cleave::app

#endif  // CLEAVE_APP_DETECTOR_CUTS_H_
