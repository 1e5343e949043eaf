#ifndef CLEAVE_DEVICE_H_
#define CLEAVE_DEVICE_H_

#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/cancel.h"
#include "cleave/plan.h"
#include "cleave/tensor.h"
#include "cleave/tls.h"

namespace cleave {

// What an inference answers with.
enum class AnswerForm : std::uint8_t {
  kOutputs,     // The model's outputs.
  kDetections,  // What a detector found: one tensor "detections" (docs/detection.md).
};

// How a device runs its model: with what edge, by which plans, until when, for what answers, and on
// what runtime. The
// defaults keep everything on the device and choose the fastest plan that changes nothing about the
// answer. Shares are from 0 to 1. A plain value.
struct DeviceOptions {
  // The edge that helps, and how it is asked.
  struct Edge {
    std::string address;  // HOST:PORT. Empty: there is none, and everything stays on the device.
    std::string model;    // The model's name at the edge. Empty: its file's name, no extension.
    // The longest wait for an answer. With the policy `dynamic` the wait also ends when it has
    // become much dearer than finishing on the device (four times the forecast and the device's own
    // tail, at least 0.3 s). A deadline that the device can meet by itself ends it early enough for
    // that; an edge that is not expected to answer by then is not asked at all.
    std::int64_t remote_timeout_us = 10'000'000;
    // With the edge's authorities the connection is TLS; a certificate of the device's own is shown
    // to an edge that asks for one. An edge that refuses the device's credentials, or whose own are
    // refused, is as one out of reach, and is tried again ever more rarely.
    TlsFiles tls;
    // The file whose text goes with each call as a bearer token; empty: none does.
    std::string token_file;
    bool insecure = false;  // Whether a token may go to another machine without TLS.
    bool push = false;      // Whether an edge that lacks the model or its codecs is offered them.
    // The share of the edge's answers, drawn by the seed, that the device makes again by itself to
    // compare; where they differ, its own is given. Detections and hedged inferences are not drawn.
    double verify_share = 0;
    // What may be sent to the edge and received from it on average, probes included, by a token
    // bucket of a minute's worth. What does not fit runs on the device.
    std::optional<double> data_budget_bps;

    // InvalidArgument names the field, what was found and what was expected; so do the others.
    absl::Status Validate() const;
  };

  // The plans to choose among, and who chooses (docs/exits.md, docs/calibration.md).
  struct Plans {
    std::string policy = "dynamic";  // dynamic, device, edge, fixed:K[/ENCODING[/EXIT]], FILE.onnx
    std::string cuts = "frontier";   // The candidate cuts: frontier, all or a number.
    std::string encodings = "all";   // The candidate encodings: all, or a list as "fp32,q8,jpeg".
    // Only plans that end at this exit are candidates, and its answer then counts as the best.
    std::optional<int> exit;
    // The first early exit on the way to the plan's cut that is sure enough gives the answer: "T"
    // or "softmax:T" (the greatest probability is at least T), or "entropy:T" (the entropy of the
    // probabilities, in nats, is at most T; BranchyNet, arXiv 1709.01686). Of a batch, every item
    // has to be sure. It goes with no `exit` but the last. Empty: early exits are not looked at.
    std::string exit_confidence;
    bool no_raw_input = false;  // Privacy: the model's input is never sent, in no encoding.
    std::optional<std::int64_t> max_device_us;  // The longest head on the device.
    // The policy `dynamic` never chooses a plan whose calibrated accuracy is below min_accuracy, or
    // more than accuracy_drop below the best. With neither, and no deadline, the answer is always
    // that of the last exit in full precision. Both need a calibrated model (`cleave calibrate`).
    std::optional<double> min_accuracy;
    std::optional<double> accuracy_drop;
    // What `dynamic` chooses plans for. kThroughput goes with no deadline, and not with a learned
    // policy, which was trained for the time of each inference.
    Objective objective = Objective::kLatency;
    // With kThroughput: only plans that are predicted to answer within this time, counted from when
    // the inference was asked for, as long as there is one; else the quickest.
    std::optional<std::int64_t> max_latency_us;

    absl::Status Validate() const;
  };

  // When each inference is to end.
  struct Deadline {
    std::optional<std::int64_t> deadline_us;  // After the inference began.
    // Hedging (docs/hedging.md): where the chance that a plan's answer comes after the deadline is
    // above this share, the device finishes an earlier exit by itself while the edge works, and the
    // better answer that is in time counts; where none is, the first. It needs deadline_us, does
    // nothing for a model without early exits or without a calibration, and does not go with
    // exit_confidence.
    std::optional<double> max_miss;

