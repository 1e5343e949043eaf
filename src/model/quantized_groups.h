#ifndef CLEAVE_MODEL_QUANTIZED_GROUPS_H_
#define CLEAVE_MODEL_QUANTIZED_GROUPS_H_

#include <vector>

#include "model/graph.h"

namespace cleave {

// Says of each tensor, by id, whether it lies inside a group that ONNX Runtime computes in
// integers: behind a DequantizeLinear of something that is not constant, before the next
// QuantizeLinear. The operators between the two run as one; a cut there leaves floats in their
// place, and moves answers by a quantum.
std::vector<bool> InsideQuantizedGroups(const Graph& graph);

}  // namespace cleave

#endif  // CLEAVE_MODEL_QUANTIZED_GROUPS_H_
