#ifndef CLEAVE_EDGE_SERVED_MODEL_H_
#define CLEAVE_EDGE_SERVED_MODEL_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "codec/codec_file.h"
#include "model/cuts.h"
#include "runtime/chain.h"
#include "runtime/exit_models.h"
#include "runtime/options.h"
#include "wire/messages.h"

namespace cleave {

// The part of a model that a call asks for, checked against the model.
struct Tail {
  std::optional<int> exit;  // Nothing: all exits, where the model has some.
  int cut = 0;
  int from = 0;  // The boundary of the exit's chain where the run starts.
  std::int64_t batch = 1;
  std::int64_t elements = 0;  // Of the tensors, or of those that the pictures become.
};

// One model of an edge, which can be started at any of its cuts and end at any of its exits, with
// the codecs of its tensors where there are some. Immutable and thread-safe.
class ServedModel {
 public:
  struct Options {
    CandidateSpec cuts;
    ShapeRequest inputs;  // The shapes at which it is loaded; those of calls may be others.
    RuntimeOptions runtime;
    // The cuts whose tensors all have codecs are offered, too. Null: there are none.
    std::shared_ptr<const CodecFile> codecs;
    std::function<void(int done, int total)> on_progress;
  };

  static absl::StatusOr<std::shared_ptr<const ServedModel>> Create(
      const std::string& name, const std::shared_ptr<const Graph>& graph, const Options& options);

  const std::string& name() const { return info_.name; }
  const std::string& digest() const { return info_.digest; }
  const ModelInfo& info() const { return info_; }
  const std::shared_ptr<const Graph>& graph() const { return graph_; }

  // InvalidArgument, which lists the exits that there are, where this is none of them.
  absl::Status CheckExit(int exit) const;
  // The chain of this exit, owned by the model. REQUIRES: CheckExit(exit) is OK.
  const Chain& chain(int exit) const { return *path(exit).model.chain; }

  // The shapes of the model's inputs at which this exit was loaded.
  InputShapes shapes(int exit) const;
  // The same at this batch size. InvalidArgument where the model's is fixed at another.
  absl::StatusOr<InputShapes> ShapesAtBatch(int exit, std::int64_t batch) const;

  // Checks a call against the model. FailedPrecondition for the digest of another model, or of
  // other codecs than its own where the call has frames of t1 to t6; InvalidArgument for an exit or
  // a cut that is not offered, for tensors or pictures that are not those of the cut (name, type,
  // rank, known dimensions) and for unknown outputs: the message says what was found and what was
  // expected. No frame and no picture is decoded.
  absl::StatusOr<Tail> Check(const InferCall& call) const;
  // Does as much of that as can be done before the tensors of a call are looked at, and returns its
  // batch, as far as it is known: for frames it is 1.
  absl::StatusOr<std::int64_t> CheckHead(const InferHead& head) const;
  absl::Status CheckDigest(const std::string& digest) const;

  struct Result {
    std::vector<NamedTensor> outputs;  // Those that the call asks for.
    std::int64_t compute_us = 0;
    std::int64_t decode_us = 0;  // Decoding the frames or pictures.
  };
  // Runs the tail on the calling thread. InvalidArgument for a frame or a picture that cannot be
  // decoded;
  // Cancelled soon after the token is set. REQUIRES: `tail` is what Check returned for `call`.
  absl::StatusOr<Result> Run(const Tail& tail, const InferCall& call,
                             const CancelToken& cancel) const;

 private:
  // The path to one exit.
  struct Path {
    ExitModel model;
    std::map<int, std::vector<TensorSpec>>
        inputs_of_cut;  // A dimension of -1 may differ from call to call.
    // Inputs of the model that this exit does not need: a plain client sends them all the same.
    std::vector<TensorSpec> unused;
  };

  ServedModel() = default;

  // A place in the model at which a call starts.
  struct Start {
    std::string where;  // Starts messages.
    std::optional<int> exit;
    int cut = 0;
    const Path* path = nullptr;
    const std::vector<TensorSpec>* inputs = nullptr;
    std::vector<TensorSpec> unused;
  };
  absl::StatusOr<Start> FindStart(const std::optional<std::string>& digest, std::optional<int> exit,
                                  std::optional<int> cut) const;
  const Path& path(int exit) const { return paths_[static_cast<std::size_t>(exit)]; }
  absl::Status CheckCodecDigest(const InferCall& call) const;
  absl::Status CheckCodecs(const InferCall& call) const;
  static Path MakePath(ExitModel model);
  static std::vector<int> CutsOf(const Path& path);
  absl::Status CheckOutputsAreExits() const;
  absl::StatusOr<std::vector<NamedTensor>> RunPath(const Path& path, const Tail& tail,
                                                   const std::vector<NamedTensor>& inputs,
                                                   const CancelToken& cancel,
                                                   std::int64_t& run_us) const;
  // A batch that is far larger than those of most runs must not leave its memory behind.
  static Chain::Memory MemoryAfter(const Tail& tail);
  absl::StatusOr<std::vector<NamedTensor>> RunAllExits(const Tail& tail,
                                                       std::vector<NamedTensor> inputs,
                                                       const CancelToken& cancel,
                                                       std::int64_t& run_us) const;

  ModelInfo info_;
  std::vector<Path> paths_;  // By exit; one for a model without exits.
  std::shared_ptr<const Graph> graph_;
  std::shared_ptr<const CodecFile> codecs_;
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_SERVED_MODEL_H_
