#ifndef CLEAVE_DEVICE_LOCAL_MODEL_H_
#define CLEAVE_DEVICE_LOCAL_MODEL_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/device.h"
#include "codec/codec_file.h"
#include "codec/image.h"
#include "detect/detection_query.h"
#include "device/filter_gate.h"
#include "model/graph.h"
#include "profile/accuracy_table.h"
#include "profile/profile.h"
#include "runtime/exit_models.h"

namespace cleave {

// One exit of a model, with the time that its segments take on this device.
struct LocalExit {
  ExitModel model;
  Profile profile;
  // Whether the shapes of the inputs alone decide all others.
  bool shapes_follow_inputs = false;
  // The last cut whose tail makes all outputs that detections are made of; nothing where this exit
  // makes no detections.
  std::optional<int> last_detecting_cut;

  const Chain& chain() const { return *model.chain; }
  // The profile's time of the segments between two cuts, at these shapes of the inputs.
  double TimeUs(int from_cut, int to_cut, const InputShapes& shapes) const;
  // The outputs of this exit: its own, or all outputs of a model without exits.
  const std::vector<TensorSpec>& outputs() const { return model.graph->outputs(); }
};

// A model as a device holds it: ready to run from any candidate cut of any exit to any other.
// Immutable after Load. Thread-safe.
struct LocalModel {
  std::shared_ptr<const Graph> graph;
  std::vector<LocalExit> exits;  // All of them, in the model's order.
  // The exit of policies that do not choose one, whose answer counts as the best: the last, or that
  // of DeviceOptions::Plans::exit.
  int main_exit = 0;
  bool only_main_exit = false;              // Whether the user asked for that exit.
  std::optional<AccuracyTable> accuracy;    // Nothing: the model is not calibrated.
  std::shared_ptr<const CodecFile> codecs;  // Of its tensors; null: there are none.
  std::optional<FilterGate> filter;         // Nothing: no inference ends early by it.
  // A sentence for each file beside the model that cannot be used; it runs without.
  std::vector<std::string> warnings;
  std::optional<Preprocessing> pictures;  // Nothing: the model's input is no picture.
  // Its input is of the size that the model was opened at. Nothing: answers are outputs.
  std::optional<DetectionQuery> detections;
  double warm_run_us = 0;  // A run of the main exit just now, which tells the slow-down.
  double picture_us = 0;   // Decoding a picture of the input's size just now.

  const LocalExit& main() const { return exits[static_cast<std::size_t>(main_exit)]; }
  // The batch size, and the shapes of the inputs, that it was opened at.
  std::int64_t batch() const { return main().model.table.batch; }
  InputShapes shapes() const { return ShapesOf(main().model.table.inputs.specs); }
  // The calibrated accuracy of this exit in full precision; nothing where it was not measured.
  std::optional<double> AccuracyOfExit(int exit) const;

  // Loads and cuts the model, finds or measures the profiles, and reads the sidecar and the codec
  // file, and the filter that the options ask for. Errors name the file or the option;
  // FailedPrecondition for a calibration or a filter of another model. A codec file that does not
  // read, or is another model's, is a warning.
  static absl::StatusOr<LocalModel> Load(const std::string& model_path,
                                         const DeviceOptions& options);
};

// The shapes of these tensors, which must be the model's inputs, each once, with its type, rank and
// fixed dimensions. InvalidArgument names the tensor, what was found and what was expected.
absl::StatusOr<InputShapes> CheckInputs(const Graph& graph, const std::vector<NamedTensor>& inputs);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_LOCAL_MODEL_H_
