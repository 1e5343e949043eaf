#include "codec/codec_file.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/fitted_file.h"
#include "codec/safetensors.h"
#include "core/check.h"
#include "core/file.h"
#include "core/json_section.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Json = nlohmann::ordered_json;
using Rate = TensorCodecParameters::Rate;

constexpr absl::string_view kFormat = "cleave-codec-1";
constexpr std::int64_t kMaxFileBytes = std::int64_t{1} << 30;
constexpr std::size_t kMostTensors = 4096;

// ---- writing

template <typename To, typename From>
Tensor MakeTensor(DataType dtype, Shape shape, const std::vector<From>& values) {
  std::vector<To> converted(values.begin(), values.end());
  std::string bytes(reinterpret_cast<const char*>(converted.data()), converted.size() * sizeof(To));
  return Tensor::FromBytes(dtype, std::move(shape), std::move(bytes)).value();
}

// The values of all rates, one after the other.
template <typename Value>
std::vector<Value> OfRates(const TensorCodecParameters& codec,
                           std::vector<Value> CoefficientModel::*member) {
  std::vector<Value> all;
  for (const Rate& rate : codec.rates) {
    const std::vector<Value>& one = rate.model.*member;
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

Json Describe(const std::string& name, const TensorCodecParameters& codec) {
  Json rates = Json::array();
  for (const Rate& rate : codec.rates) {
    rates.push_back({{"step", static_cast<double>(rate.step)},
                     {"mean_bytes", static_cast<double>(rate.mean_bytes)},
                     {"most_bytes", static_cast<double>(rate.most_bytes)}});
  }
  return {{"tensor", name},
          {"channels", codec.channels},
          {"block_side", codec.block_side},
          {"lambda", static_cast<double>(codec.lambda)},
          {"rates", std::move(rates)}};
}

void AddTensors(std::size_t number, const TensorCodecParameters& codec, Safetensors& file) {
  const auto add = [&](absl::string_view field, Tensor tensor) {
    file.tensors.emplace(absl::StrCat(number, ".", field), std::move(tensor));
  };
  const std::int64_t bands = std::int64_t{codec.block_side} * codec.block_side;
  const std::int64_t channels = codec.channels;
  const std::int64_t rates = kCodecRates;
  add("mean", MakeTensor<float>(DataType::kFloat32, {channels}, codec.mean));
  add("forward", MakeTensor<float>(DataType::kFloat32, {bands, channels, channels}, codec.forward));
  add("inverse", MakeTensor<float>(DataType::kFloat32, {bands, channels, channels}, codec.inverse));
  add("active", MakeTensor<std::int32_t>(DataType::kInt32, {rates, bands},
                                         OfRates(codec, &CoefficientModel::active)));
  add("offset", MakeTensor<std::int16_t>(DataType::kInt16, {rates, bands, channels},
                                         OfRates(codec, &CoefficientModel::offset)));
  add("weight", MakeTensor<std::int16_t>(DataType::kInt16, {rates, bands, kContextFeatures},
                                         OfRates(codec, &CoefficientModel::weight)));
  add("chance", MakeTensor<std::int32_t>(DataType::kInt32, {rates, kContexts, kUnaryMagnitudes},
                                         OfRates(codec, &CoefficientModel::chance)));
}

// ---- reading

// Reads the tensors of one codec; the first fault is kept.
class CodecReader {
 public:
  CodecReader(const Safetensors& file, std::size_t number, std::string origin)
      : file_(file), number_(number), origin_(std::move(origin)) {}

  absl::StatusOr<TensorCodec> Read(TensorCodecParameters codec) && {
    if (codec.channels < 1 || codec.channels > kMostCodecChannels ||
        (codec.block_side != 1 && codec.block_side != BlockLayout::kBlockSide)) {
      return FieldError(origin_,
                        absl::StrCat(codec.channels, " channels, blocks of ", codec.block_side),
                        absl::StrCat("1 to ", kMostCodecChannels, " channels, blocks of 1 or ",
                                     BlockLayout::kBlockSide));
    }
    const std::int64_t bands = std::int64_t{codec.block_side} * codec.block_side;
    const std::int64_t channels = codec.channels;
    codec.mean = Values<float>("mean", {channels});
    codec.forward = Values<float>("forward", {bands, channels, channels});
    codec.inverse = Values<float>("inverse", {bands, channels, channels});
    const auto active = Values<std::int32_t>("active", {kCodecRates, bands});
    const auto offset = Values<std::int16_t>("offset", {kCodecRates, bands, channels});
    const auto weight = Values<std::int16_t>("weight", {kCodecRates, bands, kContextFeatures});
    const auto chance = Values<std::int32_t>("chance", {kCodecRates, kContexts, kUnaryMagnitudes});
    for (const std::int32_t each : chance) {
      if (each < 0 || each > std::numeric_limits<std::uint16_t>::max()) {
        Fail(FieldError(absl::StrCat(origin_, ": chance"), each, "0 to 65535"));
      }
    }
    CLEAVE_RETURN_IF_ERROR(status_);
    for (std::size_t i = 0; i < codec.rates.size(); ++i) {
      CoefficientModel& model = codec.rates[i].model;
      model.components = codec.channels;
      Part(active, i, model.active);
      Part(offset, i, model.offset);
      Part(weight, i, model.weight);
      Part(chance, i, model.chance);
    }
    absl::StatusOr<TensorCodec> made = TensorCodec::Create(std::move(codec));
    if (made.ok()) return made;
    return absl::Status(made.status().code(), absl::StrCat(origin_, ": ", made.status().message()));
  }

 private:
  void Fail(absl::Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  template <typename Value>
  std::vector<Value> Values(absl::string_view field, const Shape& shape) {
    absl::StatusOr<std::vector<Value>> values = ValuesOf<Value>(
        file_, absl::StrCat(number_, ".", field), shape, absl::StrCat(origin_, ": ", field));
    if (values.ok()) return *std::move(values);
    Fail(values.status());
    return {};
  }

  template <typename From, typename To>
  static void Part(const std::vector<From>& all, std::size_t rate, std::vector<To>& to) {
    const auto size = static_cast<std::ptrdiff_t>(all.size() / kCodecRates);
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(rate) * size;
    to.assign(first, first + size);
  }

  const Safetensors& file_;
  const std::size_t number_;
  const std::string origin_;
  absl::Status status_;
};

void ReadFloat(JsonSection& section, absl::string_view key, float& to) {
  double value = 0;
  section.Number(key, value);
  using Limits = std::numeric_limits<float>;
  to = std::abs(value) <= double{Limits::max()} ? static_cast<float>(value) : Limits::infinity();
}

struct Described {
  std::string tensor;
  TensorCodecParameters codec;
};

Described ReadDescription(JsonSection& section) {
  Described described;
  TensorCodecParameters& codec = described.codec;
  section.Text("tensor", described.tensor);
  section.Whole("channels", codec.channels);
  section.Whole("block_side", codec.block_side);
  ReadFloat(section, "lambda", codec.lambda);
  std::size_t i = 0;
  for (JsonSection& rate : section.Sections("rates", kCodecRates, kCodecRates, "rates")) {
    Rate& to = codec.rates[i++];
    ReadFloat(rate, "step", to.step);
    ReadFloat(rate, "mean_bytes", to.mean_bytes);
    ReadFloat(rate, "most_bytes", to.most_bytes);
    rate.Finish();
  }
  section.Finish();
  return described;
}

}  // namespace

std::string CodecFile::PathFor(const std::string& model_path) {
  return PathBeside(model_path, "codec");
}

std::string CodecFile::Write(const About& about,
                             const std::map<std::string, TensorCodecParameters>& codecs) {
  Safetensors file;
  Json tensors = Json::array();
  std::size_t number = 0;
  for (const auto& [name, codec] : codecs) {
    tensors.push_back(Describe(name, codec));
    AddTensors(number++, codec, file);
  }
  AddAbout(kFormat, about, file);
  file.metadata["codecs"] = tensors.dump(-1, ' ', false, Json::error_handler_t::replace);
  return WriteSafetensors(file);
}

absl::StatusOr<std::shared_ptr<const CodecFile>> CodecFile::Read(absl::string_view bytes,
                                                                 const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const Safetensors contents, ReadSafetensors(bytes, origin));
  std::shared_ptr<CodecFile> file(new CodecFile);
  CLEAVE_ASSIGN_OR_RETURN(file->about_, ReadAbout(contents, kFormat, origin));
  CLEAVE_ASSIGN_OR_RETURN(const std::string list, MetadataText(contents, "codecs", origin));
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::ParseList(list, origin, "codecs"));
  JsonSection root = document.Root();
  std::vector<Described> described;
  for (JsonSection& each : root.Sections("codecs", 1, kMostTensors, "codecs")) {
    described.push_back(ReadDescription(each));
  }
  CLEAVE_RETURN_IF_ERROR(document.status());
  for (std::size_t i = 0; i < described.size(); ++i) {
    const std::string at = absl::StrCat(origin, ": codecs[", i, "]");
    CLEAVE_ASSIGN_OR_RETURN(TensorCodec codec,
                            CodecReader(contents, i, at).Read(std::move(described[i].codec)));
    if (!file->codecs_.emplace(described[i].tensor, std::move(codec)).second) {
      return FieldError(at,
                        absl::StrCat("the tensor '", described[i].tensor.substr(0, 60), "' twice"),
                        "each tensor once");
    }
  }
  file->digest_ = Sha256Hex(bytes);
  return file;
}

absl::StatusOr<std::shared_ptr<const CodecFile>> CodecFile::OfModel(
    const std::string& model_path, absl::string_view model_digest) {
  const std::string path = PathFor(model_path);
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxFileBytes));
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<const CodecFile> file, Read(bytes, path));
  CLEAVE_RETURN_IF_ERROR(
      CheckModel(file->about(), model_digest, path, absl::StrCat("cleave codec fit ", model_path)));
  return file;
}

std::set<std::string> CodecFile::Tensors() const {
  std::set<std::string> tensors;
  for (const auto& [name, codec] : codecs_) tensors.insert(name);
  return tensors;
}

const TensorCodec* CodecFile::Find(absl::string_view tensor) const {
  const auto found = codecs_.find(tensor);
  return found == codecs_.end() ? nullptr : &found->second;
}

}  // namespace cleave
