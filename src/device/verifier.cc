#include "device/verifier.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "absl/strings/str_format.h"
#include "codec/picture.h"
#include "core/named_tensors.h"
#include "core/status_macros.h"
#include "core/uniform.h"
#include "wire/frames.h"

namespace cleave {
namespace {

// Machines and versions of ONNX Runtime round differently; nonsense differs by more.
constexpr double kMostDifference = 0.01;

template <typename Number>
double GreatestDifference(const Tensor& own, const Tensor& other) {
  double difference = 0;
  double magnitude = std::numeric_limits<double>::min();
  for (std::size_t at = 0; at + sizeof(Number) <= own.size_bytes(); at += sizeof(Number)) {
    Number a = 0;
    Number b = 0;
    std::memcpy(&a, own.data() + at, sizeof(a));
    std::memcpy(&b, other.data() + at, sizeof(b));
    if (std::isnan(a) && std::isnan(b)) continue;
    if (a == b) continue;
    if (!std::isfinite(a) || !std::isfinite(b)) return std::numeric_limits<double>::infinity();
    difference = std::max(difference, std::abs(static_cast<double>(a) - static_cast<double>(b)));
    magnitude = std::max(magnitude, std::abs(static_cast<double>(a)));
  }
  return difference / magnitude;
}

absl::StatusOr<std::vector<NamedTensor>> AsArrived(const InferCall& call,
                                                   const std::string& picture_input) {
  if (call.preprocessing) {
    std::vector<Tensor> items;
    for (const std::string& image : call.images) {
      CLEAVE_ASSIGN_OR_RETURN(Tensor item, ImageToTensor(image, *call.preprocessing, "picture"));
      items.push_back(std::move(item));
    }
    CLEAVE_ASSIGN_OR_RETURN(Tensor batch, StackBatch(items));
    return std::vector<NamedTensor>{{picture_input, std::move(batch)}};
  }
  if (!call.encode) return call.inputs;
  std::vector<NamedTensor> arrived;
  for (const NamedTensor& input : call.inputs) {
    EncodeOptions options = *call.encode;
    if (call.codecs) options.codec = call.codecs->Find(input.name);
    CLEAVE_ASSIGN_OR_RETURN(const EncodedFrame frame, EncodeFrame(input.tensor, options));
    CLEAVE_ASSIGN_OR_RETURN(
        Tensor tensor, DecodeTensor(frame.bytes, input.name, kMaxMessageElements, options.codec));
    arrived.push_back({input.name, std::move(tensor)});
  }
  return arrived;
}

}  // namespace

std::optional<double> RelativeDifference(const Tensor& own, const Tensor& other) {
  if (own.dtype() != other.dtype() || own.shape() != other.shape()) return std::nullopt;
  if (own.dtype() == DataType::kFloat32) return GreatestDifference<float>(own, other);
  if (own.dtype() == DataType::kFloat64) return GreatestDifference<double>(own, other);
  return std::nullopt;
}

absl::StatusOr<std::vector<NamedTensor>> RunAgain(const RemoteRequest& request) {
  const Chain& chain = request.exit->chain();
  const int from = chain.BoundaryOf(request.call.cut.value_or(0));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> inputs,
                          AsArrived(request.call, chain.graph().inputs().front().name));
  return RunToOutputs(chain, from, inputs, request.early);
}

std::string DisagreementText(const VerificationRecord& verification) {
  return absl::StrFormat("verification: the edge's answer differs from the device's own by %.2g",
                         verification.difference);
}

bool Verifier::Draws(std::int64_t inference) const {
  if (share_ <= 0) return false;
  std::mt19937_64 random(seed_ ^ (static_cast<std::uint64_t>(inference) << 20));
  return DrawUniform(random) < share_;
}

std::optional<VerificationRecord> Verifier::Verify(std::int64_t inference,
                                                   const RemoteRequest& request,
                                                   const RemoteAnswer& answer) const {
  if (!answer.status.ok() || answer.form != AnswerForm::kOutputs || !Draws(inference)) {
    return std::nullopt;
  }
  const absl::StatusOr<std::vector<NamedTensor>> own = RunAgain(request);
  if (!own.ok()) return std::nullopt;
  std::optional<VerificationRecord> record;
  for (const NamedTensor& output : answer.outputs) {
    const Tensor* expected = FindTensor(*own, output.name);
    if (expected == nullptr) continue;
    const std::optional<double> difference = RelativeDifference(*expected, output.tensor);
    if (!difference) continue;
    if (!record) record.emplace();
    record->difference = std::max(record->difference, *difference);
  }
  if (record) record->agrees = record->difference <= kMostDifference;
  return record;
}

}  // namespace cleave
