#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/status_macros.h"
#include "wire/convert.h"

namespace cleave {
namespace {

using Json = nlohmann::json;

constexpr char kDigestProperty[] = "cleave.digest";
constexpr char kCutsProperty[] = "cleave.cuts";
constexpr char kExitsProperty[] = "cleave.exits";
constexpr std::size_t kMaxName = 512;
constexpr std::size_t kMaxExitsBytes = 1 << 20;

// "[0,4,17]"
absl::StatusOr<std::vector<int>> ParseCuts(absl::string_view text) {
  const absl::Status wrong = absl::InternalError(
      absl::StrCat("property ", kCutsProperty, ": found '", text.substr(0, kMaxName),
                   "', expected a JSON list of integers"));
  absl::string_view inner = absl::StripAsciiWhitespace(text);
  if (!absl::ConsumePrefix(&inner, "[") || !absl::ConsumeSuffix(&inner, "]")) return wrong;
  std::vector<int> cuts;
  for (const absl::string_view part : absl::StrSplit(inner, ',', absl::SkipWhitespace())) {
    int cut = 0;
    if (!absl::SimpleAtoi(part, &cut) || cut < 0) return wrong;
    cuts.push_back(cut);
  }
  return cuts;
}

std::optional<ModelInfo::Exit> ParseExit(const Json& json) {
  if (!json.is_object() || !json.contains("name") || !json.contains("cuts")) return std::nullopt;
  const Json& name = json["name"];
  const Json& cuts = json["cuts"];
  if (!name.is_string() || !cuts.is_array()) return std::nullopt;
  ModelInfo::Exit exit;
  exit.name = name.get<std::string>();
  if (exit.name.empty() || exit.name.size() > kMaxName) return std::nullopt;
  for (const Json& cut : cuts) {
    if (!cut.is_number_unsigned() ||
        cut.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<int>::max()}) {
      return std::nullopt;
    }
    exit.cuts.push_back(cut.get<int>());
  }
  return exit;
}

// [{"name":"exit1","cuts":[0,4]},{"name":"exit2","cuts":[0,4,17]}]
absl::StatusOr<std::vector<ModelInfo::Exit>> ParseExits(absl::string_view text) {
  const absl::Status wrong = absl::InternalError(
      absl::StrCat("property ", kExitsProperty, ": found '", text.substr(0, kMaxName),
                   "', expected a JSON list of objects with a name and a list of cuts"));
  if (text.size() > kMaxExitsBytes) return wrong;
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_array() || json.empty()) return wrong;
  std::vector<ModelInfo::Exit> exits;
  for (const Json& one : json) {
    std::optional<ModelInfo::Exit> exit = ParseExit(one);
    if (!exit) return wrong;
    exits.push_back(*std::move(exit));
  }
  return exits;
}

std::string ExitsText(const std::vector<ModelInfo::Exit>& exits) {
  Json json = Json::array();
  for (const ModelInfo::Exit& exit : exits) {
    json.push_back({{"name", exit.name}, {"cuts", exit.cuts}});
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <typename Metadata>
absl::StatusOr<std::vector<TensorSpec>> ToSpecs(const Metadata& metadata) {
  std::vector<TensorSpec> specs;
  for (const auto& one : metadata) {
    const std::optional<DataType> dtype = ParseDataType(one.datatype());
    if (!dtype) {
      return absl::InternalError(absl::StrCat("the server's model has a tensor '", one.name(),
                                              "' of datatype '", one.datatype(),
                                              "', which cannot travel"));
    }
    specs.push_back({one.name(), *dtype, Shape(one.shape().begin(), one.shape().end())});
  }
  return specs;
}

template <typename Metadata>
void AddSpecs(const std::vector<TensorSpec>& specs, Metadata& out) {
  for (const TensorSpec& spec : specs) {
    auto& one = *out.Add();
    one.set_name(spec.name);
    const absl::string_view dtype = DataTypeName(spec.dtype);
    one.set_datatype(dtype.data(), dtype.size());
    one.mutable_shape()->Add(spec.shape.begin(), spec.shape.end());
  }
}

}  // namespace

inference::ModelMetadataResponse ToMetadata(const ModelInfo& info) {
  inference::ModelMetadataResponse metadata;
  metadata.set_name(info.name);
  metadata.add_versions(std::string(kModelVersion));
  metadata.set_platform(info.platform);
  AddSpecs(info.inputs, *metadata.mutable_inputs());
  AddSpecs(info.outputs, *metadata.mutable_outputs());
  auto& properties = *metadata.mutable_properties();
  properties[kDigestProperty] = info.digest;
  properties[kCutsProperty] = absl::StrCat("[", absl::StrJoin(info.cuts, ","), "]");
  if (!info.exits.empty()) properties[kExitsProperty] = ExitsText(info.exits);
  return metadata;
}

absl::StatusOr<ModelInfo> ToModelInfo(const inference::ModelMetadataResponse& metadata) {
  ModelInfo info;
  info.name = metadata.name();
  info.platform = metadata.platform();
  CLEAVE_ASSIGN_OR_RETURN(info.inputs, ToSpecs(metadata.inputs()));
  CLEAVE_ASSIGN_OR_RETURN(info.outputs, ToSpecs(metadata.outputs()));
  const auto& properties = metadata.properties();
  if (const auto digest = properties.find(kDigestProperty); digest != properties.end()) {
    info.digest = digest->second;
  }
  if (const auto cuts = properties.find(kCutsProperty); cuts != properties.end()) {
    CLEAVE_ASSIGN_OR_RETURN(info.cuts, ParseCuts(cuts->second));
  }
  if (const auto exits = properties.find(kExitsProperty); exits != properties.end()) {
    CLEAVE_ASSIGN_OR_RETURN(info.exits, ParseExits(exits->second));
  }
  return info;
}

}  // namespace cleave
