#include <glob.h>

#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "device/local_model.h"
#include "device/options.h"
#include "device/plan_table.h"
#include "profile/slowdown.h"
#include "world/environment_file.h"

namespace cleave::world {
namespace {

constexpr std::int64_t kMostFileBytes = 4 << 20;
constexpr std::size_t kMostTraces = 10'000;

using Paths = std::vector<std::string>;

// What the patterns match below a folder, each pattern's files in order of their names.
absl::StatusOr<Paths> Matches(const std::filesystem::path& folder, const Paths& patterns) {
  Paths paths;
  for (const std::string& pattern : patterns) {
    glob_t found{};
    const int failed = glob((folder / pattern).c_str(), 0, nullptr, &found);
    for (std::size_t i = 0; failed == 0 && i < found.gl_pathc; ++i) {
      paths.emplace_back(found.gl_pathv[i]);
    }
    globfree(&found);
    if (failed != 0) {
      return absl::NotFoundError(
          absl::StrCat((folder / pattern).string(),
                       ": found no such file, expected a trace at least (--traces-dir DIR says "
                       "where traces are)"));
    }
    if (paths.size() > kMostTraces) {
      return FieldError(pattern, absl::StrCat(paths.size(), " traces"),
                        absl::StrCat("at most ", kMostTraces));
    }
  }
  return paths;
}

struct TracePaths {
  Paths up;
  Paths down;
};

absl::StatusOr<TracePaths> FindTraces(const std::filesystem::path& folder,
                                      const EnvironmentFile::Traces& traces) {
  TracePaths paths;
  CLEAVE_ASSIGN_OR_RETURN(paths.up, Matches(folder, traces.up));
  CLEAVE_ASSIGN_OR_RETURN(paths.down, Matches(folder, traces.down));
  if (paths.down.empty() || paths.down.size() == paths.up.size()) return paths;
  return FieldError("link.down", absl::StrCat(paths.down.size(), " traces"),
                    absl::StrCat(paths.up.size(), " as up has, or none"));
}

// A trace that training saw is no test.
absl::Status CheckApart(const Paths& training, const Paths& held_out) {
  std::set<std::string> seen;
  for (const std::string& path : training) seen.insert(std::filesystem::weakly_canonical(path));
  for (const std::string& path : held_out) {
    if (!seen.contains(std::filesystem::weakly_canonical(path))) continue;
    return FieldError("link.held_out", path, "none that training has");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Trace>> LoadTrace(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(Trace trace, Trace::Load(path));
  return std::make_shared<const Trace>(std::move(trace));
}

absl::StatusOr<std::vector<TracePair>> LoadTraces(const std::filesystem::path& folder,
                                                  const EnvironmentFile& file,
                                                  const TraceSource& source) {
  if (file.options.world.link.kind != LinkKind::kTraces) return std::vector<TracePair>();
  CLEAVE_ASSIGN_OR_RETURN(const TracePaths training, FindTraces(folder, file.training));
  CLEAVE_ASSIGN_OR_RETURN(const TracePaths held_out, FindTraces(folder, file.held_out));
  CLEAVE_RETURN_IF_ERROR(CheckApart(training.up, held_out.up));
  CLEAVE_RETURN_IF_ERROR(CheckApart(training.down, held_out.down));
  const TracePaths& paths = source.part == TracePart::kTraining ? training : held_out;
  std::vector<TracePair> pairs;
  for (std::size_t i = 0; i < paths.up.size(); ++i) {
    TracePair& pair = pairs.emplace_back();
    pair.name = paths.up[i];
    CLEAVE_ASSIGN_OR_RETURN(pair.up, LoadTrace(paths.up[i]));
    if (paths.down.empty()) continue;
    CLEAVE_ASSIGN_OR_RETURN(pair.down, LoadTrace(paths.down[i]));
  }
  return pairs;
}

absl::StatusOr<std::shared_ptr<const Profile>> LoadEdgeProfile(const std::string& path,
                                                               const LocalExit& exit,
                                                               const std::string& digest) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string json, ReadFile(path, kMostFileBytes));
  CLEAVE_ASSIGN_OR_RETURN(Profile profile, Profile::FromJson(json, path));
  const ProfileKey& key = profile.key();
  if (key.model_digest == digest && key.exit == exit.model.exit() && !profile.empty()) {
    return std::make_shared<const Profile>(std::move(profile));
  }
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": found a profile of exit ", key.exit, " of model ", key.model_digest,
                   ", expected one of exit ", exit.model.exit(), " of model ", digest));
}

