#include "core/named_tensors.h"

namespace cleave {

const Tensor* FindTensor(const std::vector<NamedTensor>& tensors, const std::string& name) {
  for (const NamedTensor& each : tensors) {
    if (each.name == name) return &each.tensor;
  }
  return nullptr;
}

std::vector<NamedTensor> PickTensors(const std::vector<std::string>& names,
                                     const std::vector<NamedTensor>& tensors) {
  std::vector<NamedTensor> picked;
  picked.reserve(names.size());
  for (const std::string& name : names) {
    if (const Tensor* tensor = FindTensor(tensors, name)) picked.push_back({name, *tensor});
  }
  return picked;
}

void AddMissing(const std::vector<NamedTensor>& tensors, std::vector<NamedTensor>& to) {
  for (const NamedTensor& each : tensors) {
    if (FindTensor(to, each.name) == nullptr) to.push_back(each);
  }
}

}  // namespace cleave
