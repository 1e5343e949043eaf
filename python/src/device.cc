#include "cleave/device.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bindings.h"
#include "gil.h"
#include "interruptible.h"
#include "status_error.h"

namespace cleave::python {
namespace {

namespace nb = nanobind;

// Binds a field of a part of the options as a property of the whole.
template <typename Part, typename Field>
void BindField(nb::class_<DeviceOptions>& options, const char* name, Part DeviceOptions::*part,
               Field Part::*field, const char* doc) {
  options.def_prop_rw(
      name, [=](const DeviceOptions& self) { return self.*part.*field; },
      [=](DeviceOptions& self, const Field& value) { self.*part.*field = value; }, doc);
}

// As BindField, of a field that may be None.
template <typename Part, typename Field>
void BindOptional(nb::class_<DeviceOptions>& options, const char* name, Part DeviceOptions::*part,
                  std::optional<Field> Part::*field, const char* doc) {
  options.def_prop_rw(
      name, [=](const DeviceOptions& self) { return self.*part.*field; },
      [=](DeviceOptions& self, const std::optional<Field>& value) { self.*part.*field = value; },
      nb::for_setter(nb::arg("value").none()), doc);
}

void BindOptions(nb::module_& module) {
  nb::class_<DeviceOptions> options(
      module, "DeviceOptions",
      "How a device runs its model. The defaults keep everything on the device and choose the\n"
      "fastest plan that changes nothing about the answer. Shares are from 0 to 1.");
  options.def(nb::init<>());
  using Options = DeviceOptions;
  BindField(options, "edge", &Options::edge, &Options::Edge::address,
            "HOST:PORT of the edge; empty: there is none.");
  BindField(options, "edge_model", &Options::edge, &Options::Edge::model,
            "The model's name at the edge; empty: its file's name without extension.");
  BindField(options, "remote_timeout_us", &Options::edge, &Options::Edge::remote_timeout_us,
            "The longest wait for an answer of the edge, in microseconds.");
  BindField(options, "push", &Options::edge, &Options::Edge::push,
            "Whether an edge that lacks the model or its codecs is offered them.");
  BindField(options, "verify_share", &Options::edge, &Options::Edge::verify_share,
            "The share of the edge's answers that the device makes again to compare.");
  BindField(options, "policy", &Options::plans, &Options::Plans::policy,
            "Who chooses the plan: dynamic, device, edge, fixed:K[/ENCODING[/EXIT]] or FILE.onnx.");
  BindField(options, "cuts", &Options::plans, &Options::Plans::cuts,
            "The candidate cuts: frontier, all or a number.");
  BindField(options, "encodings", &Options::plans, &Options::Plans::encodings,
            "The candidate encodings: all, or a list as 'fp32,q8,jpeg'.");
  BindOptional(options, "exit", &Options::plans, &Options::Plans::exit,
               "Only plans that end at this exit are candidates; None: all are.");
  BindField(options, "exit_confidence", &Options::plans, &Options::Plans::exit_confidence,
            "The first early exit that is so sure answers: 'T', 'softmax:T' or 'entropy:T'.");
  BindField(options, "no_raw_input", &Options::plans, &Options::Plans::no_raw_input,
            "Privacy: the model's input is never sent, in no encoding.");
  BindOptional(options, "max_device_us", &Options::plans, &Options::Plans::max_device_us,
               "The longest head on the device, in microseconds.");
  BindOptional(options, "min_accuracy", &Options::plans, &Options::Plans::min_accuracy,
               "The least calibrated accuracy of a plan.");
  BindOptional(options, "accuracy_drop", &Options::plans, &Options::Plans::accuracy_drop,
               "How far a plan's calibrated accuracy may be below the best.");
  BindOptional(options, "deadline_us", &Options::deadline, &Options::Deadline::deadline_us,
               "When an inference is to end, in microseconds after its start.");
  BindOptional(options, "max_miss", &Options::deadline, &Options::Deadline::max_miss,
               "Hedging: the chance of a late answer above which the device works as well.");
  options.def_prop_rw(
      "detections",
      [](const Options& self) { return self.answers.form == AnswerForm::kDetections; },
      [](Options& self, bool wanted) {
        self.answers.form = wanted ? AnswerForm::kDetections : AnswerForm::kOutputs;
      },
      "Whether a detector's outputs become one tensor 'detections' (docs/detection.md).");
  BindOptional(options, "score_threshold", &Options::answers, &Options::Answers::score_threshold,
               "The least score of a detection, in place of what the sidecar says.");
  BindOptional(options, "iou_threshold", &Options::answers, &Options::Answers::iou_threshold,
               "The overlap above which a detection is dropped, in place of the sidecar's.");
  BindOptional(options, "classes", &Options::answers, &Options::Answers::classes,
               "How many classes there are; an output of another number is an error.");
  BindOptional(options, "filter", &Options::filter, &Options::Filter::file,
               "The file of the model's filter, '' for the one beside it; None: no filter.");
  BindField(options, "filter_check_share", &Options::filter, &Options::Filter::check_share,
            "The share of the inferences that the filter would end which go on all the same.");
  BindField(options, "batch", &Options::runtime, &Options::Runtime::batch,
            "The batch size that is profiled before the first inference.");
  BindField(options, "shapes", &Options::runtime, &Options::Runtime::shapes,
            "By input: the shape that is profiled before the first inference; -1 is a guess.");
  BindField(options, "threads", &Options::runtime, &Options::Runtime::threads,
            "Threads of each run.");
  BindField(options, "provider", &Options::runtime, &Options::Runtime::provider,
            "ONNX Runtime's execution provider: NAME[:key=value,...].");
  BindField(options, "profile", &Options::runtime, &Options::Runtime::profile,
            "File of a profile made before; empty: it is cached or measured now.");
  BindField(options, "preprocessing", &Options::runtime, &Options::Runtime::preprocessing,
            "How pictures become the input, in the form of the sidecar's JSON.");
  BindField(options, "seed", &Options::runtime, &Options::Runtime::seed,
            "Seed of jitter in waits and of the filter's checks.");
}

// The device and what Python needs to know about it.
class PythonDevice {
 public:
  PythonDevice(const std::string& path, DeviceOptions options) {
    has_edge_ = !options.edge.address.empty();
    if (has_edge_) RaiseIfError(UseNetwork());
    absl::StatusOr<std::shared_ptr<Device>> opened = Interruptible(
        [path, options = std::move(options)]() -> absl::StatusOr<std::shared_ptr<Device>> {
          absl::StatusOr<std::unique_ptr<Device>> device = Device::Open(path, options);
          if (!device.ok()) return device.status();
          return std::shared_ptr<Device>(*std::move(device));
        });
    device_ = ValueOrRaise(std::move(opened));
  }

