#ifndef CLEAVE_EDGE_REPOSITORY_H_
#define CLEAVE_EDGE_REPOSITORY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "edge/served_model.h"

namespace cleave {

// Holds the models of an edge by name. Thread-safe.
class Repository {
 public:
  // Called with the model, its segments that are built, and all its segments.
  using Progress = std::function<void(const std::string&, int, int)>;

  // Called with a file before it is loaded; an error refuses it.
  using Check = std::function<absl::Status(const std::string&)>;

  struct Options {
    CandidateSpec cuts;
    RuntimeOptions runtime;
    // By the name of an input: the shape at which models with such an input are loaded.
    std::map<std::string, Shape> shapes;
    Progress on_progress;
    Check before_load;
  };

  explicit Repository(Options options) : options_(std::move(options)) {}

  // Loads these files, and of folders every *.onnx file, whose name without the extension is the
  // model's. A folder NAME in it that holds folders of versions, as Triton has them, is a model of
  // that name: NAME/1/model.onnx, of the greatest number. Errors name the file; two files of one
  // name are InvalidArgument. A file of a folder that does not load is no error as long as another
  // model does: it is among Refused() then.
  absl::Status Load(const std::vector<std::string>& paths);

  // Loads the file of this model anew, from where Load found it or would find it now, and puts it
  // in the place of what is served; whoever has that keeps it. NotFound where there is no such
  // file; the errors of a model that does not load, which change nothing.
  absl::Status Reload(const std::string& name);
  // From now on it is not served, until Reload or Add. NotFound where it is not.
  absl::Status Unload(const std::string& name);
  // The models that are served, and those that could be, with what keeps them from it.
  std::vector<ModelIndexEntry> Index() const;

  // The models of folders that did not load, by name, and why.
  std::map<std::string, absl::Status> Refused() const;
  // The models whose codec files cannot be used, and why; they are served without.
  std::map<std::string, absl::Status> RefusedCodecs() const;

  // Builds and adds a model of this name; `codecs` may be null. AlreadyExists when the name is
  // taken.
  absl::Status Add(const std::string& name, const std::shared_ptr<const Graph>& graph,
                   std::shared_ptr<const CodecFile> codecs = nullptr);

  // From now on the model is served with these codecs; runs under way keep what they have. The
  // errors of Find; FailedPrecondition for the codecs of another model.
  absl::Status SetCodecs(const std::string& name, std::shared_ptr<const CodecFile> codecs);

  // FailedPrecondition for the codecs of another model than that of this name; the errors of Find.
  absl::Status CheckCodecs(const std::string& name, const CodecFile& codecs) const;
  // From now on there is no model of this name; runs under way end as they would.
  void Remove(const std::string& name);
  // For how long the model of this name has not been asked for.
  std::int64_t IdleUs(const std::string& name) const;

  // The model of this name; NotFound lists the names that there are; FailedPrecondition says why
  // the model did not load, or that it was unloaded.
  absl::StatusOr<std::shared_ptr<const ServedModel>> Find(const std::string& name) const;
  std::vector<std::shared_ptr<const ServedModel>> All() const;

  const RuntimeOptions& runtime() const { return options_.runtime; }

 private:
  absl::StatusOr<std::shared_ptr<const ServedModel>> Build(
      const std::string& name, const std::shared_ptr<const Graph>& graph,
      std::shared_ptr<const CodecFile> codecs) const;
  absl::StatusOr<std::shared_ptr<const ServedModel>> BuildFile(const std::string& name,
                                                               const std::string& path);
  // AlreadyExists when the name is taken.
  absl::Status Serve(const std::string& name, const std::shared_ptr<const ServedModel>& model);
  absl::Status LoadFile(const std::string& name, const std::string& path);
  std::shared_ptr<const CodecFile> LoadCodecs(const std::string& name, const std::string& path,
                                              const std::string& digest);

  const Options options_;
  mutable absl::Mutex mutex_;
  std::vector<std::string> paths_ ABSL_GUARDED_BY(mutex_);  // Those of Load.
  std::map<std::string, std::shared_ptr<const ServedModel>> models_ ABSL_GUARDED_BY(mutex_);
  // By the steady clock, when each was asked for last.
  mutable std::map<std::string, std::int64_t> used_us_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> unloaded_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Status> refused_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Status> refused_codecs_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_REPOSITORY_H_
