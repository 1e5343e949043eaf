#ifndef CLEAVE_CODEC_PICTURE_FOLDERS_H_
#define CLEAVE_CODEC_PICTURE_FOLDERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cleave {

inline constexpr std::int64_t kMaxPictureBytes = std::int64_t{1} << 28;  // Of a picture's file.

struct PictureFile {
  std::string path;
  int label = 0;  // Place in PictureFolders::classes.
};

struct PictureFolders {
  std::vector<std::string> classes;
  std::vector<PictureFile> train;  // Class by class, in order of the names; `test` as well.
  std::vector<PictureFile> test;
};

// Lists DIR/{train,test}/CLASS/*.jpg (.jpeg, .png), 2 to 256 classes in order of their names, the
// same in both, a million pictures at most in each. Errors name the folder, what was found and what
// was expected.
absl::StatusOr<PictureFolders> ListPictureFolders(const std::string& folder);

}  // namespace cleave

#endif  // CLEAVE_CODEC_PICTURE_FOLDERS_H_
