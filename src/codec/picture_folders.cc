#include "codec/picture_folders.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/image_reader.h"
#include "core/status_macros.h"

namespace cleave {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMaxClasses = 256;
constexpr std::int64_t kMaxPictures = 1'000'000;

// Returns the sorted names in a folder: of its sub-folders, or of its pictures.
absl::StatusOr<std::vector<std::string>> List(const std::string& folder, bool folders) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code unknown;
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.')) continue;
    if (folders ? entry->is_directory(unknown) : HasImageEnding(entry->path().string()))
      names.push_back(name);
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(folder, ": cannot be read"));
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::vector<PictureFile>> ListPictures(const std::string& part,
                                                      const std::vector<std::string>& classes) {
  std::vector<PictureFile> pictures;
  for (std::size_t label = 0; label < classes.size(); ++label) {
    const std::string folder = absl::StrCat(part, "/", classes[label]);
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, List(folder, false));
    if (names.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(folder, ": found no picture, expected ", kImageEndings, " files"));
    }
    for (const std::string& name : names) {
      pictures.push_back({absl::StrCat(folder, "/", name), static_cast<int>(label)});
    }
  }
  if (static_cast<std::int64_t>(pictures.size()) > kMaxPictures) {
    return absl::ResourceExhaustedError(absl::StrCat(part, ": found ", pictures.size(),
                                                     " pictures, expected at most ", kMaxPictures));
  }
  return pictures;
}

}  // namespace

absl::StatusOr<PictureFolders> ListPictureFolders(const std::string& folder) {
  PictureFolders found;
  const std::string train = folder + "/train";
  const std::string test = folder + "/test";
  CLEAVE_ASSIGN_OR_RETURN(found.classes, List(train, true));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> tested, List(test, true));
  if (found.classes.size() < 2 || found.classes.size() > kMaxClasses) {
    return absl::InvalidArgumentError(absl::StrCat(train, ": found ", found.classes.size(),
                                                   " class folders, expected 2 to ", kMaxClasses));
  }
  if (found.classes != tested) {
    return absl::InvalidArgumentError(
        absl::StrCat(test, ": class folders: found ", absl::StrJoin(tested, ", "),
                     "; expected those of train: ", absl::StrJoin(found.classes, ", ")));
  }
  CLEAVE_ASSIGN_OR_RETURN(found.train, ListPictures(train, found.classes));
  CLEAVE_ASSIGN_OR_RETURN(found.test, ListPictures(test, found.classes));
  return found;
}

}  // namespace cleave
