#ifndef CLEAVE_CODEC_PICTURE_FOLDERS_H_
#define CLEAVE_CODEC_PICTURE_FOLDERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cleave {

// The size limit of a picture's file.
inline constexpr std::int64_t kMaxPictureBytes = std::int64_t{1} << 28;

struct PictureFile {
  std::string path;
  int label = 0;  // An index into PictureFolders::classes.
};

struct PictureFolders {
  std::vector<std::string> classes;
  // Both sets are ordered by class, and within a class by name.
  std::vector<PictureFile> train;
  std::vector<PictureFile> test;
};

// Lists DIR/{train,test}/CLASS/*.jpg (.jpeg, .png, .webp). There are 2 to 256 classes in the order
// of their names, the same in both sets, and at most a million pictures in each set. Errors name
// the folder, what was found and what was expected.
absl::StatusOr<PictureFolders> ListPictureFolders(const std::string& folder);

}  // namespace cleave

#endif  // CLEAVE_CODEC_PICTURE_FOLDERS_H_
