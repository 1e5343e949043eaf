#ifndef CLEAVE_LEARN_TRAIN_EXITS_H_
#define CLEAVE_LEARN_TRAIN_EXITS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "learn/checkpoint.h"
#include "learn/evaluate.h"

namespace cleave {

struct TrainProgress {
  double read = 0;  // Share of the data read; the rest is 0 before it is 1.
  int epoch = 0;    // The one that runs, from 1.
  int epochs = 0;
  double share = 0;        // How many of all steps are done, those of a checkpoint included.
  double loss = 0;         // Mean since the epoch began.
  double remaining_s = 0;  // Estimated from the steps of this call; 0 before the first.
  bool epoch_done = false;
  std::vector<double> accuracy;  // That of each exit after the last whole epoch; empty before.
};

// How to train the exits of AlexNet on CIFAR-10. The same options and data give the same weights,
// bit for bit, on the same kind of processor, whatever the number of threads.
struct TrainOptions {
  std::string data;  // See LoadImageSet.
  int exits = 5;     // 1 to kMaxAlexNetExits.
  int epochs = 24;
  int batch = 128;  // Images of a step.
  std::uint64_t seed = 1;
  bool resume = false;  // Go on from checkpoint_path(); from the start where there is none.
  std::string out = "models/alexnet_cifar10.onnx";
  int threads = 0;                                        // 0: one for each core.
  std::function<void(const TrainProgress&)> on_progress;  // Called on the caller's thread.
  CancelToken cancel;

  // InvalidArgument names the field.
  absl::Status Validate() const;
  std::string checkpoint_path() const;  // Beside `out`, as the two below.
  std::string sidecar_path() const;
  std::string card_path() const;
};

struct TrainOutcome {
  std::vector<EpochRecord> epochs;
  std::vector<ExitEvaluation> exits;  // How the file does on the test images.
};

// Trains, with a checkpoint after every epoch, and writes `out`, its sidecar (preprocessing and the
// classes' names) and its model card. Cancelled within a step; what the last checkpoint holds is
// then kept. Exceptions of LibTorch end here.
absl::StatusOr<TrainOutcome> TrainExits(const TrainOptions& options);

}  // namespace cleave

#endif  // CLEAVE_LEARN_TRAIN_EXITS_H_
