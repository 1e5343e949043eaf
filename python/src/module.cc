// The module cleave._cleave, which the package's Python files wrap.
#include <nanobind/nanobind.h>

#include "bindings.h"
#include "gil.h"
#include "status_error.h"

NB_MODULE(_cleave, module) {
  module.doc() = "The C++ side of the package cleave. Use the package: this may change.";
  // Objects may well outlive the interpreter: it does not wait for threads.
  nanobind::set_leak_warnings(false);
  cleave::python::BindErrors(module);
  cleave::python::BindModel(module);
  cleave::python::BindDevice(module);
  cleave::python::BindEdge(module);
  cleave::python::BindTools(module);
  module.def(
      "version", [] { return CLEAVE_VERSION; }, "Return the version of the library.");
  module.def("prepare_for_exit", &cleave::python::PrepareForExit,
             "Let calls under way end; called once, as the interpreter exits.");
}
