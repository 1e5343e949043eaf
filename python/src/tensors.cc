#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bindings.h"
#include "gil.h"
#include "status_error.h"

namespace cleave::python {
namespace {

namespace nb = nanobind;

using InputArray = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using OutputArray = nb::ndarray<nb::numpy>;

struct TypePair {
  DataType dtype;
  nb::dlpack::dtype_code code;
  int bits;
};

// Strings have a form of their own.
constexpr std::array<TypePair, 13> kTypePairs = {{
    {DataType::kFloat32, nb::dlpack::dtype_code::Float, 32},
    {DataType::kFloat16, nb::dlpack::dtype_code::Float, 16},
    {DataType::kBFloat16, nb::dlpack::dtype_code::Bfloat, 16},
    {DataType::kFloat64, nb::dlpack::dtype_code::Float, 64},
    {DataType::kInt8, nb::dlpack::dtype_code::Int, 8},
    {DataType::kInt16, nb::dlpack::dtype_code::Int, 16},
    {DataType::kInt32, nb::dlpack::dtype_code::Int, 32},
    {DataType::kInt64, nb::dlpack::dtype_code::Int, 64},
    {DataType::kUint8, nb::dlpack::dtype_code::UInt, 8},
    {DataType::kUint16, nb::dlpack::dtype_code::UInt, 16},
    {DataType::kUint32, nb::dlpack::dtype_code::UInt, 32},
    {DataType::kUint64, nb::dlpack::dtype_code::UInt, 64},
    {DataType::kBool, nb::dlpack::dtype_code::Bool, 8},
}};

std::optional<DataType> TypeOf(nb::dlpack::dtype dtype) {
  for (const TypePair& pair : kTypePairs) {
    if (static_cast<std::uint8_t>(pair.code) == dtype.code && pair.bits == dtype.bits &&
        dtype.lanes == 1) {
      return pair.dtype;
    }
  }
  return std::nullopt;
}

nb::dlpack::dtype DlpackTypeOf(DataType dtype) {
  nb::dlpack::dtype found = {};
  for (const TypePair& pair : kTypePairs) {
    if (pair.dtype != dtype) continue;
    found.code = static_cast<std::uint8_t>(pair.code);
    found.bits = static_cast<std::uint8_t>(pair.bits);
    found.lanes = 1;
  }
  return found;
}

Tensor StringsOf(const nb::tuple& shape_and_strings) {
  const auto shape = nb::cast<Shape>(shape_and_strings[0]);
  std::vector<absl::string_view> strings;
  for (const nb::handle item : nb::cast<nb::list>(shape_and_strings[1])) {
    const auto bytes = nb::borrow<nb::bytes>(item);
    strings.emplace_back(bytes.c_str(), bytes.size());
  }
  return ValueOrRaise(Tensor::FromStrings(shape, strings));
}

Tensor TensorOf(const std::string& name, nb::handle value) {
  if (nb::isinstance<nb::tuple>(value)) return StringsOf(nb::borrow<nb::tuple>(value));
  InputArray array;
  if (!nb::try_cast(value, array, /*convert=*/false)) {
    throw StatusError(absl::InvalidArgumentError(
        absl::StrCat("input '", name, "': found ", nb::type_name(value.type()).c_str(),
                     ", expected a numpy array of numbers, bools or strings")));
  }
  const std::optional<DataType> dtype = TypeOf(array.dtype());
  if (!dtype) {
    throw StatusError(absl::InvalidArgumentError(
        absl::StrCat("input '", name, "': found ", array.dtype().bits, " bits of code ",
                     array.dtype().code, ", expected a type of the Open Inference Protocol")));
  }
  Shape shape(array.ndim());
  for (std::size_t i = 0; i < shape.size(); ++i) {
    shape[i] = static_cast<std::int64_t>(array.shape(i));
  }
  return ValueOrRaise(
      Tensor::Wrap(*dtype, std::move(shape), array.data(), array.nbytes(), KeepAlive(value)));
}

bool Overlap(const Tensor& a, const Tensor& b) {
  const std::less<> before;
  return before(a.data(), b.data() + b.size_bytes()) && before(b.data(), a.data() + a.size_bytes());
}

nb::object StringArray(const Tensor& tensor) {
  const nb::module_ numpy = nb::module_::import_("numpy");
  nb::object array = numpy.attr("empty")(tensor.elements(), "object");
  Py_ssize_t index = 0;
  for (const absl::string_view text : tensor.strings()) {
    array[index++] = TextFromOutside(text);
  }
  return array.attr("reshape")(nb::tuple(nb::cast(tensor.shape())));
}

nb::object ArrayOf(const Tensor& tensor, bool copy) {
  if (tensor.dtype() == DataType::kString) return StringArray(tensor);
  auto* owner = new Tensor(tensor);
  const nb::capsule capsule(owner, [](void* held) noexcept { delete static_cast<Tensor*>(held); });
  std::vector<std::size_t> shape(tensor.shape().begin(), tensor.shape().end());
  // numpy has no bfloat16: what is in the array are its bits (docs/python.md).
  const DataType dtype = tensor.dtype() == DataType::kBFloat16 ? DataType::kUint16 : tensor.dtype();
  OutputArray array(const_cast<std::byte*>(owner->data()), shape.size(), shape.data(), capsule,
                    nullptr, DlpackTypeOf(dtype));
  return copy ? nb::cast(array, nb::rv_policy::copy) : nb::cast(array, nb::rv_policy::reference);
}

}  // namespace

nb::object TextFromOutside(absl::string_view text) {
  PyObject* decoded =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape");
  if (decoded == nullptr) throw nb::python_error();
  return nb::steal(decoded);
}

std::vector<NamedTensor> TensorsOf(const nb::dict& inputs) {
  std::vector<NamedTensor> tensors;
  tensors.reserve(inputs.size());
  for (const auto [key, value] : inputs) {
    std::string name = nb::cast<std::string>(key);
    Tensor tensor = TensorOf(name, value);
    tensors.push_back({std::move(name), std::move(tensor)});
  }
  return tensors;
}

nb::dict ArraysOf(const std::vector<NamedTensor>& outputs, const std::vector<NamedTensor>& inputs) {
  nb::dict arrays;
  for (const NamedTensor& output : outputs) {
    const auto shared = [&](const NamedTensor& other) {
      return &other != &output && Overlap(other.tensor, output.tensor);
    };
    const bool copy = std::any_of(inputs.begin(), inputs.end(), shared) ||
                      std::any_of(outputs.begin(), outputs.end(), shared);
    arrays[TextFromOutside(output.name)] = ArrayOf(output.tensor, copy);
  }
  return arrays;
}

}  // namespace cleave::python
