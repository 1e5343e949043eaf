#ifndef CLEAVE_WIRE_MESSAGES_H_
#define CLEAVE_WIRE_MESSAGES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cleave/cancel.h"
#include "cleave/edge.h"
#include "cleave/tensor.h"
#include "codec/codec_file.h"
#include "codec/frame.h"
#include "codec/image.h"
#include "detect/detection_query.h"

namespace cleave {

// An input that arrived as a frame, which is not decoded yet.
struct NamedFrame {
  std::string name;
  FrameInfo info;
  // An element of the protocol's BYTES: four bytes of its length, then the frame.
  std::string element;

  absl::string_view frame() const;
};

// One inference that is asked of an edge, in plain types. The fields are those of ModelInferRequest
// of the Open Inference Protocol.
struct InferCall {
  std::string model;
  std::string version;
  std::string id;
  std::vector<NamedTensor> inputs;    // The tensors of the cut (cut 0: the model's inputs).
  std::vector<std::string> outputs;   // The names of those that are wanted; empty: all.
  std::optional<int> cut;             // Parameter cleave_cut.
  std::optional<std::string> digest;  // Parameter cleave_digest.
  std::optional<int> exit;  // Parameter cleave_exit; `cut` is then an index in that exit's list.

  // How the sender turns each of `inputs` into a frame (parameter cleave_encoding, docs/wire.md).
  // Nothing: they travel as the protocol's own raw contents. `codec` is left out; it comes from
  // `codecs`. The receiver has nothing here.
  std::optional<EncodeOptions> encode;
  // The codecs of the tensors, where `encode` is one of t1 to t6.
  std::shared_ptr<const CodecFile> codecs;

  // In place of `inputs`, the receiver's side of `encode`: DecodeFrames makes tensors of them.
  std::vector<NamedFrame> frames;
  // Parameter cleave_codec, the receiver's side of `codecs`: the digest of the codec file by which
  // the frames of t1 to t6 were made.
  std::optional<std::string> codec_digest;

  // In place of `inputs`, at cut 0 of a model with one input that is a picture: the file of each
  // picture of the batch (JPEG, PNG or WebP, parameter cleave_encoding "image"), and how it becomes
  // the input (parameter cleave_preprocessing). The edge decodes it by the device's own code.
  std::vector<std::string> images;
  std::optional<Preprocessing> preprocessing;
  std::string image_input;  // The name of that input; empty: the only one that the model has.

  // The answer is to be detections, made of the model's outputs as this says (parameter
  // cleave_detections), in place of the outputs. It does not go with `outputs`. Edges that do not
  // know the parameter answer with the outputs.
  std::optional<DetectionQuery> detections;
};

// What a ModelInferRequest says of an inference before its tensors are looked at.
struct InferHead {
  std::string model;  // Shortened to 4096 bytes.
  std::string version;
  std::optional<int> cut;
  std::optional<std::string> digest;
  std::optional<int> exit;
  enum class Form : std::uint8_t { kTensors, kFrames, kPictures };
  Form form = Form::kTensors;
  std::vector<TensorSpec> inputs;  // Of tensors alone.
  std::int64_t pictures = 0;       // How many, of pictures alone.
};

// What a profile is wanted for. With neither, it is the shapes at which the edge loaded the model.
struct ProfileQuery {
  // Batch sizes, where the other dimensions are those at which the edge has loaded the model.
  std::vector<std::int64_t> batches;
  std::vector<std::vector<Shape>> points;  // The shapes of the model's inputs, in its order.
};

// The answer of an edge to an InferCall.
struct InferReply {
  std::string model;
  std::string version;
  std::string id;
  std::string digest;
  std::vector<NamedTensor> outputs;
  std::int64_t queue_us = 0;    // The request waited so long for a worker,
  std::int64_t compute_us = 0;  // and its run took so long.
  std::int64_t edge_us = 0;     // All that the edge took from arrival to departure.
  std::int64_t wait_us = 0;     // The wait that a request arriving now would meet.
  std::int64_t decode_us = 0;   // Making frames or pictures tensors; it is part of edge_us.
};

// What an edge tells of one model.
struct ModelInfo {
  std::string name;
  std::string digest;  // Empty for a server that is not a cleave edge.
  std::string platform;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  // The indices of the cuts at which a tail can be started; empty for a server that is not a cleave
  // edge.
  std::vector<int> cuts;
  // One exit of a model with early exits: the name of its output, and the indices in its own list
  // of cuts at which a tail can be started.
  struct Exit {
    std::string name;
    std::vector<int> cuts;
  };
  // In the model's order. Where there are some, `cuts` holds 0 alone, which is the whole model.
  std::vector<Exit> exits;
  std::string codec_digest;  // Of the codecs of its tensors (docs/tensor-codec.md); empty: none.
};

// What became of the inferences of a model, since it was loaded first.
struct ModelCounts {
  struct Times {
    std::int64_t count = 0;
    std::int64_t us = 0;
  };
  std::string name;
  std::int64_t last_us = 0;  // When the last one ended, since 1970; 0: there was none.
  std::int64_t items = 0;    // Of the batches that were answered.
  Times answered;            // The server's part of it: queue, decode and compute together.
  Times failed;
  Times queue;
  Times decode;
  Times compute;
};

// A model that an edge has, and why it does not serve it; empty: it does.
struct ModelIndexEntry {
  std::string name;
  std::string problem;
};

// A file that is offered to an edge.
struct PushOffer {
  enum class Content : std::uint8_t {
    kModel,
    kCodec,  // The codecs of a model that the edge has.
  };
  Content content = Content::kModel;
  std::string name;    // The model's.
  std::string digest;  // The SHA-256 of the file.
  std::int64_t size_bytes = 0;
};

// What an edge tells of itself.
struct EdgeStatus {
  int queued = 0;
  int running = 0;
  int queue_capacity = 0;
  std::int64_t expected_wait_us = 0;
  double utilization = 0;
  std::int64_t uptime_us = 0;
  bool draining = false;
  std::int64_t completed = 0;
  std::int64_t refused = 0;
  std::vector<ModelInfo> models;  // Only name, digest and cuts.
};

// The wait that a full queue announced, which a status of RESOURCE_EXHAUSTED carries.
void SetExpectedWait(absl::Status& status, std::int64_t wait_us);
std::optional<std::int64_t> GetExpectedWait(const absl::Status& status);

// Why a call was refused, on the status of its answer; it does not travel.
absl::Status Refused(Refusal refusal, absl::Status status);
std::optional<Refusal> GetRefusal(const absl::Status& status);

// A mark on a status of EdgeClient::Infer that no edge gave: the request could not be made, since
// the encoding cannot carry one of its tensors, and nothing was sent.
void SetNotSent(absl::Status& status);
bool WasNotSent(const absl::Status& status);

}  // namespace cleave

#endif  // CLEAVE_WIRE_MESSAGES_H_