  ~PythonDevice() { Close(); }
  PythonDevice(const PythonDevice&) = delete;
  PythonDevice& operator=(const PythonDevice&) = delete;

  void Close() {
    if (guard_.forked()) {
      NeverDestroy(std::move(device_));
    } else {
      std::shared_ptr<Device> device = std::move(device_);
      const ReleasedGil released;
      device.reset();
    }
    device_ = nullptr;
  }

  nb::tuple Infer(const nb::dict& inputs) const {
    const std::shared_ptr<Device> device = Opened();
    std::vector<NamedTensor> tensors = TensorsOf(inputs);
    const InferenceRecord record = Run([device, tensors] { return device->Infer(tensors); });
    nb::dict arrays = ArraysOf(record.outputs, tensors);
    tensors.clear();
    ReleaseBuried();
    return nb::make_tuple(arrays, RecordFields(record));
  }

  nb::tuple InferPictures(const std::vector<nb::bytes>& files) const {
    const std::shared_ptr<Device> device = Opened();
    std::vector<std::string> contents;
    contents.reserve(files.size());
    for (const nb::bytes& file : files) contents.emplace_back(file.c_str(), file.size());
    const InferenceRecord record =
        Run([device, contents = std::move(contents)] { return device->InferPictures(contents); });
    return nb::make_tuple(ArraysOf(record.outputs, {}), RecordFields(record));
  }

  void SetPolicy(const std::string& policy) const {
    const std::shared_ptr<Device> device = Opened();
    RaiseIfError(Interruptible([device, policy] { return device->SetPolicy(policy); }));
  }

  nb::list Explain(std::int64_t batch) const {
    const std::shared_ptr<Device> device = Opened();
    const absl::StatusOr<std::vector<PlanForecast>> rows =
        Uninterrupted([&] { return device->Explain(batch); });
    return ListOf(ValueOrRaise(rows), ForecastFields);
  }

  std::shared_ptr<Device> Opened() const {
    RaiseIfError(guard_.Check("device"));
    if (device_ != nullptr) return device_;
    throw StatusError(
        absl::FailedPreconditionError("device: found a closed one, expected an open one"));
  }

 private:
  // The wait for an edge may be long, a run on this machine may not.
  template <typename Work>
  InferenceRecord Run(const Work& work) const {
    return ValueOrRaise(has_edge_ ? Interruptible(work) : Uninterrupted(work));
  }

  const ForkGuard guard_;
  std::shared_ptr<Device> device_;  // Null: it was closed.
  bool has_edge_ = false;
};

nb::list SpecsOf(const std::vector<TensorSpec>& specs) {
  return ListOf(specs, [](const TensorSpec& spec) { return SpecFields(spec); });
}

}  // namespace

void BindDevice(nb::module_& module) {
  BindOptions(module);
  nb::class_<PythonDevice>(module, "Device", "A device; cleave.Device wraps it.")
      .def(nb::init<const std::string&, DeviceOptions>(), nb::arg("path"), nb::arg("options"))
      .def("infer", &PythonDevice::Infer, nb::arg("inputs"),
           "Run once; return the outputs by name and the record's other fields.")
      .def("infer_pictures", &PythonDevice::InferPictures, nb::arg("files"),
           "The same on the contents of picture files.")
      .def("set_policy", &PythonDevice::SetPolicy, nb::arg("policy"),
           "Change the policy from the next inference on.")
      .def("explain", &PythonDevice::Explain, nb::arg("batch"),
           "Return the forecast of every candidate plan.")
      .def("close", &PythonDevice::Close, "Let go of the model and the edge.")
      .def("inputs", [](const PythonDevice& self) { return SpecsOf(self.Opened()->inputs()); })
      .def("profiled_inputs",
           [](const PythonDevice& self) { return SpecsOf(self.Opened()->profiled_inputs()); })
      .def("outputs", [](const PythonDevice& self) { return SpecsOf(self.Opened()->outputs()); })
      .def("shape_guesses", [](const PythonDevice& self) { return self.Opened()->shape_guesses(); })
      .def("warnings", [](const PythonDevice& self) { return self.Opened()->warnings(); })
      .def("exits", [](const PythonDevice& self) { return self.Opened()->exits(); })
      .def("candidate_cuts",
           [](const PythonDevice& self) { return self.Opened()->candidate_cuts(); })
      .def("last_cut", [](const PythonDevice& self) { return self.Opened()->last_cut(); })
      .def("edge_usable", [](const PythonDevice& self) { return self.Opened()->edge_usable(); })
      .def("edge_problem", [](const PythonDevice& self) { return self.Opened()->edge_problem(); });
}

}  // namespace cleave::python
