#include "profile/profile.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/cpu_model.h"
#include "core/file.h"
#include "core/json_section.h"
#include "core/private_folder.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Json = nlohmann::ordered_json;

constexpr absl::string_view kFormat = "cleave-profile-2";
constexpr double kMaxMedianUs = 1e12;
constexpr std::size_t kMaxBoundaries = 1'000'000;
constexpr std::size_t kMaxPoints = 1'000'000;
constexpr std::size_t kMaxInputs = 65'536;
constexpr std::size_t kMaxRank = 64;

std::string MachineName() {
  return absl::StrCat(CpuModel().value_or("unknown CPU"), " x",
                      std::thread::hardware_concurrency());
}

ProfileKey ReadKey(JsonSection& section) {
  ProfileKey key;
  section.Text("model_digest", key.model_digest);
  section.Text("machine", key.machine);
  section.Whole("threads", 1, std::numeric_limits<int>::max(), key.threads);
  section.Text("provider", key.provider);
  section.Text("onnxruntime", key.onnxruntime);
  section.Wholes("boundaries", 2, kMaxBoundaries, key.boundaries);
  if (std::adjacent_find(key.boundaries.begin(), key.boundaries.end(), std::greater_equal<int>()) !=
      key.boundaries.end()) {
    section.Fail("boundaries", absl::StrJoin(key.boundaries, ",").substr(0, 60),
                 "cuts that ascend");
  }
  // Files of models without early exits may lack the field.
  if (section.Has("exit")) section.Whole("exit", 0, std::numeric_limits<int>::max(), key.exit);
  return key;
}

InputShapes ReadShapes(JsonSection& point) {
  InputShapes shapes;
  for (JsonSection& input : point.Sections("inputs", 1, kMaxInputs, "objects of 'shape'")) {
    std::vector<int> dimensions;
    input.Wholes("shape", 0, kMaxRank, dimensions);
    Shape shape(dimensions.begin(), dimensions.end());
    if (!ElementCount(shape).ok()) input.Fail("shape", ShapeString(shape), "a tensor's shape");
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

Json WriteShapes(const InputShapes& shapes) {
  Json inputs = Json::array();
  for (const Shape& shape : shapes) inputs.push_back({{"shape", shape}});
  return inputs;
}

SegmentTime ReadSegment(JsonSection& section) {
  SegmentTime time;
  section.Number("median_us", time.median_us);
  if (!(time.median_us >= 0 && time.median_us <= kMaxMedianUs)) {
    section.Fail("median_us", absl::StrCat(time.median_us), "a time in microseconds");
  }
  section.Number("spread", time.spread);
  if (!(time.spread >= 0 && std::isfinite(time.spread))) {
    section.Fail("spread", absl::StrCat(time.spread), "a share of the median");
  }
  section.Whole("runs", 1, std::numeric_limits<int>::max(), time.runs);
  return time;
}

absl::Status Compare(const std::string& origin, const char* field, const std::string& found,
                     const std::string& expected) {
  if (found == expected) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(origin, ": is the profile of another ", field,
                                                    ": found ", found, ", expected ", expected));
}

absl::Status CheckKey(const ProfileKey& found, const ProfileKey& expected,
                      const std::string& origin) {
  CLEAVE_RETURN_IF_ERROR(Compare(origin, "model", found.model_digest, expected.model_digest));
  CLEAVE_RETURN_IF_ERROR(Compare(origin, "machine", found.machine, expected.machine));
  CLEAVE_RETURN_IF_ERROR(Compare(origin, "number of threads", absl::StrCat(found.threads),
                                 absl::StrCat(expected.threads)));
  CLEAVE_RETURN_IF_ERROR(Compare(origin, "provider", found.provider, expected.provider));
  CLEAVE_RETURN_IF_ERROR(Compare(origin, "ONNX Runtime", found.onnxruntime, expected.onnxruntime));
  CLEAVE_RETURN_IF_ERROR(
      Compare(origin, "exit", absl::StrCat(found.exit), absl::StrCat(expected.exit)));
  return Compare(origin, "set of cuts", absl::StrJoin(found.boundaries, ","),
                 absl::StrJoin(expected.boundaries, ","));
}

}  // namespace

ProfileKey MakeProfileKey(const Chain& chain, const RuntimeOptions& options) {
  return {chain.graph().digest(),      MachineName(),        options.threads,
          options.provider.ToString(), OnnxRuntimeVersion(), chain.boundaries(),
          chain.graph().exit()};
}

void Profile::Set(const InputShapes& shapes, std::vector<SegmentTime> segments) {
  by_shapes_[shapes] = std::move(segments);
}

void Profile::Merge(const Profile& other) {
  for (const auto& [shapes, segments] : other.by_shapes_) by_shapes_[shapes] = segments;
}

std::vector<Profile::Point> Profile::Points() const {
  std::vector<Point> points;
  for (const auto& [shapes, segments] : by_shapes_) points.push_back({shapes, segments});
  std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return InputElements(a.shapes) < InputElements(b.shapes);
  });
  return points;
}

