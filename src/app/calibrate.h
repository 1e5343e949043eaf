#ifndef CLEAVE_APP_CALIBRATE_H_
#define CLEAVE_APP_CALIBRATE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "app/samples.h"
#include "codec/codec_file.h"
#include "model/cuts.h"
#include "profile/accuracy_table.h"
#include "runtime/options.h"

namespace cleave::app {

struct CalibrateOptions {
  std::string model;
  SampleOptions data;
  std::vector<Encoding> encodings = AllEncodings();  // fp32 is measured whether it is here or not.
  CandidateSpec cuts;                                // Those of each exit.
  ShapeRequest inputs;  // The picture's size where the model leaves it free.
  // Samples that run at once; each is encoded by itself all the same. A detector runs one at a
  // time.
  std::int64_t batch = 100;
  RuntimeOptions runtime;
  // Of the encodings t1 to t6, which are left out where it lacks a tensor; null: the file beside
  // the model, or without one none.
  std::shared_ptr<const CodecFile> codecs;
  std::function<void(const std::string& what, double share)> on_progress;

  // At least 1 sample, a batch from 1 to 4096; InvalidArgument names the field.
  absl::Status Validate() const;
};

struct Calibration {
  std::string model;               // The file's path.
  std::vector<std::string> exits;  // Names of the outputs, in order of depth.
  AccuracyTable table;
};

// Runs every sample through every exit, candidate cut and encoding, as a device and an edge would
// at batch 1, and scores what comes out (app/calibration_score.h): classes by the label where there
// is one, else by what the last exit says in full precision; a detector's boxes by mean average
// precision against labels, else against its own boxes in full precision. The model must have one
// input that a picture becomes (prepared as its sidecar says) and for each exit logits of batch x
// classes or a detector's outputs. Left out: encodings of a picture where the cut is not 0 or the
// data is not files, lossy ones where a live tensor is not FP32 or a sample has a value that the
// encoding cannot carry. InvalidArgument names what does not fit: the model's inputs and outputs,
// the number of classes, a tensor whose first dimension is not the batch (batch 1 helps), labels.
absl::StatusOr<Calibration> Calibrate(const CalibrateOptions& options);

}  // namespace cleave::app

#endif  // CLEAVE_APP_CALIBRATE_H_
