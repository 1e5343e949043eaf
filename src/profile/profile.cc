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
#include "core/private_folder.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Json = nlohmann::ordered_json;

constexpr absl::string_view kFormat = "cleave-profile-1";

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

// Returns a field of a JSON object after checking its type.
template <typename T>
absl::StatusOr<T> Field(const Json& object, const char* name, const std::string& origin) {
  const auto found = object.find(name);
  if (found == object.end()) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": field '", name, "' is missing"));
  }
  const bool fits = std::is_same_v<T, std::string> ? found->is_string()
                    : std::is_same_v<T, double>    ? found->is_number()
                    : std::is_same_v<T, std::vector<int>>
                        ? found->is_array() &&
                              std::all_of(found->begin(), found->end(),
                                          [](const Json& item) { return item.is_number_integer(); })
                        : found->is_number_integer();
  if (!fits) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": field '", name, "': found ",
                                                   found->dump().substr(0, 60),
                                                   ", which is not of the type expected"));
  }
  return found->get<T>();
}

// Files of models without early exits may lack the field.
absl::StatusOr<int> ExitFromJson(const Json& json, const std::string& origin) {
  if (!json.contains("exit")) return 0;
  CLEAVE_ASSIGN_OR_RETURN(const std::int64_t exit, Field<std::int64_t>(json, "exit", origin));
  if (exit < 0 || exit > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": field 'exit': found ", exit, ", expected an exit's index"));
  }
  return static_cast<int>(exit);
}

absl::StatusOr<ProfileKey> KeyFromJson(const Json& json, const std::string& origin) {
  ProfileKey key;
  CLEAVE_ASSIGN_OR_RETURN(key.model_digest, Field<std::string>(json, "model_digest", origin));
  CLEAVE_ASSIGN_OR_RETURN(key.machine, Field<std::string>(json, "machine", origin));
  CLEAVE_ASSIGN_OR_RETURN(key.threads, Field<int>(json, "threads", origin));
  CLEAVE_ASSIGN_OR_RETURN(key.provider, Field<std::string>(json, "provider", origin));
  CLEAVE_ASSIGN_OR_RETURN(key.onnxruntime, Field<std::string>(json, "onnxruntime", origin));
  CLEAVE_ASSIGN_OR_RETURN(key.boundaries, Field<std::vector<int>>(json, "boundaries", origin));
  CLEAVE_ASSIGN_OR_RETURN(key.exit, ExitFromJson(json, origin));
  if (key.threads < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": field 'threads': found ", key.threads, ", expected at least 1"));
  }
  const bool ascending = std::adjacent_find(key.boundaries.begin(), key.boundaries.end(),
                                            std::greater_equal<int>()) == key.boundaries.end();
  if (key.boundaries.size() < 2 || !ascending) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": field 'boundaries': found ",
                                                   absl::StrJoin(key.boundaries, ",").substr(0, 60),
                                                   ", expected at least 2 cuts, ascending"));
  }
  return key;
}

absl::StatusOr<SegmentTime> SegmentFromJson(const Json& json, const std::string& origin) {
  SegmentTime time;
  CLEAVE_ASSIGN_OR_RETURN(time.median_us, Field<double>(json, "median_us", origin));
  CLEAVE_ASSIGN_OR_RETURN(time.spread, Field<double>(json, "spread", origin));
  CLEAVE_ASSIGN_OR_RETURN(time.runs, Field<int>(json, "runs", origin));
  if (!(time.median_us >= 0) || !std::isfinite(time.median_us) || time.median_us > 1e12) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": field 'median_us': found ",
                                                   time.median_us,
                                                   ", expected a time in microseconds"));
  }
  if (!(time.spread >= 0) || !std::isfinite(time.spread)) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": field 'spread': found ", time.spread,
                                                   ", expected a share of the median"));
  }
  if (time.runs < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": field 'runs': found ", time.runs, ", expected at least 1"));
  }
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
  const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": is no JSON object"));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::string format, Field<std::string>(json, "format", origin));
  if (format != kFormat) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": field 'format': found '", format, "', expected '", kFormat, "'"));
  }
  CLEAVE_ASSIGN_OR_RETURN(ProfileKey key, KeyFromJson(json, origin));
  const std::size_t segments = key.boundaries.size() - 1;
  Profile profile(std::move(key));
  const auto batches = json.find("batches");
  if (batches == json.end() || !batches->is_array() || batches->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": field 'batches': expected a list with at least one entry"));
  }
  for (const Json& entry : *batches) {
    CLEAVE_ASSIGN_OR_RETURN(const std::int64_t batch, Field<std::int64_t>(entry, "batch", origin));
    const auto list = entry.find("segments");
    if (batch < 1 || list == entry.end() || !list->is_array() || list->size() != segments) {
      return absl::InvalidArgumentError(absl::StrCat(origin, ": batch ", batch,
                                                     ": expected a batch of at least 1 with ",
                                                     segments, " segments"));
    }
    std::vector<SegmentTime> times;
    for (const Json& item : *list) {
      CLEAVE_ASSIGN_OR_RETURN(times.emplace_back(), SegmentFromJson(item, origin));
    }
    profile.SetBatch(batch, std::move(times));
  }
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