    absl::Status Validate() const;
  };

  // How many inferences run at once: the head of one while another is on the wire and a third in
  // its tail (docs/design.md).
  struct Stream {
    // What InferAsync does where max_in_flight are in flight.
    enum class WhenFull : std::uint8_t {
      kWait,    // It blocks until one has ended.
      kRefuse,  // It returns ResourceExhausted.
    };
    // In what order the answers to InferAsync are handed over.
    enum class Order : std::uint8_t {
      kAsAsked,     // In that of the calls; one that is done waits for those before it.
      kAsTheyCome,  // Each as soon as it is there.
    };
    // At most so many inferences are in flight, those whose answers wait to be handed over
    // included; from 1 to 64. More than 1 does not go with max_miss.
    std::int64_t max_in_flight = 1;
    WhenFull when_full = WhenFull::kWait;
    Order order = Order::kAsAsked;

    absl::Status Validate() const;
  };

  // What the caller wants to know.
  struct Answers {
    // kDetections: where the model is a detector, as its sidecar says or its outputs unmistakably
    // look, its outputs become detections where they come out, so that an edge answers with a few
    // rows in place of all scores. Another model gives its outputs as ever.
    AnswerForm form = AnswerForm::kOutputs;
    // In place of what the sidecar says; from 0 to 1.
    std::optional<double> score_threshold;
    std::optional<double> iou_threshold;
    // How many classes have names, if that is known; an output of another number is an error.
    std::optional<int> classes;

    absl::Status Validate() const;
  };

  // Whether pictures in which a detector would find nothing end on the device (docs/filter.md).
  struct Filter {
    // The file of the model's filter (`cleave filter fit`); empty: the one beside the model.
    // Nothing: there is no filter. It goes with neither exit_confidence nor max_miss, nor with a
    // model that has early exits.
    std::optional<std::string> file;
    // The share of the inferences that the filter would end which go on all the same, drawn by the
    // seed, so that its errors are noticed.
    double check_share = 0.02;

    absl::Status Validate() const;
  };

  // What runs the model on the device.
  struct Runtime {
    std::int64_t batch = 1;  // Batch size that is profiled before the first inference.
    // By input: the shape that is profiled before the first inference, where the model leaves
    // dimensions free; -1, or no entry, leaves them to a guess. Inferences may have any shape that
    // the model takes.
    std::map<std::string, Shape> shapes;
    int threads = 1;               // Threads of each run.
    std::string provider = "CPU";  // ONNX Runtime's execution provider: NAME[:key=value,...]
    std::string profile;  // File of a profile made before. Empty: it is cached or measured now.
    // How pictures become the model's input, in the form of its sidecar ({"preprocessing": {...}}).
    // What it leaves out is as the sidecar says, else by the input's shape and ImageNet's habits.
    std::string preprocessing;
    // Of the jitter in the waits between attempts to reach a lost edge, and of the filter's checks.
    std::uint64_t seed = 1;

    absl::Status Validate() const;
  };

  Edge edge;
  Plans plans;
  Deadline deadline;
  Stream stream;
  Answers answers;
  Filter filter;
  Runtime runtime;

