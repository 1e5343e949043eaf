#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <utility>

#include "bindings.h"
#include "core/clock.h"
#include "gil.h"
#include "interruptible.h"
#include "model/graph.h"
#include "runtime/chain.h"
#include "runtime/options.h"
#include "status_error.h"

namespace cleave::python {
namespace {

namespace nb = nanobind;

// A model's file as Python sees it.
struct Model {
  std::shared_ptr<const Graph> graph;

  nb::list Inputs() const { return Specs(graph->inputs(), graph->input_symbols()); }
  nb::list Outputs() const { return Specs(graph->outputs(), graph->output_symbols()); }
  nb::dict Metadata() const {
    const ModelMetadata& metadata = graph->metadata();
    nb::dict entries;
    for (const auto& [key, value] : metadata.entries) {
      entries[TextFromOutside(key)] = TextFromOutside(value);
    }
    nb::dict fields;
    fields["producer_name"] = TextFromOutside(metadata.producer);
    fields["domain"] = TextFromOutside(metadata.domain);
    fields["description"] = TextFromOutside(metadata.description);
    fields["graph_name"] = TextFromOutside(metadata.graph_name);
    fields["graph_description"] = TextFromOutside(metadata.graph_description);
    fields["version"] = metadata.version;
    fields["custom_metadata_map"] = entries;
    return fields;
  }

 private:
  static nb::list Specs(const std::vector<TensorSpec>& specs,
                        const std::vector<std::vector<std::string>>& symbols) {
    nb::list list;
    for (std::size_t i = 0; i < specs.size(); ++i) list.append(SpecFields(specs[i], symbols[i]));
    return list;
  }
};

// A model that runs whole on this machine.
class WholeSession {
 public:
  WholeSession(const Model& model, int threads, const std::string& provider) {
    RuntimeOptions options;
    options.threads = threads;
    options.provider = ValueOrRaise(ProviderSpec::Parse(provider));
    RaiseIfError(options.Validate());
    session_ = ValueOrRaise(Interruptible(
        [graph = model.graph, options] { return WholeModel::Create(*graph, options); }));
  }

  ~WholeSession() {
    if (guard_.forked()) {
      NeverDestroy(std::move(session_));
    } else {
      const ReleasedGil released;
      session_.reset();
    }
  }
  WholeSession(const WholeSession&) = delete;
  WholeSession& operator=(const WholeSession&) = delete;

  // Returns the outputs by name and the microseconds that the run took.
  nb::tuple Run(const nb::dict& inputs) const {
    RaiseIfError(guard_.Check("session"));
    std::vector<NamedTensor> tensors = TensorsOf(inputs);
    const std::int64_t start_us = Clock::Steady().NowUs();
    const absl::StatusOr<std::vector<NamedTensor>> outputs =
        Uninterrupted([&] { return session_->Run(tensors); });
    const std::int64_t took_us = Clock::Steady().NowUs() - start_us;
    RaiseIfError(outputs.status());
    nb::dict arrays = ArraysOf(*outputs, tensors);
    tensors.clear();
    ReleaseBuried();
    return nb::make_tuple(arrays, took_us);
  }

 private:
  const ForkGuard guard_;
  std::shared_ptr<const WholeModel> session_;
};

}  // namespace

void BindModel(nb::module_& module) {
  nb::class_<Model>(module, "Model", "A checked ONNX file.")
      .def_static(
          "load",
          [](const std::string& path) {
            return Model{ValueOrRaise(Interruptible([path] { return Graph::Load(path); }))};
          },
          nb::arg("path"),
          "Read a file. Errors name the file, what was found and what was expected.")
      .def_static(
          "from_bytes",
          [](const nb::bytes& bytes, const std::string& name) {
            const std::string content(bytes.c_str(), bytes.size());
            return Model{ValueOrRaise(
                Interruptible([content, name] { return Graph::FromBytes(content, name); }))};
          },
          nb::arg("content"), nb::arg("name"),
          "Read a file's content; `name` stands for the file in errors.")
      .def("inputs", &Model::Inputs, "Return the fields of each input.")
      .def("outputs", &Model::Outputs, "Return the fields of each output.")
      .def("metadata", &Model::Metadata, "Return what the file says about itself.");
  nb::class_<WholeSession>(module, "WholeSession", "A model that runs whole on this machine.")
      .def(nb::init<const Model&, int, const std::string&>(), nb::arg("model"), nb::arg("threads"),
           nb::arg("provider"))
      .def("run", &WholeSession::Run, nb::arg("inputs"),
           "Run once; return the outputs by name and the time in microseconds.");
  module.def("available_providers", &AvailableProviders,
             "Return the short names of the execution providers that ONNX Runtime has here.");
  module.def("onnxruntime_version", &OnnxRuntimeVersion,
             "Return the version of the ONNX Runtime in use.");
}

}  // namespace cleave::python
