#include "edge/repository.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/clock.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;

// A model's file, and whether the user named it or the folder that it is in.
struct ModelFile {
  enum class Given { kByName, kInFolder };
  std::string name;
  fs::path path;
  Given given = Given::kByName;
};

// The file of the greatest version in Triton's layout: FOLDER/3/model.onnx. Nothing where the
// folder has none.
std::optional<fs::path> NewestVersionIn(const fs::path& folder) {
  std::optional<fs::path> newest;
  std::int64_t newest_version = 0;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    std::int64_t version = 0;
    if (!absl::SimpleAtoi(entries->path().filename().string(), &version)) continue;
    const fs::path file = entries->path() / "model.onnx";
    std::error_code missing;
    if (version <= newest_version || !fs::is_regular_file(file, missing)) continue;
    newest_version = version;
    newest = file;
  }
  return newest;
}

absl::StatusOr<std::vector<ModelFile>> ModelsIn(const fs::path& folder) {
  using enum ModelFile::Given;
  std::vector<ModelFile> files;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path& path = entries->path();
    std::error_code missing;
    if (path.extension() == ".onnx") {
      files.push_back({path.stem().string(), path, kInFolder});
    } else if (fs::is_directory(path, missing)) {
      const std::optional<fs::path> newest = NewestVersionIn(path);
      if (newest) files.push_back({path.filename().string(), *newest, kInFolder});
    }
  }
  if (error) return absl::NotFoundError(absl::StrCat(folder.string(), ": ", error.message()));
  if (files.empty()) {
    return absl::NotFoundError(absl::StrCat(
        folder.string(), ": found no *.onnx file and no NAME/1/model.onnx, expected one or more"));
  }
  std::sort(files.begin(), files.end(),
            [](const ModelFile& a, const ModelFile& b) { return a.path < b.path; });
  return files;
}