// What an edge with the same model offers.
absl::StatusOr<EdgeOffer> OfferOf(const std::filesystem::path& folder, const EnvironmentFile& file,
                                  const LocalModel& model) {
  const std::size_t profiles = file.edge_profiles.size();
  if (profiles > 0 && profiles != model.exits.size()) {
    return FieldError("model.edge_profiles", profiles,
                      absl::StrCat(model.exits.size(), ", one for each exit"));
  }
  EdgeOffer offer;
  for (std::size_t i = 0; i < model.exits.size(); ++i) {
    EdgeOffer::Exit& exit = offer.exits.emplace_back();
    const std::vector<int>& candidates = model.exits[i].model.candidates;
    exit.cuts.assign(candidates.begin(), candidates.end() - 1);
    if (profiles == 0) continue;
    CLEAVE_ASSIGN_OR_RETURN(exit.profile, LoadEdgeProfile(folder / file.edge_profiles[i],
                                                          model.exits[i], model.graph->digest()));
  }
  return offer;
}

DeviceOptions OptionsOf(const std::filesystem::path& folder, const EnvironmentFile& file) {
  DeviceOptions options;
  options.plans.cuts = file.cuts;
  options.plans.encodings = file.encodings;
  options.runtime.batch = file.batch;
  options.runtime.threads = file.threads;
  if (!file.device_profile.empty()) options.runtime.profile = folder / file.device_profile;
  return options;
}

absl::StatusOr<PlanTableTerms> TermsOf(const EnvironmentFile& file, const LocalModel& model,
                                       const DeviceOptions& options) {
  PlanTableTerms terms;
  terms.batch = file.batch;
  terms.picture_bytes = file.picture_bytes * static_cast<double>(file.batch);
  if (file.picture_us > 0) {
    terms.encode.LearnPicture(file.picture_us, 1);
  } else {
    SlowdownTracker slowdown;
    const LocalExit& main = model.main();
    slowdown.Add(main.TimeUs(0, main.model.last_cut(), model.shapes()), model.warm_run_us, 0);
    terms.encode.LearnPicture(model.picture_us, slowdown.factor());
  }
  CLEAVE_ASSIGN_OR_RETURN(terms.encodings, EncodingsOf(options.plans));
  return terms;
}

absl::StatusOr<std::unique_ptr<SimulatedEnvironment>> Open(
    const std::string& path, const TraceSource& traces,
    const std::function<void(const std::string&, double)>& on_progress) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMostFileBytes));
  CLEAVE_ASSIGN_OR_RETURN(EnvironmentFile file, EnvironmentFile::Parse(text, path));
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  LinkOptions& link = file.options.world.link;
  if (traces.given.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(
        link.traces,
        LoadTraces(traces.folder.empty() ? folder : std::filesystem::path(traces.folder), file,
                   traces));
  } else {
    link.kind = LinkKind::kTraces;
    link.traces = traces.given;
  }
  DeviceOptions options = OptionsOf(folder, file);
  options.on_progress = on_progress;
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_ASSIGN_OR_RETURN(const LocalModel model, LocalModel::Load(folder / file.model, options));
  CLEAVE_ASSIGN_OR_RETURN(const EdgeOffer offer, OfferOf(folder, file, model));
  CLEAVE_ASSIGN_OR_RETURN(const PlanTableTerms terms, TermsOf(file, model, options));
  return SimulatedEnvironment::Create(MakePlanTable(model, &offer, terms), model.graph->digest(),
                                      file.options);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SimulatedEnvironment>> OpenEnvironment(
    const std::string& path, const TraceSource& traces,
    const std::function<void(const std::string&, double)>& on_progress) {
  absl::StatusOr<std::unique_ptr<SimulatedEnvironment>> environment =
      Open(path, traces, on_progress);
  if (environment.ok()) return environment;
  const absl::Status& status = environment.status();
  if (status.message().find(path) != std::string::npos) return status;
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

}  // namespace cleave::world
