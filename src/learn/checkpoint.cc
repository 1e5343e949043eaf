#include "learn/checkpoint.h"

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Json = nlohmann::json;

constexpr absl::string_view kMagic = "cleave-checkpoint 1\n";
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kDigestBytes = 64;
constexpr std::size_t kMaxEpochs = 100'000;

absl::Status Refuse(const std::string& origin, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(origin, ": ", why));
}

absl::Status ReadNumbers(const Json& json, const std::string& origin,
                         std::map<std::string, std::vector<double>>& numbers) {
  if (!json.is_object()) return Refuse(origin, "numbers: expected an object of lists");
  for (const auto& [name, list] : json.items()) {
    if (!list.is_array()) return Refuse(origin, absl::StrCat("numbers.", name, ": is no list"));
    std::vector<double>& values = numbers[name];
    for (const Json& number : list) {
      if (!number.is_number()) {
        return Refuse(origin, absl::StrCat("numbers.", name, ": expected numbers"));
      }
      values.push_back(number.get<double>());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<EpochRecord> ReadEpoch(const Json& json, const std::string& origin) {
  const auto number = [&json](const char* field) {
    const auto found = json.find(field);
    return found != json.end() && found->is_number();
  };
  if (!json.is_object() || !number("loss") || !number("seconds") || !json.contains("accuracy") ||
      !json["accuracy"].is_array()) {
    return Refuse(origin, "epochs: expected objects of loss, accuracy and seconds");
  }
  EpochRecord epoch{json["loss"].get<double>(), {}, json["seconds"].get<double>()};
  for (const Json& accuracy : json["accuracy"]) {
    if (!accuracy.is_number()) return Refuse(origin, "epochs: accuracy: expected numbers");
    epoch.accuracy.push_back(accuracy.get<double>());
  }
  return epoch;
}

// Takes one tensor's bytes off the front of `body`.
absl::Status ReadTensor(const Json& json, const std::string& origin, absl::string_view& body,
                        std::map<std::string, Tensor>& tensors) {
  if (!json.is_object() || !json.contains("name") || !json["name"].is_string() ||
      !json.contains("shape") || !json["shape"].is_array()) {
    return Refuse(origin, "tensors: expected objects of name and shape");
  }
  const std::string name = json["name"];
  Shape shape;
  for (const Json& size : json["shape"]) {
    if (!size.is_number_unsigned() || size.get<std::uint64_t>() > (std::uint64_t{1} << 31)) {
      return Refuse(origin, absl::StrCat("tensor '", name, "': expected sizes below 2^31"));
    }
    shape.push_back(size.get<std::int64_t>());
  }
  const absl::StatusOr<std::int64_t> count = ElementCount(shape);
  if (!count.ok()) {
    return Refuse(origin, absl::StrCat("tensor '", name, "': ", count.status().message()));
  }
  if (static_cast<std::uint64_t>(*count) > body.size() / sizeof(float)) {
    return Refuse(origin, absl::StrCat("tensor '", name, "': found ", body.size(),
                                       " bytes, expected ", *count, " numbers of 4"));
  }
  const std::size_t bytes = static_cast<std::size_t>(*count) * sizeof(float);
  CLEAVE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::FromBytes(DataType::kFloat32, shape,
                                                           std::string(body.substr(0, bytes))));
  if (!tensors.emplace(name, std::move(tensor)).second) {
    return Refuse(origin, absl::StrCat("tensor '", name, "' comes twice"));
  }
  body.remove_prefix(bytes);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> Checkpoint::Serialize() const {
  Json header = {{"settings", settings}, {"epochs", Json::array()}, {"tensors", Json::array()}};
  for (const EpochRecord& epoch : epochs) {
    header["epochs"].push_back(
        {{"loss", epoch.loss}, {"accuracy", epoch.accuracy}, {"seconds", epoch.seconds}});
  }
  for (const auto& [name, tensor] : tensors) {
    if (tensor.dtype() != DataType::kFloat32) {
      return absl::InvalidArgumentError(absl::StrCat(
          "checkpoint: tensor '", name, "' is ", DataTypeName(tensor.dtype()), ", expected FP32"));
    }
    header["tensors"].push_back({{"name", name}, {"shape", tensor.shape()}});
  }
  if (!numbers.empty()) header["numbers"] = numbers;
  const std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string bytes(kMagic);
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    bytes.push_back(static_cast<char>(text.size() >> (8 * i) & 0xFF));
  }
  bytes.append(text);
  for (const auto& [name, tensor] : tensors) {
    bytes.append(tensor.bytes().data(), tensor.size_bytes());
  }
  bytes.append(Sha256Hex(bytes));
  return bytes;
}

absl::StatusOr<Checkpoint> Checkpoint::Parse(absl::string_view bytes, const std::string& origin) {
  if (!absl::StartsWith(bytes, kMagic)) return Refuse(origin, "is no checkpoint of cleave train");
  if (bytes.size() < kMagic.size() + kLengthBytes + kDigestBytes) {
    return Refuse(origin, absl::StrCat("found ", bytes.size(), " bytes, expected more"));
  }
  const absl::string_view digest = bytes.substr(bytes.size() - kDigestBytes);
  bytes.remove_suffix(kDigestBytes);
  if (Sha256Hex(bytes) != digest) {
    return absl::DataLossError(
        absl::StrCat(origin, ": its digest does not fit: the file is cut short or damaged"));
  }
  absl::string_view body = bytes.substr(kMagic.size());
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) {
    length = length << 8 | static_cast<unsigned char>(body[i]);
  }
  body.remove_prefix(kLengthBytes);
  if (length > body.size()) {
    return Refuse(origin, absl::StrCat("header: found a length of ", length, ", expected at most ",
                                       body.size()));
  }
  const absl::string_view text = body.substr(0, length);
  body.remove_prefix(length);
  const Json header = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!header.is_object() || !header.contains("settings") || !header["settings"].is_object() ||
      !header.contains("epochs") || !header["epochs"].is_array() || !header.contains("tensors") ||
      !header["tensors"].is_array() || header["epochs"].size() > kMaxEpochs) {
    return Refuse(origin, "header: expected JSON with settings, epochs and tensors");
  }
  Checkpoint checkpoint;
  for (const auto& [key, value] : header["settings"].items()) {
    if (!value.is_string()) return Refuse(origin, absl::StrCat("settings.", key, ": is no text"));
    checkpoint.settings[key] = value;
  }
  for (const Json& json : header["epochs"]) {
    CLEAVE_ASSIGN_OR_RETURN(EpochRecord epoch, ReadEpoch(json, origin));
    checkpoint.epochs.push_back(std::move(epoch));
  }
  if (header.contains("numbers")) {
    CLEAVE_RETURN_IF_ERROR(ReadNumbers(header["numbers"], origin, checkpoint.numbers));
  }
  for (const Json& json : header["tensors"]) {
    CLEAVE_RETURN_IF_ERROR(ReadTensor(json, origin, body, checkpoint.tensors));
  }
  if (!body.empty()) {
    return Refuse(origin, absl::StrCat("found ", body.size(), " bytes after the last tensor"));
  }
  return checkpoint;
}

absl::Status Checkpoint::CheckSettings(const std::map<std::string, std::string>& expected,
                                       const std::string& origin) const {
  for (const auto& [key, value] : expected) {
    const auto found = settings.find(key);
    if (found != settings.end() && found->second == value) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        origin, ": ", key, ": found ", found == settings.end() ? "none" : found->second,
        ", expected ", value, "; training can only go on as it began"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::span<const float>> FloatsOf(const std::map<std::string, Tensor>& tensors,
                                                const std::string& name, const Shape& shape,
                                                const std::string& origin) {
  const auto found = tensors.find(name);
  if (found != tensors.end() && found->second.shape() == shape) return found->second.floats();
  return FieldError(absl::StrCat(origin, ": tensor '", name, "'"),
                    found == tensors.end() ? "none" : ShapeString(found->second.shape()),
                    ShapeString(shape));
}

}  // namespace cleave
