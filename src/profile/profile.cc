#include "profile/profile.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/file.h"
#include "core/json_section.h"
#include "core/private_folder.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Json = nlohmann::ordered_json;

constexpr absl::string_view kFormat = "cleave-profile-1";
constexpr double kMaxMedianUs = 1e12;
constexpr std::size_t kMaxBoundaries = 1'000'000;
constexpr std::size_t kMaxBatches = 1'000'000;

std::string MachineName() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::string line;
  std::string model = "unknown CPU";
  while (std::getline(cpuinfo, line)) {
    // On x86 the key is "model name"; boards with Arm cores have "Model" or at least "CPU part".
    const bool names_model = absl::StartsWith(line, "model name") ||
                             absl::StartsWith(line, "Model") || absl::StartsWith(line, "CPU part");
    const std::size_t colon = line.find(':');
    if (!names_model || colon == std::string::npos) continue;
    model = std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    if (!absl::StartsWith(line, "CPU part")) break;
  }
  return absl::StrCat(model, " x", std::thread::hardware_concurrency());
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

std::vector<std::int64_t> Profile::batches() const {
  std::vector<std::int64_t> batches;
  for (const auto& [batch, segments] : by_batch_) batches.push_back(batch);
  return batches;
}

bool Profile::HasBatch(std::int64_t batch) const { return by_batch_.contains(batch); }

void Profile::SetBatch(std::int64_t batch, std::vector<SegmentTime> segments) {
  by_batch_[batch] = std::move(segments);
}

double Profile::TimeUs(int from, int to, std::int64_t batch) const {
  const auto sum = [from, to](const std::vector<SegmentTime>& segments) {
    double us = 0;
    for (int i = from; i < to; ++i) us += segments[i].median_us;
    return us;
  };
  const auto above = by_batch_.lower_bound(batch);
  if (above != by_batch_.end() && above->first == batch) return sum(above->second);
  const auto scaled = [&](const auto& entry) {
    return sum(entry.second) * static_cast<double>(batch) / static_cast<double>(entry.first);
  };
  if (above == by_batch_.begin()) return scaled(*above);
  const auto below = std::prev(above);
  if (above == by_batch_.end()) return scaled(*below);
  const double share =
      static_cast<double>(batch - below->first) / static_cast<double>(above->first - below->first);
  return (1 - share) * sum(below->second) + share * sum(above->second);
}

std::string Profile::ToJson() const {
  Json batches = Json::array();
  for (const auto& [batch, segments] : by_batch_) {
    Json list = Json::array();
    for (const SegmentTime& time : segments) {
      list.push_back({{"median_us", time.median_us}, {"spread", time.spread}, {"runs", time.runs}});
    }
    batches.push_back({{"batch", batch}, {"segments", std::move(list)}});
  }
  const Json json = {{"format", std::string(kFormat)}, {"model_digest", key_.model_digest},
                     {"machine", key_.machine},        {"threads", key_.threads},
                     {"provider", key_.provider},      {"onnxruntime", key_.onnxruntime},
                     {"boundaries", key_.boundaries},  {"exit", key_.exit},
                     {"batches", std::move(batches)}};
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
       root.Sections("batches", 1, kMaxBatches, "objects of 'batch' and 'segments'")) {
    std::int64_t batch = 1;
    entry.Whole("batch", batch);
    if (batch < 1) entry.Fail("batch", absl::StrCat("batch ", batch), "at least 1");
    std::vector<SegmentTime> times;
    for (JsonSection& time : entry.Sections("segments", segments, segments, "segments")) {
      times.push_back(ReadSegment(time));
    }
    profile.SetBatch(batch, std::move(times));
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
  for (const auto& [batch, segments] : by_batch_) merged.SetBatch(batch, segments);
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
