#ifndef CLEAVE_CORE_NAMED_TENSORS_H_
#define CLEAVE_CORE_NAMED_TENSORS_H_

#include <string>
#include <vector>

#include "cleave/tensor.h"

namespace cleave {

// The tensor of this name, or null.
const Tensor* FindTensor(const std::vector<NamedTensor>& tensors, const std::string& name);

// The tensors of these names, in their order; names without a tensor are left out.
std::vector<NamedTensor> PickTensors(const std::vector<std::string>& names,
                                     const std::vector<NamedTensor>& tensors);

// Adds the tensors whose names `to` does not have yet.
void AddMissing(const std::vector<NamedTensor>& tensors, std::vector<NamedTensor>& to);

}  // namespace cleave

#endif  // CLEAVE_CORE_NAMED_TENSORS_H_
