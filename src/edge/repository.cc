#include "edge/repository.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::vector<fs::path>> ModelsIn(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    if (entries->path().extension() == ".onnx") files.push_back(entries->path());
  }
  if (error) return absl::NotFoundError(absl::StrCat(folder.string(), ": ", error.message()));
  if (files.empty()) {
    return absl::NotFoundError(
        absl::StrCat(folder.string(), ": found no *.onnx file, expected one or more"));
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::StatusOr<std::map<std::string, fs::path>> FilesByName(const std::vector<std::string>& paths) {
  std::map<std::string, fs::path> by_name;
  for (const std::string& path : paths) {
    std::vector<fs::path> files = {path};
    std::error_code error;
    if (fs::is_directory(path, error)) {
      CLEAVE_ASSIGN_OR_RETURN(files, ModelsIn(path));
    }
    for (const fs::path& file : files) {
      const auto [place, added] = by_name.try_emplace(file.stem().string(), file);
      if (!added) {
        return absl::InvalidArgumentError(absl::StrCat("model '", place->first, "': found ",
                                                       place->second.string(), " and ",
                                                       file.string(), ", expected one file"));
      }
    }
  }
  return by_name;
}

absl::Status Naming(const absl::Status& status, const std::string& file) {
  if (status.ok() || status.message().find(file) != absl::string_view::npos) return status;
  return {status.code(), absl::StrCat(file, ": ", status.message())};
}

}  // namespace

Repository::Repository(CandidateSpec cuts, RuntimeOptions runtime, Progress on_progress)
    : cuts_(cuts), runtime_(std::move(runtime)), on_progress_(std::move(on_progress)) {}

absl::Status Repository::Load(const std::vector<std::string>& paths) {
  CLEAVE_ASSIGN_OR_RETURN(const auto files, FilesByName(paths));
  for (const auto& [name, file] : files) {
    const absl::StatusOr<std::shared_ptr<const Graph>> graph = Graph::Load(file.string());
    CLEAVE_RETURN_IF_ERROR(Naming(graph.status(), file.string()));
    CLEAVE_RETURN_IF_ERROR(Naming(Add(name, *graph), file.string()));
  }
  return absl::OkStatus();
}

absl::Status Repository::Add(const std::string& name, const std::shared_ptr<const Graph>& graph) {
  ServedModel::Options options{cuts_, runtime_, {}};
  if (on_progress_) {
    options.on_progress = [&](int done, int total) { on_progress_(name, done, total); };
  }
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<const ServedModel> model,
                          ServedModel::Create(name, graph, options));
  const absl::MutexLock lock(&mutex_);
  if (!models_.try_emplace(name, std::move(model)).second) {
    return absl::AlreadyExistsError(absl::StrCat("model '", name, "' is served already"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const ServedModel>> Repository::Find(const std::string& name) const {
  const absl::MutexLock lock(&mutex_);
  const auto found = models_.find(name);
  if (found != models_.end()) return found->second;
  return absl::NotFoundError(
      absl::StrCat("found model '", name.substr(0, 256), "', expected one of ",
                   absl::StrJoin(models_, ", ", [](std::string* out, const auto& entry) {
                     absl::StrAppend(out, entry.first);
                   })));
}

std::vector<std::shared_ptr<const ServedModel>> Repository::All() const {
  const absl::MutexLock lock(&mutex_);
  std::vector<std::shared_ptr<const ServedModel>> all;
  for (const auto& [name, model] : models_) all.push_back(model);
  return all;
}

}  // namespace cleave
