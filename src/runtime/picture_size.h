#ifndef CLEAVE_RUNTIME_PICTURE_SIZE_H_
#define CLEAVE_RUNTIME_PICTURE_SIZE_H_

#include "absl/status/status.h"
#include "model/graph.h"
#include "model/input_shapes.h"

namespace cleave {

// Where the model's only input is a picture whose height or width is free, gives `request` the size
// that the model's sidecar prepares pictures at. Does nothing where there is no sidecar, or where
// the request has a shape for that input. Errors are those of Preprocessing::FromSidecar.
absl::Status TakePictureSize(const Graph& graph, ShapeRequest& request);

}  // namespace cleave

#endif  // CLEAVE_RUNTIME_PICTURE_SIZE_H_
