#ifndef CLEAVE_APP_VIDEO_SOURCE_H_
#define CLEAVE_APP_VIDEO_SOURCE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "app/input_source.h"
#include "cleave/tensor.h"

namespace cleave::app {

// Opens the one video among the sources for a model with this input. Its frames are called
// "FILE#NUMBER". A camera that breaks off or stays silent is opened again, for as long as the run
// lasts. InvalidArgument where there are other sources beside it, the batch is not 1 or the model
// takes no pictures; other errors are those of video::FrameReader::Open.
absl::StatusOr<std::unique_ptr<InputSource>> OpenVideo(const TensorSpec& input,
                                                       const InputOptions& options);

}  // namespace cleave::app

#endif  // CLEAVE_APP_VIDEO_SOURCE_H_
