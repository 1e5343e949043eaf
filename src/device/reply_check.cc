#include "device/reply_check.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/named_tensors.h"
#include "core/shape_fits.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

const TensorSpec* FindSpec(const std::vector<TensorSpec>& specs, const std::string& name) {
  const auto found = std::find_if(specs.begin(), specs.end(),
                                  [&](const TensorSpec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

// What an answer to inputs of these shapes must be.
std::vector<TensorSpec> ExpectedOutputs(const LocalExit& exit, const InputShapes& shapes) {
  const CutTable& table = exit.model.table;
  const bool seen = exit.shapes_follow_inputs && shapes == ShapesOf(table.inputs.specs);
  return seen ? table.cuts.back().tensors : exit.chain().LiveTypes(exit.chain().segments());
}

absl::Status CheckOutput(const TensorSpec& spec, const TensorSpec* expected, const Tensor& tensor) {
  const DataType dtype = expected != nullptr ? expected->dtype : spec.dtype;
  if (tensor.dtype() != dtype) {
    return absl::DataLossError(absl::StrCat("output '", spec.name, "': found type ",
                                            DataTypeName(tensor.dtype()), ", expected ",
                                            DataTypeName(dtype)));
  }
  if (expected == nullptr || ShapeFits(expected->shape, tensor.shape())) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("output '", spec.name, "': found shape ",
                                          ShapeString(tensor.shape()), ", expected ",
                                          ShapeString(expected->shape)));
}

}  // namespace

absl::StatusOr<std::vector<NamedTensor>> AssembleOutputs(const LocalExit& exit,
                                                         const InputShapes& shapes,
                                                         const std::vector<NamedTensor>& early,
                                                         const std::vector<NamedTensor>& remote) {
  const std::vector<TensorSpec> expected = ExpectedOutputs(exit, shapes);
  std::vector<NamedTensor> outputs;
  for (const TensorSpec& spec : exit.outputs()) {
    if (const Tensor* own = FindTensor(early, spec.name)) {
      outputs.push_back({spec.name, *own});
      continue;
    }
    const Tensor* answered = FindTensor(remote, spec.name);
    if (answered == nullptr) {
      return absl::DataLossError(absl::StrCat("output '", spec.name, "': missing"));
    }
    CLEAVE_RETURN_IF_ERROR(CheckOutput(spec, FindSpec(expected, spec.name), *answered));
    outputs.push_back({spec.name, *answered});
  }
  return outputs;
}

}  // namespace cleave
