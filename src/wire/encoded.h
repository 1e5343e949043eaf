#ifndef CLEAVE_WIRE_ENCODED_H_
#define CLEAVE_WIRE_ENCODED_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "open_inference_grpc.pb.h"
#include "wire/frames.h"
#include "wire/messages.h"

// Frames and pictures in a request: inputs of datatype BYTES, each element in the protocol's own
// form, four bytes of length before its bytes (docs/wire.md).

namespace cleave {

inline constexpr char kEncodingParameter[] = "cleave_encoding";
inline constexpr char kPreprocessingParameter[] = "cleave_preprocessing";
inline constexpr char kCodecParameter[] = "cleave_codec";

// What the parameter cleave_encoding says of all inputs of a request.
enum class InputForm { kPlain, kFrames, kImages };

// The most elements that all frames of a message may decode to, if they have so many bytes. Without
// compression a byte holds at most four (q2), so this binds compressed frames only: beyond it, a
// few bytes would cost the receiver what a raw tensor would have cost the sender to send.
std::int64_t MaxFrameElements(std::int64_t frame_bytes);

// How a call's inputs travel. InvalidArgument for a call that says two things at once, or half of
// one.
absl::StatusOr<InputForm> FormOf(const InferCall& call);

// Adds the parameters and the descriptions of the inputs. REQUIRES: FormOf(call) is kFrames or
// kImages.
void DescribeEncoded(const InferCall& call, inference::ModelInferRequest& head);

// The frames of the inputs, in their order; those that the call has already, as they are. They are
// compressed where the call asks for that and a receiver takes it, and filled up where t1 to t6
// would be denser than a receiver takes. InvalidArgument names the input that cannot be encoded.
absl::StatusOr<std::vector<EncodedFrame>> EncodeFrames(const InferCall& call);

// All pictures of a call as the contents of one input.
std::string JoinImages(const InferCall& call);

// The following are the receiver's side. InvalidArgument names what was found and what was
// expected.
absl::StatusOr<InputForm> ReadForm(const inference::ModelInferRequest& request);
// Takes the frames out of the request without copying them, and reads of each what comes before its
// ranges and payload.
absl::Status TakeFrames(inference::ModelInferRequest& request, InferCall& call);
// No picture is looked into.
absl::Status TakeImages(const inference::ModelInferRequest& request, InferCall& call);

}  // namespace cleave

#endif  // CLEAVE_WIRE_ENCODED_H_
