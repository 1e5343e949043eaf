#include "codec/sidecar.h"

#include <array>
#include <charconv>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/preprocessing.h"
#include "core/check.h"
#include "core/file.h"
#include "core/json_name.h"
#include "core/json_section.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::int64_t kMaxSidecarBytes = std::int64_t{16} << 20;

void ReadSide(JsonSection& section, absl::string_view key, int& to) {
  if (section.Has(key)) section.Whole(key, 0, 2 * kMaxImageSide, to);
}

// One number for each of R, G and B.
void ReadTriple(JsonSection& section, absl::string_view key, std::array<float, 3>& to) {
  if (!section.Has(key)) return;
  std::vector<double> numbers(to.begin(), to.end());
  section.Numbers(key, to.size(), to.size(), numbers);
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(numbers[i]);
}

using Fit = Preprocessing::Fit;
using ChannelOrder = Preprocessing::ChannelOrder;
constexpr std::array<JsonName<Fit>, 3> kFits = {
    {{"crop", Fit::kCrop}, {"stretch", Fit::kStretch}, {"letterbox", Fit::kLetterbox}}};
constexpr std::array<JsonName<bool>, 2> kLayouts = {{{"NCHW", true}, {"NHWC", false}}};
constexpr std::array<JsonName<ChannelOrder>, 2> kChannelOrders = {
    {{"RGB", ChannelOrder::kRgb}, {"BGR", ChannelOrder::kBgr}}};
constexpr std::array<JsonName<DataType>, 3> kDatatypes = {
    {{"FP32", DataType::kFloat32}, {"FP16", DataType::kFloat16}, {"UINT8", DataType::kUint8}}};

void ReadScale(JsonSection& section, float& to) {
  if (!section.Has("scale")) return;
  double scale = to;
  section.Number("scale", scale);
  to = static_cast<float>(scale);
}

void ReadRevision(JsonSection& section, int& to) {
  if (!section.Has("revision")) return;
  int revision = kPixelRevision;
  section.Whole("revision", revision);
  if (revision != kPixelRevision) {
    section.Fail("revision", absl::StrCat(revision),
                 absl::StrCat(kPixelRevision, ", as this program makes pixels"));
  }
  to = revision;
}

// Returns as many digits as distinguish it from any other float. JSON's readers make an integer of
// "-0".
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
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::Parse(json, origin));
  JsonSection root = document.Root();
  if (!root.Has("preprocessing")) {
    return absl::NotFoundError(absl::StrCat(origin, ": has no field preprocessing"));
  }
  JsonSection section = root.Section("preprocessing");
  Preprocessing how = defaults;
  ReadName(section, "datatype", kDatatypes, how.datatype);
  if (how.datatype == DataType::kUint8 && defaults.datatype != DataType::kUint8) how.KeepValues();
  ReadName(section, "fit", kFits, how.fit);
  ReadSide(section, "resize", how.resize);
  ReadSide(section, "height", how.height);
  ReadSide(section, "width", how.width);
  if (section.Has("pad")) section.Whole("pad", 0, 255, how.pad);
  ReadName(section, "layout", kLayouts, how.channels_first);
  ReadName(section, "channel_order", kChannelOrders, how.channel_order);
  ReadScale(section, how.scale);
  ReadTriple(section, "mean", how.mean);
  ReadTriple(section, "std", how.deviation);
  ReadRevision(section, how.revision);
  section.Finish();
  CLEAVE_RETURN_IF_ERROR(document.status());
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
  return absl::StrCat("{\"preprocessing\": {\"fit\": \"", NameOf(kFits, fit),
                      "\", \"resize\": ", resize, ", \"height\": ", height, ", \"width\": ", width,
                      ", \"pad\": ", pad, ", \"layout\": \"", NameOf(kLayouts, channels_first),
                      "\", \"channel_order\": \"", NameOf(kChannelOrders, channel_order),
                      "\", \"scale\": ", Digits(scale), ", \"mean\": ", triple(mean),
                      ", \"std\": ", triple(deviation), ", \"datatype\": \"",
                      NameOf(kDatatypes, datatype), "\", \"revision\": ", revision, "}}\n");
}

}  // namespace cleave
