#include "codec/filter_file.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/file.h"
#include "core/json_section.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Json = nlohmann::ordered_json;

constexpr absl::string_view kFormat = "cleave-filter-1";
constexpr std::int64_t kMaxFileBytes = std::int64_t{1} << 26;

Tensor Floats(Shape shape, const std::vector<float>& values) {
  return Tensor::FromFloats(std::move(shape), values).value();
}

// What the JSON of a file says.
struct Described {
  FilterFile::About about;
  NeuralFilterParameters parameters;  // Without its weights.
};

void ReadCounts(JsonSection& section, absl::string_view of, std::int64_t& count,
                absl::string_view part_name, std::int64_t& part) {
  section.Whole(of, count);
  section.Whole(part_name, part);
  if (count < 0) section.Fail(of, absl::StrCat(count), "at least 0");
  if (part < 0 || part > count) {
    section.Fail(part_name, absl::StrCat(part), absl::StrCat("0 to ", count));
  }
}

void ReadThreshold(JsonSection section, FilterThreshold& to) {
  section.Number("logit", to.logit);
  ReadCounts(section, "occupied", to.occupied, "lost", to.lost);
  ReadCounts(section, "empty", to.empty, "spared", to.spared);
  section.Finish();
}

absl::StatusOr<Described> Describe(const std::string& json, const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::Parse(json, origin + ": filter"));
  JsonSection root = document.Root();
  Described described;
  FilterFile::About& about = described.about;
  root.Whole("cut", 0, 1 << 24, about.cut);
  std::set<std::string> names;
  for (JsonSection& tensor : root.Sections("tensors", 1, kMostFilterTensors, "tensors")) {
    std::string name;
    int channels = 0;
    tensor.Text("name", name);
    tensor.Whole("channels", 1, kMostFilterChannels, channels);
    tensor.Finish();
    if (!names.insert(name).second) tensor.Fail("name", "a tensor twice", "each tensor once");
    about.tensors.push_back(std::move(name));
    described.parameters.channels.push_back(channels);
  }
  root.Whole("side", 1, kMostFilterSide, described.parameters.side);
  root.Whole("units", 0, kMostFilterUnits, described.parameters.units);
  root.Number("score_threshold", about.score_threshold);
  if (!(about.score_threshold >= 0 && about.score_threshold <= 1)) {
    root.Fail("score_threshold", absl::StrCat(about.score_threshold), "0 to 1");
  }
  ReadThreshold(root.Section("threshold"), about.threshold);
  root.Finish();
  CLEAVE_RETURN_IF_ERROR(document.status());
  return described;
}

}  // namespace

std::string FilterFile::PathFor(const std::string& model_path) {
  return PathBeside(model_path, "filter");
}

std::string FilterFile::Write(const About& about, const NeuralFilterParameters& parameters) {
  Json tensors = Json::array();
  for (std::size_t i = 0; i < about.tensors.size(); ++i) {
    tensors.push_back({{"name", about.tensors[i]}, {"channels", parameters.channels[i]}});
  }
  const FilterThreshold& threshold = about.threshold;
  const Json json = {{"cut", about.cut},
                     {"tensors", std::move(tensors)},
                     {"side", parameters.side},
                     {"units", parameters.units},
                     {"score_threshold", about.score_threshold},
                     {"threshold",
                      {{"logit", threshold.logit},
                       {"occupied", threshold.occupied},
                       {"lost", threshold.lost},
                       {"empty", threshold.empty},
                       {"spared", threshold.spared}}}};
  const auto units = static_cast<std::int64_t>(parameters.units);
  const auto features = static_cast<std::int64_t>(parameters.features());
  Safetensors file;
  AddAbout(kFormat, about.fitted, file);
  file.metadata["filter"] = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  file.tensors.emplace("unit_weight", Floats({units, features}, parameters.unit_weight));
  file.tensors.emplace("unit_bias", Floats({units}, parameters.unit_bias));
  file.tensors.emplace("output_weight", Floats({units}, parameters.output_weight));
  file.tensors.emplace("direct_weight", Floats({features}, parameters.direct_weight));
  file.tensors.emplace("bias", Floats({1}, {parameters.bias}));
  return WriteSafetensors(file);
}

absl::StatusOr<std::shared_ptr<const FilterFile>> FilterFile::Read(absl::string_view bytes,
                                                                   const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const Safetensors contents, ReadSafetensors(bytes, origin));
  CLEAVE_ASSIGN_OR_RETURN(const FittedAbout fitted, ReadAbout(contents, kFormat, origin));
  CLEAVE_ASSIGN_OR_RETURN(const std::string json, MetadataText(contents, "filter", origin));
  CLEAVE_ASSIGN_OR_RETURN(Described described, Describe(json, origin));
  described.about.fitted = fitted;
  NeuralFilterParameters& to = described.parameters;
  const auto units = static_cast<std::int64_t>(to.units);
  const auto features = static_cast<std::int64_t>(to.features());
  const auto read = [&](const std::string& name, const Shape& shape) {
    return ValuesOf<float>(contents, name, shape, absl::StrCat(origin, ": ", name));
  };
  CLEAVE_ASSIGN_OR_RETURN(to.unit_weight, read("unit_weight", {units, features}));
  CLEAVE_ASSIGN_OR_RETURN(to.unit_bias, read("unit_bias", {units}));
  CLEAVE_ASSIGN_OR_RETURN(to.output_weight, read("output_weight", {units}));
  CLEAVE_ASSIGN_OR_RETURN(to.direct_weight, read("direct_weight", {features}));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<float> bias, read("bias", {1}));
  to.bias = bias.front();
  absl::StatusOr<NeuralFilter> filter = NeuralFilter::Create(std::move(to));
  if (!filter.ok()) {
    return absl::Status(filter.status().code(),
                        absl::StrCat(origin, ": ", filter.status().message()));
  }
  return std::shared_ptr<const FilterFile>(
      new FilterFile(std::move(described.about), *std::move(filter)));
}

absl::StatusOr<std::shared_ptr<const FilterFile>> FilterFile::Load(const std::string& path,
                                                                   const std::string& model_path,
                                                                   absl::string_view model_digest) {
  const std::string file_path = path.empty() ? PathFor(model_path) : path;
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file_path, kMaxFileBytes));
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<const FilterFile> file, Read(bytes, file_path));
  CLEAVE_RETURN_IF_ERROR(CheckModel(file->about().fitted, model_digest, file_path,
                                    absl::StrCat("cleave filter fit ", model_path)));
  return file;
}

}  // namespace cleave