double Profile::TimeUs(int from, int to, const InputShapes& shapes) const {
  const auto sum = [from, to](const std::vector<SegmentTime>& segments) {
    double us = 0;
    for (int i = from; i < to; ++i) us += segments[i].median_us;
    return us;
  };
  if (const auto measured = by_shapes_.find(shapes); measured != by_shapes_.end()) {
    return sum(measured->second);
  }
  const auto elements = static_cast<double>(InputElements(shapes));
  // The nearest points, and how many elements they have.
  using Near = std::pair<double, const std::vector<SegmentTime>*>;
  std::optional<Near> below;
  std::optional<Near> above;
  for (const auto& [measured, segments] : by_shapes_) {
    const auto here = static_cast<double>(InputElements(measured));
    if (here <= elements && (!below || here > below->first)) below = {here, &segments};
    if (here >= elements && (!above || here < above->first)) above = {here, &segments};
  }
  if (!below || !above) {
    const Near& near = below ? *below : *above;
    return sum(*near.second) * (near.first > 0 ? elements / near.first : 1);
  }
  if (above->first <= below->first) return sum(*below->second);
  const double share = (elements - below->first) / (above->first - below->first);
  return (1 - share) * sum(*below->second) + share * sum(*above->second);
}

std::string Profile::ToJson() const {
  Json points = Json::array();
  for (const Point& point : Points()) {
    Json list = Json::array();
    for (const SegmentTime& time : point.segments) {
      list.push_back({{"median_us", time.median_us}, {"spread", time.spread}, {"runs", time.runs}});
    }
    points.push_back({{"inputs", WriteShapes(point.shapes)}, {"segments", std::move(list)}});
  }
  const Json json = {{"format", std::string(kFormat)}, {"model_digest", key_.model_digest},
                     {"machine", key_.machine},        {"threads", key_.threads},
                     {"provider", key_.provider},      {"onnxruntime", key_.onnxruntime},
                     {"boundaries", key_.boundaries},  {"exit", key_.exit},
                     {"points", std::move(points)}};
  return json.dump(1) + "\n";
}

absl::StatusOr<Profile> Profile::FromJson(absl::string_view text, const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document,
                          JsonDocument::Parse(text, origin, JsonDocument::Names::kQuoted));
  JsonSection root = document.Root();
  std::string format(kFormat);
  root.Text("format", format);
  if (format != kFormat) {
    root.Fail("format", absl::StrCat("'", format, "'"), absl::StrCat("'", kFormat, "'"));
  }
  ProfileKey key = ReadKey(root);
  const std::size_t segments = key.boundaries.empty() ? 0 : key.boundaries.size() - 1;
  Profile profile(std::move(key));
  for (JsonSection& entry :
       root.Sections("points", 1, kMaxPoints, "objects of 'inputs' and 'segments'")) {
    const InputShapes shapes = ReadShapes(entry);
    std::vector<SegmentTime> times;
    for (JsonSection& time : entry.Sections("segments", segments, segments, "segments")) {
      times.push_back(ReadSegment(time));
    }
    profile.Set(shapes, std::move(times));
  }
  CLEAVE_RETURN_IF_ERROR(document.status());
  return profile;
}

absl::Status Profile::Save(const std::string& path) const {
  return WriteFileAtomically(path, ToJson());
}

absl::Status Profile::SaveMerged(const std::string& path) const {
  // A file that is missing, damaged or of another key is replaced.
  Profile merged = Load(path, key_).value_or(Profile(key_));
  merged.Merge(*this);
  return merged.Save(path);
}

absl::StatusOr<Profile> Profile::Load(const std::string& path, const ProfileKey& expected) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, std::int64_t{64} << 20));
  CLEAVE_ASSIGN_OR_RETURN(Profile profile, FromJson(text, path));
  CLEAVE_RETURN_IF_ERROR(CheckKey(profile.key(), expected, path));
  return profile;
}

std::string ProfileCachePath(const ProfileKey& key) {
  const std::string rest = absl::StrCat(key.machine, "|", key.threads, "|", key.provider, "|",
                                        key.onnxruntime, "|", absl::StrJoin(key.boundaries, ","),
                                        key.exit == 0 ? "" : absl::StrCat("|", key.exit));
  return absl::StrCat(CacheDir(), "/profiles/", key.model_digest.substr(0, 16), "-",
                      Sha256Hex(rest).substr(0, 12), ".json");
}

absl::StatusOr<Profile> LoadCachedProfile(const ProfileKey& key) {
  CLEAVE_RETURN_IF_ERROR(CheckPrivateFolder(CacheDir()));
  return Profile::Load(ProfileCachePath(key), key);
}

absl::Status SaveCachedProfile(const Profile& profile) {
  CLEAVE_RETURN_IF_ERROR(MakePrivateFolder(CacheDir()));
  return profile.SaveMerged(ProfileCachePath(profile.key()));
}

}  // namespace cleave
