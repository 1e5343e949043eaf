#ifndef CLEAVE_MODEL_ATTACH_EXITS_H_
#define CLEAVE_MODEL_ATTACH_EXITS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "model/cuts.h"
#include "model/graph.h"

namespace cleave {

// A cut that an exit head can read: one FP32 tensor of batch x features, batch x tokens x features
// or batch x channels x height x width.
struct ExitPlace {
  int cut = 0;        // An index into CutTable::cuts.
  TensorSpec tensor;  // Its shape is that at the table's batch size.

  // Returns the number of features of one sample that are left after pooling.
  std::int64_t features() const;
};

// Checks that exits can be attached. InvalidArgument names the file and why they cannot: it has
// exits already, or the name of its first output has a comma. FailedPrecondition when the file has
// changed since it was loaded.
absl::Status CheckTakesExits(const Graph& graph);

// Returns the cuts as places for exits, in order of depth. InvalidArgument names the cut, what was
// found and what was expected: a cut that does not exist or is given twice, the input, a cut at or
// after the model's first output, several tensors, another type, another number of dimensions, or a
// first dimension that is not the table's batch. (The last check is most reliable at a batch size
// that no other dimension has by chance.)
absl::StatusOr<std::vector<ExitPlace>> FindExitPlaces(const Graph& graph, const CutTable& table,
                                                      const std::vector<int>& cuts);

// A linear exit. `rank` is that of its tensor and decides how it is pooled first: 4 takes the mean
// over height and width; 3 takes the mean over the tokens (the second dimension); 2 does not pool.
struct ExitHead {
  std::string tensor;
  std::size_t rank = 4;
  std::int64_t classes = 0;
  std::vector<float> weights;  // Shape: classes x features.
  std::vector<float> bias;     // There is one for each class.
};

struct ModelWithExits {
  std::string bytes;
  std::vector<std::string> exits;  // The new outputs, followed by the model's first output.
  // True if the file refers to other files in the folder of the model.
  bool external_data = false;
};

// Returns the model's file with the heads appended after its last node. The new outputs come before
// the model's own, in order of depth, and the metadata entry kExitsKey names them and the model's
// first output, which is the last exit, whatever other outputs there are. Nodes, weights (external
// data stays the reference that it is) and all else are unchanged. Outputs are named "exit1", ...,
// followed by "_" if the file has that name already. Errors are those of CheckTakesExits;
// InvalidArgument also names a head that does not fit, and the number of heads if there are none or
// too many.
absl::StatusOr<ModelWithExits> AttachExits(const Graph& graph, const std::vector<ExitHead>& heads);

}  // namespace cleave

#endif  // CLEAVE_MODEL_ATTACH_EXITS_H_
