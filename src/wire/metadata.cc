#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/check.h"
#include "core/json_section.h"
#include "core/status_macros.h"
#include "wire/convert.h"

namespace cleave {
namespace {

using Json = nlohmann::json;

constexpr char kDigestProperty[] = "cleave.digest";
constexpr char kCutsProperty[] = "cleave.cuts";
constexpr char kExitsProperty[] = "cleave.exits";
constexpr char kCodecProperty[] = "cleave.codec";
constexpr std::size_t kMaxName = 512;
constexpr std::size_t kMaxListBytes = 1 << 20;
constexpr std::size_t kMaxEntries = kMaxListBytes / 2;  // More do not fit into it.

// The server is at fault, not the caller.
absl::Status Broken(const absl::Status& fault) { return absl::InternalError(fault.message()); }

// A property whose text is a JSON list, as the field `key` of the root.
absl::StatusOr<JsonDocument> ParseProperty(const char* property, absl::string_view text,
                                           const std::string& key) {
  const std::string origin = absl::StrCat("property ", property);
  if (text.size() > kMaxListBytes) {
    return FieldError(origin, absl::StrCat(text.size(), " bytes"),
                      absl::StrCat("at most ", kMaxListBytes));
  }
  return JsonDocument::ParseList(text, origin, key);
}

std::vector<int> ReadCuts(JsonSection& section) {
  std::vector<int> cuts;
  section.Wholes("cuts", 0, kMaxEntries, cuts);
  const auto negative = std::find_if(cuts.begin(), cuts.end(), [](int cut) { return cut < 0; });
  if (negative != cuts.end()) {
    section.Fail("cuts", absl::StrCat(*negative), "whole numbers from 0");
  }
  return cuts;
}

// "[0,4,17]"
absl::StatusOr<std::vector<int>> ParseCuts(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document, ParseProperty(kCutsProperty, text, "cuts"));
  JsonSection root = document.Root();
  std::vector<int> cuts = ReadCuts(root);
  CLEAVE_RETURN_IF_ERROR(document.status());
  return cuts;
}

ModelInfo::Exit ReadExit(JsonSection& section) {
  ModelInfo::Exit exit;
  section.Text("name", exit.name);
  if (exit.name.empty() || exit.name.size() > kMaxName) {
    section.Fail("name", absl::StrCat(exit.name.size(), " bytes"), absl::StrCat("1 to ", kMaxName));
  }
  exit.cuts = ReadCuts(section);
  return exit;
}

// [{"name":"exit1","cuts":[0,4]},{"name":"exit2","cuts":[0,4,17]}]
absl::StatusOr<std::vector<ModelInfo::Exit>> ParseExits(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document, ParseProperty(kExitsProperty, text, "exits"));
  std::vector<ModelInfo::Exit> exits;
  for (JsonSection& section : document.Root().Sections("exits", 1, kMaxEntries, "exits")) {
    exits.push_back(ReadExit(section));
  }
  CLEAVE_RETURN_IF_ERROR(document.status());
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

absl::Status CheckModelVersion(const std::string& model, const std::string& version) {
  if (version.empty() || version == kModelVersion) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("model '", model.substr(0, 256), "': found version '",
                                          version.substr(0, 64), "', expected '", kModelVersion,
                                          "' or none"));
}

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
  if (!info.codec_digest.empty()) properties[kCodecProperty] = info.codec_digest;
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
    absl::StatusOr<std::vector<int>> parsed = ParseCuts(cuts->second);
    if (!parsed.ok()) return Broken(parsed.status());
    info.cuts = *std::move(parsed);
  }
  if (const auto codec = properties.find(kCodecProperty); codec != properties.end()) {
    const absl::Status status =
        CheckDigest(absl::StrCat("property ", kCodecProperty), codec->second);
    if (!status.ok()) return Broken(status);
    info.codec_digest = codec->second;
  }
  if (const auto exits = properties.find(kExitsProperty); exits != properties.end()) {
    absl::StatusOr<std::vector<ModelInfo::Exit>> parsed = ParseExits(exits->second);
    if (!parsed.ok()) return Broken(parsed.status());
    info.exits = *std::move(parsed);
  }
  return info;
}

}  // namespace cleave
