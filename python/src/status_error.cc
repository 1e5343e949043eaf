#include "status_error.h"

#include "bindings.h"

namespace cleave::python {
namespace {

namespace nb = nanobind;

void SetPythonError(const StatusError& error) {
  const nb::object make = nb::module_::import_("cleave._errors").attr("error_class");
  const nb::object type = make(static_cast<int>(error.code()));
  // A message may have text from outside, which need not be UTF-8.
  const nb::object message = TextFromOutside(error.what());
  PyErr_SetObject(type.ptr(), message.ptr());
}

}  // namespace

void BindErrors(nb::module_& /*module*/) {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void* /*payload*/) {
    try {
      std::rethrow_exception(thrown);
    } catch (const StatusError& error) {
      SetPythonError(error);
    }
  });
}

}  // namespace cleave::python