absl::StatusOr<std::map<std::string, ModelFile>> FilesByName(
    const std::vector<std::string>& paths) {
  std::map<std::string, ModelFile> by_name;
  for (const std::string& path : paths) {
    std::vector<ModelFile> files = {{fs::path(path).stem().string(), path}};
    std::error_code error;
    if (fs::is_directory(path, error)) {
      CLEAVE_ASSIGN_OR_RETURN(files, ModelsIn(path));
    }
    for (const ModelFile& file : files) {
      const auto [place, added] = by_name.try_emplace(file.name, file);
      if (!added) {
        return absl::InvalidArgumentError(absl::StrCat("model '", place->first, "': found ",
                                                       place->second.path.string(), " and ",
                                                       file.path.string(), ", expected one file"));
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

absl::Status Repository::Load(const std::vector<std::string>& paths) {
  CLEAVE_ASSIGN_OR_RETURN(const auto files, FilesByName(paths));
  {
    const absl::MutexLock lock(&mutex_);
    paths_ = paths;
  }
  absl::Status first_refused;
  for (const auto& [name, file] : files) {
    absl::Status loaded = Naming(LoadFile(name, file.path.string()), file.path.string());
    if (loaded.ok()) continue;
    if (file.given == ModelFile::Given::kByName) return loaded;
    first_refused.Update(loaded);
    const absl::MutexLock lock(&mutex_);
    refused_[name] = loaded;
  }
  const absl::MutexLock lock(&mutex_);
  return models_.empty() ? first_refused : absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const ServedModel>> Repository::BuildFile(const std::string& name,
                                                                         const std::string& path) {
  if (options_.before_load) CLEAVE_RETURN_IF_ERROR(options_.before_load(path));
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> graph, Graph::Load(path));
  return Build(name, graph, LoadCodecs(name, path, graph->digest()));
}

absl::Status Repository::LoadFile(const std::string& name, const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const ServedModel> model, BuildFile(name, path));
  return Serve(name, model);
}

absl::Status Repository::Serve(const std::string& name,
                               const std::shared_ptr<const ServedModel>& model) {
  const absl::MutexLock lock(&mutex_);
  if (!models_.try_emplace(name, model).second) {
    return absl::AlreadyExistsError(absl::StrCat("model '", name, "' is served already"));
  }
  refused_.erase(name);
  unloaded_.erase(name);
  used_us_[name] = Clock::Steady().NowUs();
  return absl::OkStatus();
}

absl::Status Repository::Reload(const std::string& name) {
  std::vector<std::string> paths;
  {
    const absl::MutexLock lock(&mutex_);
    paths = paths_;
  }
  CLEAVE_ASSIGN_OR_RETURN(const auto files, FilesByName(paths));
  const auto file = files.find(name);
  if (file == files.end()) {
    return absl::NotFoundError(
        absl::StrCat("model '", name.substr(0, 256), "': found no file of it, expected one"));
  }
  const std::string path = file->second.path.string();
  absl::StatusOr<std::shared_ptr<const ServedModel>> model = BuildFile(name, path);
  if (!model.ok()) return Naming(model.status(), path);
  const absl::MutexLock lock(&mutex_);
  models_[name] = *std::move(model);
  refused_.erase(name);
  unloaded_.erase(name);
  used_us_[name] = Clock::Steady().NowUs();
  return absl::OkStatus();
}

absl::Status Repository::Unload(const std::string& name) {
  CLEAVE_RETURN_IF_ERROR(Find(name).status());
  const absl::MutexLock lock(&mutex_);
  models_.erase(name);
  used_us_.erase(name);
  unloaded_.insert(name);
  return absl::OkStatus();
}

std::vector<ModelIndexEntry> Repository::Index() const {
  std::map<std::string, std::string> problems;
  std::vector<std::string> paths;
  {
    const absl::MutexLock lock(&mutex_);
    paths = paths_;
  }
  if (const auto files = FilesByName(paths); files.ok()) {
    for (const auto& [name, file] : *files) problems[name] = "it was not loaded";
  }
  const absl::MutexLock lock(&mutex_);
  for (const auto& [name, why] : refused_) problems[name] = std::string(why.message());
  for (const std::string& name : unloaded_) problems[name] = "it was unloaded";
  for (const auto& [name, model] : models_) problems[name].clear();
  std::vector<ModelIndexEntry> index;
  index.reserve(problems.size());
  for (const auto& [name, problem] : problems) index.push_back({name, problem});
  return index;
}

std::shared_ptr<const CodecFile> Repository::LoadCodecs(const std::string& name,
                                                        const std::string& path,
                                                        const std::string& digest) {
  absl::StatusOr<std::shared_ptr<const CodecFile>> codecs = CodecFile::OfModel(path, digest);
  if (codecs.ok()) return *std::move(codecs);
  if (absl::IsNotFound(codecs.status())) return nullptr;
  const absl::MutexLock lock(&mutex_);
  refused_codecs_[name] = codecs.status();
  return nullptr;
}

std::map<std::string, absl::Status> Repository::RefusedCodecs() const {
  const absl::MutexLock lock(&mutex_);
  return refused_codecs_;
}

absl::Status Repository::CheckCodecs(const std::string& name, const CodecFile& codecs) const {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const ServedModel> model, Find(name));
  if (codecs.about().model_digest == model->digest()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("model '", name, "': found the codecs of a model of digest ",
                   codecs.about().model_digest, ", expected ", model->digest()));
}

void Repository::Remove(const std::string& name) {
  const absl::MutexLock lock(&mutex_);
  models_.erase(name);
  used_us_.erase(name);
}

std::int64_t Repository::IdleUs(const std::string& name) const {
  const absl::MutexLock lock(&mutex_);
  const auto used = used_us_.find(name);
  return used == used_us_.end() ? 0 : Clock::Steady().NowUs() - used->second;
}

absl::Status Repository::SetCodecs(const std::string& name,
                                   std::shared_ptr<const CodecFile> codecs) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const ServedModel> model, Find(name));
  CLEAVE_RETURN_IF_ERROR(CheckCodecs(name, *codecs));
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<const ServedModel> anew,
                          Build(name, model->graph(), std::move(codecs)));
  const absl::MutexLock lock(&mutex_);
  models_[name] = std::move(anew);
  return absl::OkStatus();
}

std::map<std::string, absl::Status> Repository::Refused() const {
  const absl::MutexLock lock(&mutex_);
  return refused_;
}

absl::StatusOr<std::shared_ptr<const ServedModel>> Repository::Build(
    const std::string& name, const std::shared_ptr<const Graph>& graph,
    std::shared_ptr<const CodecFile> codecs) const {
  ServedModel::Options how;
  how.codecs = std::move(codecs);
  how.cuts = options_.cuts;
  how.runtime = options_.runtime;
  for (const TensorSpec& input : graph->inputs()) {
    const auto shape = options_.shapes.find(input.name);
    if (shape != options_.shapes.end()) how.inputs.shapes.insert(*shape);
  }
  if (options_.on_progress) {
    how.on_progress = [&](int done, int total) { options_.on_progress(name, done, total); };
  }
  return ServedModel::Create(name, graph, how);
}

absl::Status Repository::Add(const std::string& name, const std::shared_ptr<const Graph>& graph,
                             std::shared_ptr<const CodecFile> codecs) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const ServedModel> model,
                          Build(name, graph, std::move(codecs)));
  return Serve(name, model);
}

absl::StatusOr<std::shared_ptr<const ServedModel>> Repository::Find(const std::string& name) const {
  const absl::MutexLock lock(&mutex_);
  const auto found = models_.find(name);
  if (found != models_.end()) {
    used_us_[name] = Clock::Steady().NowUs();
    return found->second;
  }
  if (unloaded_.contains(name)) {
    return absl::FailedPreconditionError(absl::StrCat("model '", name, "': it was unloaded"));
  }
  if (const auto refused = refused_.find(name); refused != refused_.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("model '", name, "' did not load: ", refused->second.message()));
  }
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
