#include "device/reply_check.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "device/named_tensors.h"

namespace cleave {
namespace {

const TensorSpec* Measured(const CutTable& table, const std::string& name) {
  for (auto cut = table.cuts.rbegin(); cut != table.cuts.rend(); ++cut) {
    for (const TensorSpec& spec : cut->tensors) {
      if (spec.name == name) return &spec;
    }
  }
  return nullptr;
}

bool DeclaredShapeFits(const Shape& declared, const Shape& found) {
  if (declared.empty()) return true;
  if (declared.size() != found.size()) return false;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (declared[i] >= 0 && declared[i] != found[i]) return false;
  }
  return true;
}

bool MeasuredShapeFits(const TensorSpec& measured, const CutTable& table, std::int64_t batch,
                       const Shape& found) {
  if (batch == table.batch) return measured.shape == found;
  return measured.shape.size() == found.size();
}

absl::Status CheckOutput(const TensorSpec& spec, const CutTable& table, std::int64_t batch,
                         const Tensor& tensor) {
  if (tensor.dtype() != spec.dtype) {
    return absl::DataLossError(absl::StrCat("output '", spec.name, "': found type ",
                                            DataTypeName(tensor.dtype()), ", expected ",
                                            DataTypeName(spec.dtype)));
  }
  const TensorSpec* measured = Measured(table, spec.name);
  const bool fits =
      DeclaredShapeFits(spec.shape, tensor.shape()) &&
      (measured == nullptr || MeasuredShapeFits(*measured, table, batch, tensor.shape()));
  if (fits) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("output '", spec.name, "': found shape ", ShapeString(tensor.shape()),
                   ", expected ", ShapeString(measured != nullptr ? measured->shape : spec.shape),
                   " (at batch ", table.batch, ")"));
}

}  // namespace

absl::StatusOr<std::vector<NamedTensor>> AssembleOutputs(const std::vector<TensorSpec>& specs,
                                                         const CutTable& table, std::int64_t batch,
                                                         const std::vector<NamedTensor>& early,
                                                         const std::vector<NamedTensor>& remote) {
  std::vector<NamedTensor> outputs;
  outputs.reserve(specs.size());
  for (const TensorSpec& spec : specs) {
    if (const Tensor* own = FindTensor(early, spec.name)) {
      outputs.push_back({spec.name, *own});
      continue;
    }
    const Tensor* answered = FindTensor(remote, spec.name);
    if (answered == nullptr) {
      return absl::DataLossError(absl::StrCat("output '", spec.name, "': missing"));
    }
    CLEAVE_RETURN_IF_ERROR(CheckOutput(spec, table, batch, *answered));
    outputs.push_back({spec.name, *answered});
  }
  return outputs;
}

}  // namespace cleave
