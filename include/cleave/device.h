#ifndef CLEAVE_DEVICE_H_
#define CLEAVE_DEVICE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/plan.h"
#include "cleave/tensor.h"

namespace cleave {

struct DeviceOptions {
  std::string edge;        // HOST:PORT; empty: everything stays on the device.
  std::string edge_model;  // The model's name there; default: the file's name without extension.
  std::string policy = "dynamic";  // dynamic, device, edge, fixed:K[/ENCODING[/EXIT]], FILE.onnx
  std::string cuts = "frontier";   // Candidate cuts: frontier, all or a number.
  std::int64_t batch = 1;          // Batch size that is profiled before the first inference.
  int threads = 1;
  std::string provider = "CPU";  // NAME[:key=value,...]
  std::string profile;           // File of a profile made before; empty: cached or measured now.
  bool no_raw_input = false;     // Privacy: never send the model's input.
  std::optional<std::int64_t> max_device_us;  // Longest head on the device.
  std::optional<std::int64_t> deadline_us;    // For each inference.

  // Hedging (docs/hedging.md): when the chance that a plan's answer comes after the deadline is
  // above this share, the device finishes an earlier exit by itself while the edge works, and the
  // better answer that is in time counts; where none is, the first. Needs deadline_us; changes
  // nothing for a model without early exits or without a calibration. Not with exit_confidence.
  std::optional<double> max_miss;

  // Elastic models (docs/exits.md, docs/calibration.md). Shares from 0 to 1: the policy `dynamic`
  // never chooses a plan whose calibrated accuracy is below min_accuracy, or more than
  // accuracy_drop below the best. With neither, and no deadline, it changes nothing about the
  // answer: the last exit in full precision. Both need a calibrated model (`cleave calibrate`).
  std::optional<double> min_accuracy;
  std::optional<double> accuracy_drop;
  std::string encodings = "all";  // That the policy chooses among: all, or "fp32,q8,jpeg".
  std::optional<int> exit;        // Only plans that end at this exit; its answer is then the best.
  // Answer with the first early exit on the way to the plan's cut that is sure enough: "T" or
  // "softmax:T" (greatest probability at least T), or "entropy:T" (entropy of the probabilities, in
  // nats, at most T; BranchyNet). Of a batch, all items have to be. Not with another `exit` than
  // the last. Empty: off.
  std::string exit_confidence;
  // How pictures become the model's input, in the form of its sidecar ({"preprocessing": {...}}).
  // What it leaves out is as the sidecar says, else by the input's shape and ImageNet's habits.
  std::string preprocessing;

  // Longest wait for the edge. With the policy `dynamic` the wait also ends when it has become much
  // dearer than finishing on the device (four times the forecast and the device's own tail, at
  // least 0.3 s). A deadline that the device can meet by itself ends it early enough for that; an
  // edge that is not expected to answer by then is not asked at all.
  std::int64_t remote_timeout_us = 10'000'000;
  bool push = false;  // Offer the model to an edge that lacks it.
  std::uint64_t seed = 1;
  // Called while opening: what is being done, and how far it is in [0, 1]; "ready" at the end.
  std::function<void(const std::string&, double)> on_progress;

