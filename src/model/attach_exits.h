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
  int cut = 0;        // Index into CutTable::cuts.
  TensorSpec tensor;  // At the table's batch size.

  std::int64_t features() const;  // That are left of a sample after pooling.
};

// InvalidArgument names the file and why it cannot have exits: it has them, or its first output has
// a comma in its name; FailedPrecondition when the file changed since it was loaded.
absl::Status CheckTakesExits(const Graph& graph);

// The cuts as places, in order of depth. InvalidArgument names the cut, what was found and what was
// expected: for one that there is none of or that is given twice, for the input and for what lies
// at or behind the model's first output, for several tensors, another type, another number of
// dimensions or a first dimension that is not the table's batch. (A table at a batch size that no
// other dimension has by chance tells best.)
absl::StatusOr<std::vector<ExitPlace>> FindExitPlaces(const Graph& graph, const CutTable& table,
                                                      const std::vector<int>& cuts);

// A linear exit. `rank` says what its tensor is and so how it is pooled before: 4, the mean over
// height and width; 3, the mean over the tokens (the second dimension); 2, not at all.
struct ExitHead {
  std::string tensor;
  std::size_t rank = 4;
  std::int64_t classes = 0;
  std::vector<float> weights;  // Classes x features.
  std::vector<float> bias;     // One for each class.
};

struct ModelWithExits {
  std::string bytes;
  std::vector<std::string> exits;  // The new outputs, then the model's first output.
  bool external_data = false;      // It refers to files in the folder of the model.
};

// The model's file with the heads behind its last node. The new outputs come before the model's
// own, in order of depth, and the metadata entry kExitsKey names them and the model's first output:
// the last exit, whatever outputs there are besides. Nodes, weights (external data stays the
// reference that it is) and all else are as they were. Outputs are "exit1", ..., with "_" behind
// where the file has that name already. Errors are those of CheckTakesExits; InvalidArgument also
// names a head that does not fit, and the number of heads where there are none or too many.
absl::StatusOr<ModelWithExits> AttachExits(const Graph& graph, const std::vector<ExitHead>& heads);

}  // namespace cleave

#endif  // CLEAVE_MODEL_ATTACH_EXITS_H_
