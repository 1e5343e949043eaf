#include "codec/sidecar.h"

#include <array>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "codec/image.h"
#include "core/check.h"
#include "core/file.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMaxSidecarBytes = std::int64_t{16} << 20;

absl::Status Refuse(const std::string& origin, const std::string& field, const Json& found,
                    absl::string_view expected) {
  std::string text = found.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) text = absl::StrCat(text.substr(0, 60), "...");
  return FieldError(absl::StrCat(origin, ": preprocessing.", field), text, expected);
}

absl::Status ReadSide(const std::string& origin, const std::string& field, const Json& value,
                      int& out) {
  constexpr std::int64_t kMost = std::int64_t{2} * kMaxImageSide;
  const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= kMost
                                               : value.is_number_integer() && value.get<int>() == 0;
  if (!fits) return Refuse(origin, field, value, absl::StrCat("a whole number from 0 to ", kMost));
  out = static_cast<int>(value.get<std::uint64_t>());
  return absl::OkStatus();
}

absl::Status ReadTriple(const std::string& origin, const std::string& field, const Json& value,
                        std::array<float, 3>& out) {
  bool fits = value.is_array() && value.size() == out.size();
  for (std::size_t i = 0; fits && i < out.size(); ++i) fits = value[i].is_number();
  if (!fits) return Refuse(origin, field, value, "3 numbers, one for each of R, G and B");
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(value[i].get<double>());
  return absl::OkStatus();
}

absl::Status ReadField(const std::string& origin, const std::string& field, const Json& value,
                       Preprocessing& how) {
  if (field == "resize") return ReadSide(origin, field, value, how.resize);
  if (field == "height") return ReadSide(origin, field, value, how.height);
  if (field == "width") return ReadSide(origin, field, value, how.width);
  if (field == "mean") return ReadTriple(origin, field, value, how.mean);
  if (field == "std") return ReadTriple(origin, field, value, how.deviation);
  if (field == "layout") {
    if (value != "NCHW" && value != "NHWC") {
      return Refuse(origin, field, value, "\"NCHW\" or \"NHWC\"");
    }
    how.channels_first = value == "NCHW";
    return absl::OkStatus();
  }
  return Refuse(origin, field, value,
                "no such field but resize, height, width, layout, mean and std");
}

// As many as tell it from any other float. JSON's readers make an integer of "-0".
std::string Digits(float value) {
  if (value == 0) return "0";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

}  // namespace

absl::StatusOr<Sidecar> ReadSidecar(const std::string& model_path) {
  const std::string beside = model_path + ".json";
  absl::StatusOr<std::string> text = ReadFile(beside, kMaxSidecarBytes);
  if (text.ok()) return Sidecar{beside, *std::move(text)};
  if (!absl::IsNotFound(text.status())) return text.status();
  const std::string instead = NewSidecarPath(model_path);
  CLEAVE_ASSIGN_OR_RETURN(text, ReadFile(instead, kMaxSidecarBytes));
  return Sidecar{instead, *std::move(text)};
}

std::string NewSidecarPath(const std::string& model_path) {
  return std::filesystem::path(model_path).replace_extension(".json").string();
}

absl::StatusOr<Preprocessing> Preprocessing::FromJson(absl::string_view json,
                                                      const std::string& origin,
                                                      Preprocessing defaults) {
  const Json root = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    return FieldError(origin, "no JSON object", "{\"preprocessing\": {..}}");
  }
  const auto section = root.find("preprocessing");
  if (section == root.end()) {
    return absl::NotFoundError(absl::StrCat(origin, ": has no field preprocessing"));
  }
  if (!section->is_object()) {
    return FieldError(absl::StrCat(origin, ": preprocessing"), section->type_name(), "an object");
  }
  Preprocessing how = defaults;
  for (const auto& [field, value] : section->items()) {
    CLEAVE_RETURN_IF_ERROR(ReadField(origin, field, value, how));
  }
  if (const absl::Status valid = how.Validate(); !valid.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": ", valid.message()));
  }
  return how;
}

absl::StatusOr<Preprocessing> Preprocessing::FromSidecar(const std::string& model_path,
                                                         Preprocessing defaults) {
  CLEAVE_ASSIGN_OR_RETURN(const Sidecar sidecar, ReadSidecar(model_path));
  return FromJson(sidecar.text, sidecar.path, defaults);
}

std::string Preprocessing::ToJson() const {
  const auto triple = [](const std::array<float, 3>& values) {
    return absl::StrCat("[", Digits(values[0]), ", ", Digits(values[1]), ", ", Digits(values[2]),
                        "]");
  };
  return absl::StrCat("{\"preprocessing\": {\"resize\": ", resize, ", \"height\": ", height,
                      ", \"width\": ", width, ", \"layout\": \"", channels_first ? "NCHW" : "NHWC",
                      "\", \"mean\": ", triple(mean), ", \"std\": ", triple(deviation), "}}\n");
}

}  // namespace cleave
