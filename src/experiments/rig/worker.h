#ifndef CLEAVE_EXPERIMENTS_RIG_WORKER_H_
#define CLEAVE_EXPERIMENTS_RIG_WORKER_H_

#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/plan.h"
#include "emulate/busy_core.h"
#include "emulate/process.h"
#include "experiments/rig/sample.h"
#include "experiments/rig/stream.h"

namespace cleave::experiments::rig {

// A device in a process of its own, which an experiment steers over standard input and output. Both
// sides of that conversation are in this file.

struct WorkerOptions {
  std::string model;  // Its file.
  std::string edge;   // HOST:PORT; empty: no edge.
  std::string cuts = "frontier";
  std::int64_t batch = 1;
  int threads = 1;
  std::int64_t remote_timeout_us = 30'000'000;
  std::uint64_t seed = 1;

  // What holds for elastic models, as DeviceOptions has it.
  std::string encodings = "all";
  std::optional<int> exit;
  std::optional<double> accuracy_drop;
  std::optional<double> min_accuracy;
  std::string exit_confidence;
  std::optional<std::int64_t> deadline_us;
  std::optional<double> max_miss;
  // Folder of pictures; inference `item` takes the batch of pictures at place item * batch in an
  // order that the seed gives. Empty: one batch of random tensors, always the same.
  std::string data;
  std::string labels = "folders";  // As app::SampleOptions has them; empty: answers go unjudged.
  bool detections = false;         // Whether a detector answers with detections.
  Objective objective = Objective::kLatency;
  std::int64_t in_flight = 1;  // Inferences of a stream that overlap.
};

// Runs the worker's side. The first line of `in` is WorkerOptions as JSON; InvalidArgument where it
// is something else. Says {"ready":{...}} when the device is open, then answers every line of `in`
// (JSON; op is infer, stream, explain, edge or quit) with lines of `out`, until `quit` or the end.
// A line that it does not understand, and an inference that fails, get {"error":"..."} and end
// nothing.
absl::Status RunDeviceWorker(std::istream& in, std::ostream& out);

// Returns the line that RunDeviceWorker begins with, without its end.
std::string ToJsonLine(const WorkerOptions& options);

// What the device looked like when it was open.
struct WorkerInfo {
  std::string digest;
  std::vector<int> candidates;
  int last_cut = 0;
  bool edge_usable = false;
  std::string edge_problem;
};

// A candidate cut of the main exit with one encoding, as the worker's device forecasts it. The cut
// that runs all on the device comes once, as fp32, without bytes.
struct Forecast {
  int cut = 0;
  std::string tensors;
  Encoding encoding = Encoding::kFp32;
  std::optional<double> accuracy;  // Where it is calibrated.
  double bytes_up = 0;
  double head_us = 0, encode_us = 0, uplink_us = 0, queue_us = 0, tail_us = 0, downlink_us = 0;
};

// Returns the forecasts of one encoding.
std::vector<Forecast> OfEncoding(std::vector<Forecast> forecasts, Encoding encoding);

// The experiment's side. Between requests the worker can be put to sleep (SIGSTOP), so that it
// neither probes the link nor uses its share of the processor while another one measures.
// Thread-compatible.
class Worker {
 public:
  // Starts `cleave experiment device-worker` by `argv_prefix` (what enters a network namespace),
  // tells it the options and waits until its device is open.
  static absl::StatusOr<std::unique_ptr<Worker>> Start(const WorkerOptions& options,
                                                       const std::string& program,
                                                       std::vector<std::string> argv_prefix,
                                                       emulate::ProcessOptions process);

  const WorkerInfo& info() const { return info_; }

  // Runs one inference under a policy. An inference that ended without outputs is an error.
  absl::StatusOr<Sample> Infer(const std::string& policy, std::int64_t item = 0);
  // These do the same in two halves, for a caller that does something while it runs.
  absl::Status StartInfer(const std::string& policy, std::int64_t item = 0);
  absl::StatusOr<Sample> FinishInfer();

  // Runs inferences on pictures one after the other, in_flight at once, each as soon as there is
  // room. REQUIRES: WorkerOptions::data is not empty.
  absl::StatusOr<StreamResult> Stream(const StreamTerms& terms);

  // Returns the forecasts of all encodings; the last row runs all on the device.
  absl::StatusOr<std::vector<Forecast>> Explain();
  // Waits until the device can use the edge; DeadlineExceeded with the reason it cannot.
  absl::Status WaitForEdge(std::int64_t timeout_us);

  void Sleep();
  void Wake();

  // Makes `rival` work from now on during this device's inferences, and at no other time.
  void SlowBy(std::shared_ptr<emulate::BusyCore> rival) { rival_ = std::move(rival); }

 private:
  Worker(std::unique_ptr<emulate::Process> process, WorkerInfo info)
      : process_(std::move(process)), info_(std::move(info)) {}

  std::unique_ptr<emulate::Process> process_;
  WorkerInfo info_;
  std::shared_ptr<emulate::BusyCore> rival_;
};

}  // namespace cleave::experiments::rig

#endif  // CLEAVE_EXPERIMENTS_RIG_WORKER_H_
