#ifndef CLEAVE_LEARN_FIT_EXITS_H_
#define CLEAVE_LEARN_FIT_EXITS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "cleave/tensor.h"
#include "codec/input_preprocessing.h"
#include "learn/evaluate.h"
#include "learn/labelled_pictures.h"

namespace cleave {

// How to give a model exits. The same options and data give the same weights, bit for bit, on the
// same kind of processor.
struct FitExitsOptions {
  std::string model;      // Takes one picture; its weights stay as they are.
  std::vector<int> cuts;  // Where the exits leave, as `cleave inspect --cuts all` numbers them.
  std::string data;       // See LoadImageSet.
  std::string out;
  PictureLimits limits;
  PreprocessingFlags preprocessing;
  double weight_decay = 1e-3;  // See HeadOptions, as the one below.
  int steps = 200;
  int batch = 32;   // Pictures of a run, where the model's batch is not fixed.
  int threads = 1;  // Those of ONNX Runtime.
  // What is being done and how far it is, 0 to 1; and what the user should know. Both are called on
  // the caller's thread.
  std::function<void(const std::string& what, double share)> on_progress;
  std::function<void(const std::string& warning)> on_warning;
  CancelToken cancel;

  // InvalidArgument names the field.
  absl::Status Validate() const;
  std::string sidecar_path() const;  // Beside `out`, as the one below.
  std::string card_path() const;
};

// One exit of the model that was written. The last one is the model's own: no cut, no parameters
// that were trained.
struct FittedExit {
  ExitEvaluation evaluation;  // How the file does on the test pictures; no confusion table: it has
                              // none, as its classes are not the data's.
  std::optional<int> cut;
  TensorSpec tensor;  // A dimension of -1 is the batch.
  std::int64_t parameters = 0;
  std::optional<double> training_accuracy;
  double worst_error = 0;  // The file's logits against the head on the pooled features.

  bool has_accuracy() const { return !evaluation.confusion.empty(); }
};

struct FitExitsOutcome {
  std::vector<FittedExit> exits;
  std::vector<std::string> classes;
  std::size_t train_pictures = 0;
  std::size_t test_pictures = 0;
  std::string data_digest;      // LabelledPictures::Digest
  std::string backbone_digest;  // Graph::digest
  double seconds = 0;
};

// Computes the pooled features of the training pictures once, trains a linear head on each cut's,
// and writes `out`: the model with the heads attached (AttachExits), its preprocessing sidecar and
// its model card. Before it does, the file is run over the test pictures beside the backbone:
// Internal where an output of the backbone is not the same, bit for bit, or an exit's logits differ
// from what its head makes of the features by more than 1e-4 (of the largest logit, where that is
// above 1); nothing is then written. InvalidArgument for a model or cuts that cannot have exits,
// data that cannot be read, and `out` in another folder than the model where that has external
// data. Cancelled within a batch.
absl::StatusOr<FitExitsOutcome> FitExits(const FitExitsOptions& options);

}  // namespace cleave

#endif  // CLEAVE_LEARN_FIT_EXITS_H_
