#include "learn/checkpoint.h"

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/json_section.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Json = nlohmann::json;

constexpr absl::string_view kMagic = "cleave-checkpoint 1\n";
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kDigestBytes = 64;
constexpr std::size_t kMaxEpochs = 100'000;
constexpr std::size_t kMaxTensors = 1'000'000;
constexpr std::size_t kMaxNumbers = std::size_t{1} << 30;
constexpr std::size_t kMaxRank = 64;

std::map<std::string, std::string> ReadSettings(JsonSection section) {
  std::map<std::string, std::string> settings;
  for (const std::string& name : section.Keys()) section.Text(name, settings[name]);
  return settings;
}

EpochRecord ReadEpoch(JsonSection& section) {
  EpochRecord epoch;
  section.Number("loss", epoch.loss);
  section.Numbers("accuracy", 0, kMaxNumbers, epoch.accuracy);
  section.Number("seconds", epoch.seconds);
  return epoch;
}

std::map<std::string, std::vector<double>> ReadNumbers(JsonSection section) {
  std::map<std::string, std::vector<double>> numbers;
  for (const std::string& name : section.Keys()) {
    section.Numbers(name, 0, kMaxNumbers, numbers[name]);
  }
  return numbers;
}

// The name and the sizes of a tensor.
struct TensorEntry {
  std::string name;
  std::vector<int> sizes;
};

absl::StatusOr<TensorEntry> ReadEntry(const JsonDocument& document, JsonSection& section) {
  TensorEntry entry;
  section.Text("name", entry.name);
  CLEAVE_RETURN_IF_ERROR(document.status());
  section.Wholes("shape", 0, kMaxRank, entry.sizes);
  if (document.status().ok()) return entry;
  return absl::InvalidArgumentError(
      absl::StrCat(document.status().message(), ", of tensor '", entry.name, "'"));
}

// Takes one tensor's bytes off the front of `body`.
absl::Status TakeTensor(const TensorEntry& entry, const std::string& origin,
                        absl::string_view& body, std::map<std::string, Tensor>& tensors) {
  const std::string field = absl::StrCat(origin, ": tensor '", entry.name, "'");
  const Shape shape(entry.sizes.begin(), entry.sizes.end());
  const absl::StatusOr<std::int64_t> count = ElementCount(shape);
  if (!count.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": ", count.status().message()));
  }
  if (static_cast<std::uint64_t>(*count) > body.size() / sizeof(float)) {
    return FieldError(field, absl::StrCat(body.size(), " bytes"),
                      absl::StrCat(*count, " numbers of 4"));
  }
  const std::size_t bytes = static_cast<std::size_t>(*count) * sizeof(float);
  CLEAVE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::FromBytes(DataType::kFloat32, shape,
                                                           std::string(body.substr(0, bytes))));
  if (!tensors.emplace(entry.name, std::move(tensor)).second) {
    return FieldError(field, "it twice", "it once");
  }
  body.remove_prefix(bytes);
  return absl::OkStatus();
}

// Reads what the header says, and the tensors that follow it in `body`.
absl::StatusOr<Checkpoint> ReadContents(absl::string_view header, absl::string_view body,
                                        const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document,
                          JsonDocument::Parse(header, absl::StrCat(origin, ": header")));
  JsonSection root = document.Root();
  Checkpoint checkpoint;
  checkpoint.settings = ReadSettings(root.Section("settings"));
  for (JsonSection& epoch : root.Sections("epochs", 0, kMaxEpochs, "epochs")) {
    checkpoint.epochs.push_back(ReadEpoch(epoch));
  }
  if (root.Has("numbers")) checkpoint.numbers = ReadNumbers(root.Section("numbers"));
  std::vector<JsonSection> entries = root.Sections("tensors", 0, kMaxTensors, "tensors");
  CLEAVE_RETURN_IF_ERROR(document.status());
  for (JsonSection& section : entries) {
    CLEAVE_ASSIGN_OR_RETURN(const TensorEntry entry, ReadEntry(document, section));
    CLEAVE_RETURN_IF_ERROR(TakeTensor(entry, origin, body, checkpoint.tensors));
  }
  if (body.empty()) return checkpoint;
  return FieldError(origin, absl::StrCat(body.size(), " bytes after the last tensor"), "none");
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
  if (!absl::StartsWith(bytes, kMagic)) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": is no checkpoint of cleave train"));
  }
  if (bytes.size() < kMagic.size() + kLengthBytes + kDigestBytes) {
    return FieldError(origin, absl::StrCat(bytes.size(), " bytes"), "more");
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
    return FieldError(absl::StrCat(origin, ": header"), absl::StrCat("a length of ", length),
                      absl::StrCat("at most ", body.size()));
  }
  const absl::string_view text = body.substr(0, length);
  body.remove_prefix(length);
  return ReadContents(text, body, origin);
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
