#include "runtime/picture_size.h"

#include <algorithm>
#include <cstdint>

#include "codec/image.h"
#include "codec/input_preprocessing.h"
#include "core/status_macros.h"

namespace cleave {

absl::Status TakePictureSize(const Graph& graph, ShapeRequest& request) {
  constexpr std::size_t kPictureRank = 4;
  const TensorSpec& input = graph.inputs().front();
  const bool picture = graph.inputs().size() == 1 && input.shape.size() == kPictureRank;
  if (!picture || graph.path().empty() || request.shapes.contains(input.name)) {
    return absl::OkStatus();
  }
  const bool free = std::any_of(input.shape.begin() + 1, input.shape.end(),
                                [](std::int64_t size) { return size < 0; });
  if (!free) return absl::OkStatus();
  const absl::Status known = Preprocessing::FromSidecar(graph.path(), {}).status();
  if (absl::IsNotFound(known)) return absl::OkStatus();
  CLEAVE_ASSIGN_OR_RETURN(const Preprocessing how, PreprocessingFor(input, graph.path(), {}));
  Shape shape(kPictureRank, -1);
  const std::size_t height_axis = how.channels_first ? 2 : 1;
  if (input.shape[height_axis] < 0) shape[height_axis] = how.height;
  if (input.shape[height_axis + 1] < 0) shape[height_axis + 1] = how.width;
  request.shapes[input.name] = shape;
  return absl::OkStatus();
}

}  // namespace cleave
