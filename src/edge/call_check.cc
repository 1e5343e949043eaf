#include "edge/call_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/shape_fits.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

std::string NamesOf(const std::vector<TensorSpec>& specs) {
  return absl::StrJoin(specs, ", ", [](std::string* out, const TensorSpec& spec) {
    absl::StrAppend(out, "'", spec.name, "' ", DataTypeName(spec.dtype), " ",
                    ShapeString(spec.shape));
  });
}

absl::Status CheckInput(const std::string& where, const TensorSpec& found,
                        const std::vector<TensorSpec>& expected) {
  const auto spec =
      std::find_if(expected.begin(), expected.end(),
                   [&](const TensorSpec& candidate) { return candidate.name == found.name; });
  if (spec == expected.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": found an input '", found.name.substr(0, 256), "', expected ", NamesOf(expected)));
  }
  if (found.dtype == spec->dtype && ShapeFits(spec->shape, found.shape)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": input '", found.name, "': found ", DataTypeName(found.dtype), " ",
                   ShapeString(found.shape), ", expected ", DataTypeName(spec->dtype), " ",
                   ShapeString(spec->shape)));
}

bool HasName(const std::vector<TensorSpec>& specs, const std::string& name) {
  return std::any_of(specs.begin(), specs.end(),
                     [&](const TensorSpec& spec) { return spec.name == name; });
}

std::int64_t BatchOf(const std::vector<TensorSpec>& inputs,
                     const std::vector<TensorSpec>& expected) {
  for (const TensorSpec& spec : expected) {
    if (spec.shape.empty() || spec.shape.front() >= 0) continue;
    for (const TensorSpec& input : inputs) {
      if (input.name == spec.name) return input.shape.front();
    }
  }
  return 1;
}

}  // namespace

absl::StatusOr<CallSize> CheckInputs(const std::string& where,
                                     const std::vector<TensorSpec>& inputs,
                                     const std::vector<TensorSpec>& needed,
                                     const std::vector<TensorSpec>& unused) {
  CallSize size;
  std::size_t found_needed = 0;
  for (const TensorSpec& input : inputs) {
    const bool spare = HasName(unused, input.name);
    CLEAVE_RETURN_IF_ERROR(CheckInput(where, input, spare ? unused : needed));
    if (spare) continue;
    ++found_needed;
    size.elements += ElementCount(input.shape).value_or(0);
  }
  if (found_needed != needed.size()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": found ", found_needed,
                                                   " inputs, expected ", needed.size(), ": ",
                                                   NamesOf(needed)));
  }
  size.batch = BatchOf(inputs, needed);
  return size;
}

absl::StatusOr<CallSize> CheckPictures(const std::string& where, const InferCall& call,
                                       const std::vector<TensorSpec>& expected) {
  if (call.cut.value_or(0) != 0 || expected.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": found pictures, expected ", expected.size(), " tensors: ", NamesOf(expected)));
  }
  const Preprocessing& how = *call.preprocessing;
  const auto count = static_cast<std::int64_t>(call.images.size());
  const TensorSpec found{call.image_input.empty() ? expected[0].name : call.image_input,
                         how.datatype, how.InputShape(count)};
  CLEAVE_RETURN_IF_ERROR(CheckInput(where, found, expected));
  return CallSize{count, ElementCount(found.shape).value_or(0)};
}

absl::Status CheckOutputNames(const std::string& where, const std::vector<std::string>& names,
                              const std::vector<TensorSpec>& outputs) {
  for (const std::string& name : names) {
    if (!HasName(outputs, name)) {
      return absl::InvalidArgumentError(absl::StrCat(
          where, ": found an output '", name.substr(0, 256), "', expected of ", NamesOf(outputs)));
    }
  }
  return absl::OkStatus();
}

}  // namespace cleave