  // Called by Device::Open, from its thread: what is being done, and what share of it is done
  // ("ready" at the end).
  std::function<void(const std::string&, double)> on_progress;

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// Where the time of one inference went. A phase that did not happen is 0. Uplink and downlink are
// the measured network time (the exchange less what the edge reports), divided by the present
// estimate of the link.
struct Timeline {
  // The device's processor was busy with other inferences in flight.
  std::int64_t wait_us = 0;
  std::int64_t decide_us = 0;
  std::int64_t prepare_us = 0;  // The device made pictures the model's input.
  std::int64_t head_us = 0;
  std::int64_t encode_us = 0;
  std::int64_t uplink_us = 0;
  std::int64_t queue_us = 0;
  std::int64_t tail_us = 0;  // On the edge with decoding, or on the device where it fell back.
  std::int64_t downlink_us = 0;
  std::int64_t wasted_us = 0;  // Lost to an edge that then did not answer in time.
};

// What became of a hedge.
struct HedgeRecord {
  Plan plan;
  // When the hedge was done, from the start of the inference. Nothing: it was given up, since the
  // edge had answered, or it failed.
  std::optional<std::int64_t> finished_us;
  bool won = false;  // Whether its answer is that of the inference.
};

// What a filter said of an inference.
struct FilterRecord {
  enum class Outcome : std::uint8_t {
    kPassed,    // There may be something: the inference went on.
    kFiltered,  // There is nothing: it ended at the filter's cut.
    kChecked,   // There is nothing, but it was drawn to go on all the same.
  };
  Outcome outcome = Outcome::kPassed;
  double logit = 0;  // Of there being something, in the fullest picture of the batch.
};
// The name of an outcome in records and reports: "passed", "filtered" or "checked".
absl::string_view OutcomeName(FilterRecord::Outcome outcome);

// What came of an answer of the edge that the device made again.
struct VerificationRecord {
  bool agrees = false;
  double difference = 0;  // The greatest, as a share of the greatest magnitude in the output.
};

// What became of one inference, with its outputs. A plain value that belongs to the caller.
struct InferenceRecord {
  std::int64_t id = 0;  // Counts the inferences of a device from 0.
  // The plan as decided. After an early exit by confidence, or a hedge that won, it is that exit on
  // the device. Where the filter ended the inference, its cut is the filter's.
  Plan plan;
  Plan decided;                  // What the policy chose, whatever became of it.
  Where where = Where::kDevice;  // Where the inference ran in the end.
  // Why the edge did not finish the inference: it failed, was too late, or was out of reach when
  // the policy decided. Nothing where all went as planned, without an edge, and with the policy
  // "device".
  std::optional<std::string> fallback;
  std::string reason;           // Why the policy chose the plan.
  std::int64_t latency_us = 0;  // From the call of Infer to its answer.
  double predicted_us = 0;      // The latency that was predicted for `decided`.
  Timeline timeline;
  // Whether a tensor that was sent as one of t1 to t6 took far more bytes than those that its codec
  // was fitted to: most likely it is something that the codec does not know. It was sent correctly.
  bool unfamiliar = false;
  std::int64_t bytes_up = 0;    // The request as it was sent; 0 where the edge gave no answer.
  std::int64_t bytes_down = 0;  // The answer as it arrived.
  // The outputs in the model's order, or what was made of them. A model with exits gives those of
  // the exit that answered. There are none where the filter ended the inference: nothing is in the
  // pictures.
  std::vector<NamedTensor> outputs;
  AnswerForm form = AnswerForm::kOutputs;  // What `outputs` are.
  std::optional<FilterRecord> filter;      // Nothing: the device has no filter.
  std::optional<double> accuracy;          // The calibrated accuracy of `plan`, from 0 to 1.
  // The greatest probability (or the entropy) of the early exit that was looked at last.
  std::optional<double> confidence;
  std::optional<std::int64_t> deadline_us;  // The deadline of the inference, if it had one.
  bool deadline_missed = false;
  // The chance, from 0 to 1, that was predicted for `decided` to miss the deadline, if there was
  // one.
  std::optional<double> miss_chance;
  std::optional<HedgeRecord> hedge;                // Nothing: the inference was not hedged.
  std::optional<VerificationRecord> verification;  // Nothing: it was not drawn.

  // What the device believed when it decided.
  double link_up_bps = 0;        // The rate of the uplink; 0 without an edge.
  double link_rtt_us = 0;        // The round trip.
  std::int64_t link_age_us = 0;  // The age of these two estimates.
  double device_slowdown = 1;    // The device's time over that of its profile.
  double edge_slowdown = 1;      // The edge's time over that of its profile.
};

// Is given the answer of an inference that InferAsync began.
using InferenceDone = std::function<void(absl::StatusOr<InferenceRecord>)>;

// One row of `Explain`: the predicted time of a candidate plan, by phase.
struct PlanForecast {
  int exit = 0;
  int cut = 0;
  Encoding encoding = Encoding::kFp32;
  std::optional<double> accuracy;  // As calibrated, from 0 to 1.
  std::string tensors;             // The cut's tensors and their shapes, for people to read.
  std::int64_t bytes_up = 0;       // The request; 0 where nothing is sent.
  double head_us = 0, encode_us = 0, uplink_us = 0, queue_us = 0, tail_us = 0, downlink_us = 0;
  double total_us = 0;
  bool allowed = true;  // Whether the constraints and the edge's state allow the plan.
  bool chosen = false;  // Whether the policy chooses it.
};

// A device runs one model, with the help of an edge where that is faster (dynamic split computing,
// arXiv 2205.11269). It loses no inference: whatever happens to edge and link, Infer ends with the
// outputs. Thread-safe; at most DeviceOptions::Stream::max_in_flight inferences run at once, of
// which one at a time uses the device's processor, by deadline. Those begun by InferAsync that are
// in flight when the device is destroyed end soon, with Cancelled where they have no answer yet.
class Device {
 public:
  // Loads the model, with the codec file beside it if there is one (docs/tensor-codec.md), finds or
  // measures its profile, and greets the edge. An edge that cannot be
  // reached is no error: it is tried again with backoff. Errors say what is wrong with the file or
  // the options.
  static absl::StatusOr<std::unique_ptr<Device>> Open(const std::string& model_path,
                                                      DeviceOptions options);
  virtual ~Device() = default;

