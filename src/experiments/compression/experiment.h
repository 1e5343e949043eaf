#ifndef CLEAVE_EXPERIMENTS_COMPRESSION_EXPERIMENT_H_
#define CLEAVE_EXPERIMENTS_COMPRESSION_EXPERIMENT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "app/samples.h"
#include "experiments/compression/curves.h"
#include "model/input_shapes.h"
#include "profile/accuracy_table.h"

namespace cleave::experiments::compression {

// What `cleave experiment compression` is to measure: bytes against the outputs' distortion and the
// agreement of the answers, for pictures at the size of the network's input (JPEG, WebP, AVIF) and
// for tensors at each cut (the fitted codec; the integer encodings, compressed).
struct Options {
  std::string model;
  // The model whose answers are the right ones and which pictures are sent to: one with the same
  // inputs and outputs, such as that without the bottleneck of `model`. Empty: `model` itself.
  std::string reference;
  app::SampleOptions data;  // Pictures that no codec was fitted to.
  ShapeRequest inputs;
  std::string output = "compression.json";
  std::string report;  // An HTML page; empty: none.
  std::function<void(const std::string& what, double share)> on_progress;

  absl::Status Validate() const;
};

// One way of sending at one quality.
struct Way {
  std::string name;        // "jpeg", "webp", "avif", "codec", "integers".
  std::optional<int> cut;  // Of tensors.
  std::string quality;     // "75", "t3", "q4".
  Costs costs;             // Of each picture.
  double encode_us = 0;    // The mean CPU time.
  AccuracyRow accuracy;    // Agreement with the model in full precision, or labels.
};

// How a way at a cut compares with a picture codec.
struct Saving {
  std::string name;
  std::optional<int> cut;
  std::string rival;
  double ratio = 0;  // Of bytes at equal distortion; see MeanRatio.
  RatioInterval interval;
};

struct Results {
  std::string command;
  std::string model;
  std::string digest;
  std::string reference_digest;  // Empty where the model is its own reference.
  std::string codec_digest;
  std::string data_digest;
  std::int64_t samples = 0;
  std::string distortion;  // What it is.
  std::string agreement;
  double network_us = 0;  // The CPU time of the whole network, the mean.
  std::vector<Way> ways;
  std::vector<Saving> savings;
};

// Measures every way on every picture. FailedPrecondition where the codec file is another model's;
// without one, the codec's rows are missing and a note says so.
absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command);

std::string ToJson(const Results& results);
std::string ToText(const Results& results);  // Tables in Markdown.
std::string ToHtml(const Results& results);

}  // namespace cleave::experiments::compression

#endif  // CLEAVE_EXPERIMENTS_COMPRESSION_EXPERIMENT_H_
