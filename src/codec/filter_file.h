#ifndef CLEAVE_CODEC_FILTER_FILE_H_
#define CLEAVE_CODEC_FILTER_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/fitted_file.h"
#include "codec/neural_filter.h"

namespace cleave {

// From which logit of a filter on a picture is taken to show something, and what that came to on
// pictures that the filter was not fitted to.
struct FilterThreshold {
  double logit = 0;           // A picture whose logit is below is held back.
  std::int64_t occupied = 0;  // How many pictures had a detection,
  std::int64_t lost = 0;      // and how many of these are held back.
  std::int64_t empty = 0;     // How many had none,
  std::int64_t spared = 0;    // and how many of these are held back.
};

// The filter of a model, as it lies in a file beside it (docs/filter.md). Immutable; thread-safe.
class FilterFile {
 public:
  // What a file says besides the weights.
  struct About {
    FittedAbout fitted;
    int cut = 0;                       // Of the last exit; after it the filter is asked.
    std::vector<std::string> tensors;  // That the filter reads, in its order.
    // The score from which on the model's detections count, 0 to 1: the filter knows nothing of
    // those below.
    double score_threshold = 0;
    FilterThreshold threshold;
  };

  // Returns the bytes of a file. The same values give the same bytes. REQUIRES: they are valid.
  static std::string Write(const About& about, const NeuralFilterParameters& parameters);

  // Reads the bytes of a file. InvalidArgument names `origin`, the field, what was found and what
  // was expected.
  static absl::StatusOr<std::shared_ptr<const FilterFile>> Read(absl::string_view bytes,
                                                                const std::string& origin);
  // Reads the file of this path; where it is empty, that beside the model. NotFound if there is
  // none; FailedPrecondition, with both digests, for the filter of another model; else as Read.
  static absl::StatusOr<std::shared_ptr<const FilterFile>> Load(const std::string& path,
                                                                const std::string& model_path,
                                                                absl::string_view model_digest);
  // The path of the file beside a model: MODEL.filter for MODEL.onnx.
  static std::string PathFor(const std::string& model_path);

  const About& about() const { return about_; }
  const NeuralFilter& filter() const { return filter_; }

 private:
  FilterFile(About about, NeuralFilter filter)
      : about_(std::move(about)), filter_(std::move(filter)) {}

  About about_;
  NeuralFilter filter_;
};

}  // namespace cleave

#endif  // CLEAVE_CODEC_FILTER_FILE_H_
