#ifndef CLEAVE_APP_CODEC_FIT_H_
#define CLEAVE_APP_CODEC_FIT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "codec/codec_file.h"
#include "model/cuts.h"
#include "model/input_shapes.h"
#include "runtime/options.h"

namespace cleave::app {

struct CodecFitOptions {
  std::string model;
  // A folder of pictures, with or without folders in it, of which a quarter is left to measure on
  // (SamplePart); or one of .npy files, all of which are fitted to.
  std::string data;
  std::int64_t samples = 100;  // Those that are fitted to, or all where there are fewer.
  std::uint64_t seed = 1;
  CandidateSpec cuts;
  // In place of the tensors of the candidate cuts, these, each alone at a cut: the latent tensor of
  // a bottleneck is no candidate. Empty: those of the cuts.
  std::set<std::string> tensors;
  ShapeRequest inputs;     // The picture's size where the model leaves it free.
  RuntimeOptions runtime;  // Of each run; as many run at once as the machine has processors.
  int probed_samples_per_band = 4;  // See TensorFitOptions.
  std::function<void(const std::string& what, double share)> on_progress;

  // At least 1 sample; InvalidArgument names the field.
  absl::Status Validate() const;
};

// What became of a tensor of one of the cuts.
struct FittedTensor {
  int cut = 0;
  std::string tensor;
  std::string left_out;  // Why there is no codec of it; empty where there is one.
};

struct CodecFit {
  CodecFile::About about;
  std::map<std::string, TensorCodecParameters> codecs;
  std::vector<FittedTensor> tensors;
  bool pictures = false;  // Whether the data is pictures.
};

// Fits a codec to every tensor of the candidate cuts (fit/tensor_fit.h), with the outputs' change
// by OutputMetric; of early exits the last one counts. The input itself and the outputs have none.
// InvalidArgument names what does not fit: the model's outputs, the data, or that no tensor could
// be fitted, and why.
absl::StatusOr<CodecFit> FitCodecs(const CodecFitOptions& options);

}  // namespace cleave::app

#endif  // CLEAVE_APP_CODEC_FIT_H_
