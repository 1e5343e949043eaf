#ifndef CLEAVE_APP_CROPPED_PICTURES_H_
#define CLEAVE_APP_CROPPED_PICTURES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/preprocessing.h"

namespace cleave::app {

// A folder of pictures, each taken as a whole and in parts: few whole photographs show nothing that
// a detector knows.
struct CropOptions {
  std::string data;             // A folder of pictures, with or without folders in it.
  std::int64_t samples = 1000;  // Pictures, drawn with the seed, or all where there are fewer.
  std::int64_t crops = 9;       // Of each picture, besides the whole.
  std::uint64_t seed = 1;

  // At least 1 sample, and no negative number of crops; InvalidArgument names the field.
  absl::Status Validate() const;
};

// What a picture becomes: the model's input, of the whole picture or of a part of it.
struct CroppedPicture {
  Tensor input;
  bool whole = false;
};

// Immutable; thread-safe.
class CroppedPictures {
 public:
  // Finds the pictures. InvalidArgument for a folder without any; NotFound for none.
  static absl::StatusOr<CroppedPictures> Open(const CropOptions& options, const Preprocessing& how);

  // The files, sorted.
  const std::vector<std::string>& paths() const { return paths_; }

  // Returns the whole picture, and then its crops, whose sides are 0.15 to 1 of the picture's,
  // equally often in each octave, with the aspect ratio changed by up to 1.8, somewhere in it. The
  // same options give the same crops. Errors are those of reading a picture.
  struct Read {
    std::vector<CroppedPicture> pictures;
    std::string digest;  // SHA-256 of the file.
  };
  absl::StatusOr<Read> ReadPicture(std::size_t index) const;

 private:
  CroppedPictures(CropOptions options, const Preprocessing& how, std::vector<std::string> paths)
      : options_(std::move(options)), how_(how), paths_(std::move(paths)) {}

  CropOptions options_;
  Preprocessing how_;
  std::vector<std::string> paths_;
};

}  // namespace cleave::app

#endif  // CLEAVE_APP_CROPPED_PICTURES_H_