  absl::Status Validate() const;
};

// Where the time of one inference went. All that did not happen is 0. uplink and downlink are the
// measured network time (the exchange less what the edge reports), parted by the present estimate
// of the link.
struct Timeline {
  std::int64_t decide_us = 0;
  std::int64_t prepare_us = 0;  // Pictures to the model's input, on the device.
  std::int64_t head_us = 0;
  std::int64_t encode_us = 0;
  std::int64_t uplink_us = 0;
  std::int64_t queue_us = 0;
  std::int64_t tail_us = 0;  // On the edge, decoding included, or on the device where it fell back.
  std::int64_t downlink_us = 0;
  std::int64_t wasted_us = 0;  // Spent on an edge that then did not answer in time.
};

// What became of a hedge.
struct HedgeRecord {
  Plan plan;
  std::optional<std::int64_t> finished_us;  // Since the inference began; nothing: given up, since
                                            // the edge had answered.
  bool won = false;                         // Its answer is the inference's.
};

struct InferenceRecord {
  std::int64_t id = 0;
  Plan plan;     // As decided; after an early exit by confidence, or a hedge that won, that exit on
                 // the device.
  Plan decided;  // What the policy chose, whatever became of it.
  Where where = Where::kDevice;  // As it really ran.
  // Why the edge did not finish it: it failed, was too late, or was out of reach when the policy
  // decided. Empty where all went as planned, and without an edge or with the policy "device".
  std::optional<std::string> fallback;
  std::string reason;  // Why the policy chose the plan.
  std::int64_t latency_us = 0;
  double predicted_us = 0;
  Timeline timeline;
  std::int64_t bytes_up = 0;
  std::int64_t bytes_down = 0;
  std::vector<NamedTensor> outputs;  // In the model's order; of a model with exits, the exit's own.
  std::optional<double> accuracy;    // Of `plan`, as calibrated.
  std::optional<double>
      confidence;  // Greatest probability (or entropy) of the exit looked at last.
  std::optional<std::int64_t> deadline_us;  // That it had.
  bool deadline_missed = false;
  std::optional<HedgeRecord> hedge;  // Nothing: there was none.

  // What the device believed when it decided.
  double link_up_bps = 0;
  double link_rtt_us = 0;
  std::int64_t link_age_us = 0;
  double device_slowdown = 1;
  double edge_slowdown = 1;
};

// One row of `Explain`: the predicted time of a candidate plan, by phase.
struct PlanForecast {
  int exit = 0;
  int cut = 0;
  Encoding encoding = Encoding::kFp32;
  std::optional<double> accuracy;  // As calibrated.
  std::string tensors;
  std::int64_t bytes_up = 0;
  double head_us = 0, encode_us = 0, uplink_us = 0, queue_us = 0, tail_us = 0, downlink_us = 0;
  double total_us = 0;
  bool allowed = true;
  bool chosen = false;
};

// A device: runs one model, with an edge's help where that is faster. Loses no inference: whatever
// happens to edge and link, Infer ends with the outputs. Thread-safe; inferences run one at a time.
class Device {
 public:
  // Loads the model, finds or measures its profile, greets the edge (an edge that cannot be reached
  // is no error; it is tried again with backoff). Errors name what is wrong with file or options.
  static absl::StatusOr<std::unique_ptr<Device>> Open(const std::string& model_path,
                                                      DeviceOptions options);
  virtual ~Device() = default;

  // Model inputs, in any order, all of the same batch size. InvalidArgument for tensors that do not
  // fit the model; other errors only when the device itself cannot run it.
  virtual absl::StatusOr<InferenceRecord> Infer(const std::vector<NamedTensor>& inputs) = 0;

  // The same for a model with one input that is a picture: the files of a batch of pictures (JPEG
  // or PNG). Where the plan starts at the edge the files themselves may travel, and are not even
  // decoded here. InvalidArgument for a file that is no picture, or a model that takes none.
  virtual absl::StatusOr<InferenceRecord> InferPictures(const std::vector<std::string>& files) = 0;

  // Changes the policy from the next inference on ("dynamic", "device", "edge", "fixed:...", or
  // the file of a learned policy, "....onnx"). The learned ones that were used last are kept, so
  // that switching between them costs nothing. Errors name file and field; the policy is then
  // unchanged.
  virtual absl::Status SetPolicy(const std::string& policy) = 0;

  // The forecast of every candidate plan under the present state.
  virtual absl::StatusOr<std::vector<PlanForecast>> Explain(std::int64_t batch) = 0;

  virtual const std::vector<TensorSpec>& inputs() const = 0;  // -1: batch.
  // Of a model with exits: the last exit's (or DeviceOptions::exit's), as the cuts are.
  virtual const std::vector<TensorSpec>& outputs() const = 0;
  virtual std::vector<std::string> exits() const = 0;  // Names; empty for a model without.
  virtual std::vector<int> candidate_cuts() const = 0;
  virtual int last_cut() const = 0;
  virtual bool edge_usable() const = 0;
  virtual std::string edge_problem() const = 0;  // Why it is not; empty when it is.
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_H_
