#include "wire/encoded.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/frame.h"
#include "core/check.h"
#include "core/length_prefixed.h"
#include "core/status_macros.h"
#include "wire/contents.h"

namespace cleave {
namespace {

constexpr char kFrames[] = "frame";
constexpr char kImages[] = "image";
constexpr std::size_t kMaxName = 512;
constexpr std::size_t kMaxPreprocessingBytes = 4096;
constexpr std::int64_t kElementsForFree = std::int64_t{1} << 18;
// q2's four, and 32 times as many for what compression gains on levels that are nearly all the
// same.
constexpr std::int64_t kElementsPerByte = 128;

// One input of datatype BYTES; views the request.
struct BytesInput {
  std::string what;
  absl::string_view name;
  std::vector<absl::string_view> elements;
};

absl::StatusOr<BytesInput> ToBytesInput(
    const inference::ModelInferRequest::InferInputTensor& described, absl::string_view raw) {
  BytesInput input;
  input.name = described.name();
  input.what = absl::StrCat("input '", input.name.substr(0, kMaxName), "'");
  if (described.datatype() != DataTypeName(DataType::kString)) {
    return FieldError(
        input.what, absl::StrCat("datatype '", described.datatype().substr(0, kMaxName), "'"),
        absl::StrCat(DataTypeName(DataType::kString), ", as the request has ", kEncodingParameter));
  }
  if (CountContents(described.contents()) > 0) {
    return FieldError(input.what, "typed contents", "raw ones, the only form of what is encoded");
  }
  CLEAVE_ASSIGN_OR_RETURN(input.elements, SplitLengthPrefixed(input.what, raw));
  const auto count = static_cast<std::int64_t>(input.elements.size());
  if (described.shape_size() != 1 || described.shape(0) != count) {
    const Shape shape(described.shape().begin(),
                      described.shape().begin() + std::min(described.shape_size(), 8));
    return FieldError(input.what, absl::StrCat("shape ", ShapeString(shape)),
                      absl::StrCat(count, ", as many as its contents have elements"));
  }
  return input;
}

absl::StatusOr<std::vector<BytesInput>> ToBytesInputs(const inference::ModelInferRequest& request) {
  if (request.raw_input_contents_size() != request.inputs_size()) {
    return FieldError("request",
                      absl::StrCat(request.raw_input_contents_size(), " raw contents for ",
                                   request.inputs_size(), " inputs"),
                      "one for each");
  }
  std::vector<BytesInput> inputs;
  std::set<absl::string_view> names;
  for (int i = 0; i < request.inputs_size(); ++i) {
    CLEAVE_ASSIGN_OR_RETURN(BytesInput input,
                            ToBytesInput(request.inputs(i), request.raw_input_contents(i)));
    if (!names.insert(input.name).second) {
      return FieldError(input.what, "twice", "once");
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}

void Describe(const std::string& name, std::int64_t elements, inference::ModelInferRequest& head) {
  auto& input = *head.add_inputs();
  input.set_name(name);
  input.set_datatype(std::string(DataTypeName(DataType::kString)));
  input.add_shape(elements);
}

// Each frame has at least its share of the bytes that all elements need.
constexpr std::int64_t LeastBytes(std::int64_t elements) {
  return (elements + kElementsPerByte - 1) / kElementsPerByte;
}

enum class Filling { kNone, kUpToWhatReceiversTake };

absl::StatusOr<std::vector<EncodedFrame>> EncodeAll(const InferCall& call, EncodeOptions options,
                                                    Filling filling = Filling::kNone) {
  std::vector<EncodedFrame> frames;
  const bool by_codec = CodecRate(options.encoding).has_value();
  for (const NamedTensor& input : call.inputs) {
    options.codec = by_codec && call.codecs ? call.codecs->Find(input.name) : nullptr;
    if (filling != Filling::kNone)
      options.least_payload_bytes = LeastBytes(input.tensor.elements());
    absl::StatusOr<EncodedFrame> frame = EncodeFrame(input.tensor, options);
    if (!frame.ok()) {
      return absl::Status(frame.status().code(),
                          absl::StrCat("input '", input.name, "': ", frame.status().message()));
    }
    frames.push_back(*std::move(frame));
  }
  return frames;
}

bool TooDense(const InferCall& call, const std::vector<EncodedFrame>& frames) {
  std::int64_t elements = 0;
  std::int64_t bytes = 0;
  for (const NamedTensor& input : call.inputs) elements += input.tensor.elements();
  for (const EncodedFrame& frame : frames) bytes += static_cast<std::int64_t>(frame.bytes.size());
  return elements > MaxFrameElements(bytes);
}

absl::StatusOr<Preprocessing> ReadPreprocessing(const inference::ModelInferRequest& request) {
  const std::string what = absl::StrCat("parameter ", kPreprocessingParameter);
  const auto found = request.parameters().find(kPreprocessingParameter);
  if (found == request.parameters().end() || !found->second.has_string_param()) {
    return FieldError(what, "none", "a string_param of JSON for pictures");
  }
  const std::string& json = found->second.string_param();
  if (json.size() > kMaxPreprocessingBytes) {
    return FieldError(what, absl::StrCat(json.size(), " bytes"),
                      absl::StrCat("at most ", kMaxPreprocessingBytes));
  }
  // A peer that says no revision is from before there were any.
  absl::StatusOr<Preprocessing> how = Preprocessing::FromJson(json, what, {.revision = 1});
  if (!how.ok()) return absl::InvalidArgumentError(how.status().message());
  return how;
}

absl::Status ReadCodec(const inference::ModelInferRequest& request, InferCall& call) {
  const auto found = request.parameters().find(kCodecParameter);
  if (found == request.parameters().end()) return absl::OkStatus();
  const std::string what = absl::StrCat("parameter ", kCodecParameter);
  if (!found->second.has_string_param()) return FieldError(what, "another type", "a string_param");
  const bool used = std::any_of(call.frames.begin(), call.frames.end(), [](const auto& frame) {
    return CodecRate(frame.info.encoding).has_value();
  });
  if (!used) return FieldError(what, "no frame of t1 to t6", "one beside it");
  CLEAVE_RETURN_IF_ERROR(CheckDigest(what, found->second.string_param()));
  call.codec_digest = found->second.string_param();
  return absl::OkStatus();
}

}  // namespace

std::int64_t MaxFrameElements(std::int64_t frame_bytes) {
  if (frame_bytes > kMaxMessageElements / kElementsPerByte) return kMaxMessageElements;
  return std::min(kMaxMessageElements, kElementsForFree + kElementsPerByte * frame_bytes);
}

absl::StatusOr<InputForm> FormOf(const InferCall& call) {
  if (call.images.empty()) {
    if (call.preprocessing) return FieldError("request", "a preprocessing", "pictures with it");
    if (!call.frames.empty() && (!call.inputs.empty() || call.encode)) {
      return FieldError("request", "frames and tensors", "one of them");
    }
    return call.encode || !call.frames.empty() ? InputForm::kFrames : InputForm::kPlain;
  }
  if (!call.inputs.empty() || !call.frames.empty() || call.encode) {
    return FieldError("request", "pictures and tensors", "one of them");
  }
  if (!call.preprocessing) return FieldError("request", "pictures", "a preprocessing with them");
  CLEAVE_RETURN_IF_ERROR(call.preprocessing->Validate());
  for (const std::string& image : call.images) {
    if (image.size() > std::numeric_limits<std::uint32_t>::max()) {
      return FieldError("picture", absl::StrCat(image.size(), " bytes"), "below 4 GiB");
    }
  }
  return InputForm::kImages;
}

void DescribeEncoded(const InferCall& call, inference::ModelInferRequest& head) {
  auto& parameters = *head.mutable_parameters();
  if (call.images.empty()) {
    parameters[kEncodingParameter].set_string_param(kFrames);
    for (const NamedTensor& input : call.inputs) Describe(input.name, 1, head);
    for (const NamedFrame& frame : call.frames) Describe(frame.name, 1, head);
    if (call.codec_digest) {
      parameters[kCodecParameter].set_string_param(*call.codec_digest);
    } else if (call.encode && CodecRate(call.encode->encoding) && call.codecs) {
      parameters[kCodecParameter].set_string_param(call.codecs->digest());
    }
    return;
  }
  parameters[kEncodingParameter].set_string_param(kImages);
  parameters[kPreprocessingParameter].set_string_param(call.preprocessing->ToJson());
  Describe(call.image_input, static_cast<std::int64_t>(call.images.size()), head);
}

absl::StatusOr<std::vector<EncodedFrame>> EncodeFrames(const InferCall& call) {
  if (!call.encode) {
    std::vector<EncodedFrame> frames;
    for (const NamedFrame& frame : call.frames) frames.push_back({std::string(frame.frame())});
    return frames;
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<EncodedFrame> frames, EncodeAll(call, *call.encode));
  const bool by_codec = CodecRate(call.encode->encoding).has_value();
  if ((!call.encode->entropy && !by_codec) || !TooDense(call, frames)) return frames;
  if (by_codec) return EncodeAll(call, *call.encode, Filling::kUpToWhatReceiversTake);
  EncodeOptions plain = *call.encode;
  plain.entropy = false;
  return EncodeAll(call, plain);
}

std::string JoinImages(const InferCall& call) {
  std::size_t size = 0;
  for (const std::string& image : call.images) size += sizeof(std::uint32_t) + image.size();
  std::string joined;
  joined.reserve(size);
  for (const std::string& image : call.images) {
    joined += LengthPrefix(image.size());
    joined += image;
  }
  return joined;
}

absl::StatusOr<InputForm> ReadForm(const inference::ModelInferRequest& request) {
  const auto& parameters = request.parameters();
  const auto found = parameters.find(kEncodingParameter);
  InputForm form = InputForm::kPlain;
  if (found != parameters.end()) {
    const std::string& value = found->second.string_param();
    if (!found->second.has_string_param() || (value != kFrames && value != kImages)) {
      return FieldError(
          absl::StrCat("parameter ", kEncodingParameter),
          absl::StrCat("'", found->second.ShortDebugString().substr(0, kMaxName), "'"),
          absl::StrCat("a string_param '", kFrames, "' or '", kImages, "'"));
    }
    form = value == kFrames ? InputForm::kFrames : InputForm::kImages;
  }
  if (form != InputForm::kImages && parameters.contains(kPreprocessingParameter)) {
    return FieldError(absl::StrCat("parameter ", kPreprocessingParameter),
                      absl::StrCat("no ", kEncodingParameter, " '", kImages, "'"), "one beside it");
  }
  if (form != InputForm::kFrames && parameters.contains(kCodecParameter)) {
    return FieldError(absl::StrCat("parameter ", kCodecParameter),
                      absl::StrCat("no ", kEncodingParameter, " '", kFrames, "'"), "one beside it");
  }
  return form;
}

absl::Status TakeFrames(inference::ModelInferRequest& request, InferCall& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<BytesInput> inputs, ToBytesInputs(request));
  std::int64_t bytes = 0;
  for (const BytesInput& input : inputs) {
    if (input.elements.size() != 1) {
      return FieldError(input.what, absl::StrCat(input.elements.size(), " frames"), "1");
    }
    bytes += static_cast<std::int64_t>(input.elements[0].size());
  }
  std::int64_t left = MaxFrameElements(bytes);
  for (const BytesInput& input : inputs) {
    CLEAVE_ASSIGN_OR_RETURN(FrameInfo info, ReadFrameInfo(input.elements[0], input.what, left));
    left -= ElementCount(info.tensor.shape).value_or(0);
    call.frames.push_back({std::string(input.name), std::move(info), {}});
  }
  for (int i = 0; i < request.raw_input_contents_size(); ++i) {
    call.frames[static_cast<std::size_t>(i)].element =
        std::move(*request.mutable_raw_input_contents(i));
  }
  return ReadCodec(request, call);
}

absl::Status TakeImages(const inference::ModelInferRequest& request, InferCall& call) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<BytesInput> inputs, ToBytesInputs(request));
  if (inputs.size() != 1 || inputs[0].elements.empty()) {
    return FieldError("request",
                      inputs.size() == 1 ? "no picture" : absl::StrCat(inputs.size(), " inputs"),
                      "one input of at least one picture");
  }
  CLEAVE_ASSIGN_OR_RETURN(call.preprocessing, ReadPreprocessing(request));
  const BytesInput& input = inputs[0];
  const std::int64_t each =
      std::int64_t{3} * call.preprocessing->height * call.preprocessing->width;
  const auto count = static_cast<std::int64_t>(input.elements.size());
  if (count > kMaxMessageElements / each) {
    return FieldError(input.what, absl::StrCat(count, " pictures of ", each, " elements"),
                      absl::StrCat("at most ", kMaxMessageElements, " elements"));
  }
  if (call.preprocessing->revision != kPixelRevision) {
    return FieldError(
        absl::StrCat("parameter ", kPreprocessingParameter, ": preprocessing.revision"), "none",
        absl::StrCat(kPixelRevision, ", as this edge makes pixels"));
  }
  call.image_input = std::string(input.name);
  for (const absl::string_view element : input.elements) call.images.emplace_back(element);
  return absl::OkStatus();
}

}  // namespace cleave
