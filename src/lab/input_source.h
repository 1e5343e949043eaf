#ifndef CLEAVE_LAB_INPUT_SOURCE_H_
#define CLEAVE_LAB_INPUT_SOURCE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/image.h"

namespace cleave {

// What of the preprocessing the user set by hand; the rest comes from the model's sidecar, then
// from its input's shape, then from ImageNet's habits.
struct PreprocessingFlags {
  std::optional<int> resize;
  std::optional<int> height;
  std::optional<int> width;
  std::optional<std::array<float, 3>> mean;
  std::optional<std::array<float, 3>> deviation;
};

struct InputOptions {
  // One of: {"random"}; files and folders (their *.jpg, *.jpeg, *.png and *.npy, sorted) for a
  // model with one input; NAME=FILE.npy for each input of a model.
  std::vector<std::string> sources = {"random"};
  std::int64_t batch = 1;
  std::uint64_t seed = 1;
  std::string model_path;  // Whose sidecar tells how to prepare images.
  PreprocessingFlags flags;
};

// How pictures become this input: as options.flags say, then the sidecar of options.model_path,
// then the input's shape.
absl::StatusOr<Preprocessing> PreprocessingFor(const TensorSpec& input,
                                               const InputOptions& options);

// Batches of model inputs out of files, over and over. An image, and a .npy without the batch
// dimension, is one item; a .npy with it is one item for each row; a batch is `batch` items in
// order, starting again at the first. Files are read when their turn comes and kept while they fit
// 256 MiB together. Thread-compatible.
class InputSource {
 public:
  // Errors name the source, what was found and what was expected. A folder without inputs is one.
  static absl::StatusOr<std::unique_ptr<InputSource>> Open(const std::vector<TensorSpec>& inputs,
                                                           const InputOptions& options);
  virtual ~InputSource() = default;

  virtual absl::StatusOr<std::vector<NamedTensor>> Next() = 0;

  // Batches until every item has been seen once.
  virtual std::int64_t batches() const = 0;
};

}  // namespace cleave

#endif  // CLEAVE_LAB_INPUT_SOURCE_H_