  // Runs one inference on the model's inputs, in any order and of any shape that they take, all of
  // the same batch size. It blocks
  // until the outputs are there. InvalidArgument for tensors that do not fit the model; other
  // errors come only when the device itself cannot run it.
  virtual absl::StatusOr<InferenceRecord> Infer(const std::vector<NamedTensor>& inputs) = 0;

  // The same without blocking until the outputs are there. After OK, `done` is called once, from a
  // thread of the device, one answer at a time; it should return soon and must not call Infer,
  // InferAsync or the destructor. Its inference is in flight until it has returned. Soon after
  // `cancel` is set it is given Cancelled, unless it has an answer. Other errors are those of Infer
  // for inputs that do not fit, and what DeviceOptions::Stream::WhenFull says; `done` is not called
  // then.
  virtual absl::Status InferAsync(std::vector<NamedTensor> inputs, InferenceDone done,
                                  const CancelToken& cancel = {}) = 0;
  // The same, with a future in place of `done`.
  std::future<absl::StatusOr<InferenceRecord>> InferAsync(std::vector<NamedTensor> inputs,
                                                          const CancelToken& cancel = {});

  // The same for a model with one input that is a picture. `files` are the contents of the files of
  // a batch of pictures (JPEG, PNG or WebP). Where the plan starts at the edge, the files
  // themselves may travel and are not even decoded here. InvalidArgument for a file that is no
  // picture, or for a model that takes none.
  virtual absl::StatusOr<InferenceRecord> InferPictures(const std::vector<std::string>& files) = 0;
  // The same without blocking, as InferAsync.
  virtual absl::Status InferPicturesAsync(std::vector<std::string> files, InferenceDone done,
                                          const CancelToken& cancel = {}) = 0;

  // Changes the policy from the next inference on ("dynamic", "device", "edge", "fixed:...", or
  // the file of a learned policy, "....onnx"). The learned ones that were used last are kept, so
  // that switching between them costs nothing. Errors name file and field; the policy is then
  // unchanged.
  virtual absl::Status SetPolicy(const std::string& policy) = 0;

  // The forecast of every candidate plan under the present state, at this batch size.
  // InvalidArgument for a batch size below 1.
  virtual absl::StatusOr<std::vector<PlanForecast>> Explain(std::int64_t batch) = 0;

  // The model's inputs; a dimension of -1 is free. What inputs() and outputs() return lives as long
  // as the device.
  virtual const std::vector<TensorSpec>& inputs() const = 0;
  // The same with the shapes that were profiled (DeviceOptions::Runtime), every dimension known.
  virtual std::vector<TensorSpec> profiled_inputs() const = 0;
  // A sentence for each dimension of them that was guessed.
  virtual std::vector<std::string> shape_guesses() const = 0;
  // A sentence for each file beside the model that cannot be used; the device runs without it.
  virtual std::vector<std::string> warnings() const = 0;
  // By input: the dimension that counts a batch's items; nothing where there is none.
  virtual std::vector<std::optional<int>> batch_axes() const = 0;
  // The outputs. A model with exits has those of the last exit, or of DeviceOptions::Plans::exit;
  // the same holds for the cuts below.
  virtual const std::vector<TensorSpec>& outputs() const = 0;
  // The names of the exits; empty for a model without.
  virtual std::vector<std::string> exits() const = 0;
  // The indices of the cuts that the policy chooses among, ascending.
  virtual std::vector<int> candidate_cuts() const = 0;
  // The index of the model's output among its cuts.
  virtual int last_cut() const = 0;
  // Whether a request could be sent to the edge now,
  virtual bool edge_usable() const = 0;
  // and why not; empty where it could.
  virtual std::string edge_problem() const = 0;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_H_
