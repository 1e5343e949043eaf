#ifndef CLEAVE_APP_INPUT_SOURCE_H_
#define CLEAVE_APP_INPUT_SOURCE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/input_preprocessing.h"

namespace cleave::app {

// Which frame gives way where a video is faster than the inferences.
enum class DropRule : std::uint8_t {
  kNone,    // None does: the video waits.
  kOldest,  // The one that waits: the newest frame is next.
  kNewest,  // The one that comes.
};

struct VideoOptions {
  // Nothing: kOldest for a camera, and for a file in real time; kNone else.
  std::optional<DropRule> drop;
  bool real_time = false;  // A file plays at its own rate, as a camera would.
};

struct InputOptions {
  // One of: {"random"}; a video (video/frame_reader.h); files and folders (their *.jpg, *.jpeg,
  // *.png, *.webp and *.npy, sorted) for a model with one input; NAME=FILE.npy for each input of a
  // model.
  std::vector<std::string> sources = {"random"};
  std::int64_t batch = 1;
  // The model's inputs as they are for random tensors and pictures, every dimension known; empty:
  // as the model has them, with this batch as the first dimension.
  std::vector<TensorSpec> resolved;
  // By input: the dimension that counts a batch's items; empty: the first of each.
  std::vector<std::optional<int>> batch_axes;
  std::uint64_t seed = 1;
  // Whose sidecar tells how to prepare images, and which tells what values its inputs may have.
  std::string model_path;
  PreprocessingFlags flags;
  VideoOptions video;
};

struct PictureFile {
  std::string path;
  std::string bytes;
  // When the frame of a video is shown, after its first.
  std::optional<std::int64_t> time_us = std::nullopt;
};

// Batches of model inputs out of files, over and over. An image, and a .npy without the batch
// dimension, is one item; a .npy with it is one item for each row, where the batch is the first
// dimension, and else one item; a batch is `batch` items in
// order, starting again at the first. Files are read when their turn comes and kept while they fit
// 256 MiB together. Thread-compatible.
class InputSource {
 public:
  // Errors name the source, what was found and what was expected. A folder without inputs is one.
  static absl::StatusOr<std::unique_ptr<InputSource>> Open(const std::vector<TensorSpec>& inputs,
                                                           const InputOptions& options);
  virtual ~InputSource() = default;

  virtual absl::StatusOr<std::vector<NamedTensor>> Next() = 0;

  // Whether every item is a picture's file; NextPictures then gives the next batch as these files,
  // not decoded, in place of Next.
  virtual bool pictures() const { return false; }
  virtual absl::StatusOr<std::vector<PictureFile>> NextPictures();

  // What the items of the batch that Next or NextPictures gave last are called, in their order: the
  // file, with "[ROW]" behind it where that holds several. Empty where they have no names.
  virtual std::vector<std::string> names() const { return {}; }

  // Batches until every item has been seen once; nothing where that is not known before:
  // NextPictures tells the end by OutOfRange then, and gives no picture at all where none came for
  // a while.
  virtual std::optional<std::int64_t> batches() const = 0;

  // Frames that were left out, since the inferences are slower than the video.
  virtual std::int64_t dropped() const { return 0; }
};

// The shapes of the inputs that are given as NAME=FILE.npy, by name; what does not read as such is
// left to Open.
std::map<std::string, Shape> ShapesOfNamedInputs(const std::vector<std::string>& sources);

// The same for the only input of a model whose first source is a .npy file without a name: the
// shape of what is in it, for a batch of so many items. Nothing for other models and sources.
std::map<std::string, Shape> ShapeOfOnlyInput(const std::string& model,
                                              const std::vector<std::string>& sources,
                                              std::int64_t batch);

}  // namespace cleave::app

#endif  // CLEAVE_APP_INPUT_SOURCE_H_
