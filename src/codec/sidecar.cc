#include "codec/sidecar.h"

#include <array>
#include <charconv>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/image.h"
#include "core/check.h"
#include "core/file.h"
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

void ReadLayout(JsonSection& section, bool& channels_first) {
  if (!section.Has("layout")) return;
  std::string layout = "NCHW";
  section.Text("layout", layout);
  if (layout != "NCHW" && layout != "NHWC") {
    section.Fail("layout", absl::StrCat("\"", layout.substr(0, 60), "\""), "\"NCHW\" or \"NHWC\"");
  }
  channels_first = layout == "NCHW";
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
  ReadSide(section, "resize", how.resize);
  ReadSide(section, "height", how.height);
  ReadSide(section, "width", how.width);
  ReadLayout(section, how.channels_first);
  ReadTriple(section, "mean", how.mean);
  ReadTriple(section, "std", how.deviation);
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
  return absl::StrCat("{\"preprocessing\": {\"resize\": ", resize, ", \"height\": ", height,
                      ", \"width\": ", width, ", \"layout\": \"", channels_first ? "NCHW" : "NHWC",
                      "\", \"mean\": ", triple(mean), ", \"std\": ", triple(deviation), "}}\n");
}

}  // namespace cleave
