#ifndef CLEAVE_MODEL_VALUE_HINTS_H_
#define CLEAVE_MODEL_VALUE_HINTS_H_

#include <onnx/onnx_pb.h>

#include "model/graph.h"

namespace cleave {

// Finds what the nodes behind inputs tell of their values: the words that encoders of strings know,
// of which they may refuse all others, and the sizes of splits, which sum to what is split.
ValueHints FindValueHints(const onnx::GraphProto& graph);

}  // namespace cleave

#endif  // CLEAVE_MODEL_VALUE_HINTS_H_
