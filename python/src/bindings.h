#ifndef CLEAVE_PYTHON_BINDINGS_H_
#define CLEAVE_PYTHON_BINDINGS_H_

#include <nanobind/nanobind.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cleave/device.h"
#include "cleave/plan.h"
#include "cleave/tensor.h"

namespace cleave::python {

// All functions of this file need the GIL.

// Text that need not be UTF-8 as a str, with what is not as surrogates (PEP 383).
nanobind::object TextFromOutside(absl::string_view text);

// The value, or None.
template <typename T>
nanobind::object OrNone(const std::optional<T>& value) {
  return value ? nanobind::cast(*value) : nanobind::none();
}

// The fields of the package's dataclasses (python/cleave/_records.py), by their names.
nanobind::dict PlanFields(const Plan& plan);
nanobind::dict SpecFields(const TensorSpec& spec, const std::vector<std::string>& symbols = {});
nanobind::dict RecordFields(const InferenceRecord& record);
nanobind::dict ForecastFields(const PlanForecast& forecast);

template <typename T, typename Fields>
nanobind::list ListOf(const std::vector<T>& values, const Fields& fields) {
  nanobind::list list;
  for (const T& value : values) list.append(fields(value));
  return list;
}

// Tensors that view the arrays of `inputs`, a dict from name to a C-contiguous numpy array in the
// machine's byte order, or to a pair of shape and flat list of bytes for strings. InvalidArgument
// names the input.
std::vector<NamedTensor> TensorsOf(const nanobind::dict& inputs);

// A dict from name to numpy array, in the order of `outputs`. An array views its tensor, unless
// that overlaps with an input or another output: each may be written to. Strings are arrays of str.
nanobind::dict ArraysOf(const std::vector<NamedTensor>& outputs,
                        const std::vector<NamedTensor>& inputs);

void BindModel(nanobind::module_& module);
void BindDevice(nanobind::module_& module);
void BindEdge(nanobind::module_& module);
void BindTools(nanobind::module_& module);

}  // namespace cleave::python

#endif  // CLEAVE_PYTHON_BINDINGS_H_
