#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "app/calibrate.h"
#include "app/codec_fit.h"
#include "app/verify.h"
#include "bindings.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "interruptible.h"
#include "model/cuts.h"
#include "model/graph.h"
#include "runtime/exit_models.h"
#include "status_error.h"

namespace cleave::python {
namespace {

namespace nb = nanobind;

using Shapes = std::map<std::string, Shape>;

nb::list SpecsOf(const std::vector<TensorSpec>& specs) {
  return ListOf(specs, [](const TensorSpec& spec) { return SpecFields(spec); });
}

nb::list TextsOf(const std::vector<std::string>& texts) {
  return ListOf(texts, [](const std::string& text) { return TextFromOutside(text); });
}

// Where an exit of a model can be cut.
struct Inspected {
  std::shared_ptr<const Graph> graph;
  int exit = 0;
  CutTable table;
  std::vector<int> candidates;
};

absl::StatusOr<Inspected> InspectExit(const std::string& path, std::optional<std::int64_t> batch,
                                      const Shapes& shapes, const std::string& cuts,
                                      std::optional<int> exit) {
  Inspected inspected;
  CLEAVE_ASSIGN_OR_RETURN(inspected.graph, Graph::Load(path));
  inspected.exit = exit.value_or(inspected.graph->exit_count() - 1);
  CLEAVE_RETURN_IF_ERROR(inspected.graph->ForExit(inspected.exit).status());
  ExitModelsOptions options;
  options.inputs = {.batch = batch, .shapes = shapes};
  CLEAVE_ASSIGN_OR_RETURN(options.cuts, CandidateSpec::Parse(cuts));
  CLEAVE_ASSIGN_OR_RETURN(std::vector<ExitModel> exits, BuildExitTables(inspected.graph, options));
  inspected.table = std::move(exits[inspected.exit].table);
  inspected.candidates = std::move(exits[inspected.exit].candidates);
  return inspected;
}

nb::dict CutFields(const CutInfo& info) {
  nb::dict fields;
  fields["index"] = info.cut.index;
  fields["tensors"] = SpecsOf(info.tensors);
  fields["elements"] = info.elements;
  fields["bytes"] = info.bytes;
  fields["compression_ratio"] = info.compression_ratio;
  fields["natural_bottleneck"] = info.natural_bottleneck;
  fields["frontier"] = info.frontier;
  fields["macs_before"] = info.macs_before;
  fields["obstacle"] = TextFromOutside(info.obstacle);
  return fields;
}

nb::dict Inspect(const std::string& path, std::optional<std::int64_t> batch, const Shapes& shapes,
                 const std::string& cuts, std::optional<int> exit) {
  const Inspected inspected =
      ValueOrRaise(Interruptible([=] { return InspectExit(path, batch, shapes, cuts, exit); }));
  nb::dict fields;
  fields["model"] = TextFromOutside(path);
  fields["digest"] = inspected.table.digest;
  fields["exit"] = inspected.exit;
  fields["exits"] = TextsOf(inspected.graph->exits());
  fields["batch"] = inspected.table.batch;
  fields["inputs"] = SpecsOf(inspected.table.inputs.specs);
  fields["shape_guesses"] = TextsOf(inspected.table.inputs.guesses);
  fields["total_macs"] = inspected.table.total_macs;
  fields["candidates"] = inspected.candidates;
  fields["cuts"] = ListOf(inspected.table.cuts, CutFields);
  return fields;
}

absl::StatusOr<app::VerifyReport> VerifyExit(const std::string& path, std::optional<int> exit,
                                             const std::string& cuts, app::VerifyOptions options) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> graph, Graph::Load(path));
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> part,
                          graph->ForExit(exit.value_or(graph->exit_count() - 1)));
  CLEAVE_ASSIGN_OR_RETURN(options.cuts, CandidateSpec::Parse(cuts));
  return app::Verify(part, options);
}

nb::dict VerdictFields(const app::CutVerdict& verdict) {
  nb::dict fields;
  fields["index"] = verdict.index;
  fields["max_abs_error"] = verdict.max_abs_error;
  fields["relative_error"] = verdict.relative_error;
  fields["bit_exact"] = verdict.bit_exact;
  fields["time_ratio"] = verdict.time_ratio;
  return fields;
}

nb::dict Verify(const std::string& path, std::optional<std::int64_t> batch, const Shapes& shapes,
                const std::string& cuts, std::optional<int> exit, int threads, double tolerance) {
  app::VerifyOptions options;
  options.inputs = {.batch = batch, .shapes = shapes};
  options.runtime.threads = threads;
  options.tolerance = tolerance;
  RaiseIfError(options.runtime.Validate());
  const app::VerifyReport report =
      ValueOrRaise(Interruptible([=] { return VerifyExit(path, exit, cuts, options); }));
  nb::dict fields;
  fields["model"] = TextFromOutside(report.model);
  fields["inputs"] = SpecsOf(report.inputs.specs);
  fields["cuts"] = ListOf(report.cuts, VerdictFields);
  fields["worst_abs_error"] = report.worst_abs_error;
  fields["worst_relative_error"] = report.worst_relative_error;
  fields["time_ratio_median"] = report.time_ratio_median;
  fields["tolerance"] = report.tolerance;
  fields["random"] = report.random;
  fields["within_tolerance"] = report.within_tolerance();
  return fields;
}

nb::dict RowFields(const AccuracyTable& table, const AccuracyRow& row) {
  const ShareInterval interval = table.IntervalOf(row);
  nb::dict fields = PlanFields(row.plan);
  fields["accuracy"] = table.AccuracyOf(row);
  fields["low"] = interval.low;
  fields["high"] = interval.high;
  fields["right"] = row.detection ? nb::none() : nb::cast(row.right);
  fields["accuracy_at_50"] = row.detection ? nb::cast(row.detection->at_50) : nb::none();
  fields["bytes"] = row.bytes;
  fields["entropy_bytes"] = row.entropy_bytes;
  return fields;
}

nb::dict Calibrate(const std::string& path, const std::string& data, const std::string& labels,
                   std::int64_t samples, std::uint64_t seed,
                   const std::optional<std::vector<std::string>>& encodings,
                   const std::string& cuts, std::int64_t batch, const Shapes& shapes, int threads,
                   bool save) {
  app::CalibrateOptions options;
  options.model = path;
  options.data.data = data;
  options.data.labels = labels;
  options.data.samples = samples;
  options.data.seed = seed;
  if (encodings) {
    options.encodings.clear();
    for (const std::string& name : *encodings) {
      options.encodings.push_back(ValueOrRaise(ParseEncoding(name)));
    }
  }
  options.cuts = ValueOrRaise(CandidateSpec::Parse(cuts));
  options.inputs.shapes = shapes;
  options.batch = batch;
  options.runtime.threads = threads;
  const app::Calibration calibration =
      ValueOrRaise(Interruptible([options] { return app::Calibrate(options); }));
  const AccuracyTable& table = calibration.table;
  nb::dict fields;
  fields["model"] = TextFromOutside(calibration.model);
  fields["exits"] = TextsOf(calibration.exits);
  fields["digest"] = table.about().model_digest;
  fields["data_digest"] = table.about().data_digest;
  fields["samples"] = table.about().samples;
  fields["seed"] = table.about().seed;
  fields["labels"] = table.about().labels;
  fields["metric"] = std::string(AccuracyTable::MetricName(table.about().metric));
  fields["rows"] =
      ListOf(table.rows(), [&](const AccuracyRow& row) { return RowFields(table, row); });
  fields["sidecar"] = save ? TextFromOutside(ValueOrRaise(table.Save(path))) : nb::none();
  return fields;
}

nb::dict FittedFields(const app::CodecFit& fit, const app::FittedTensor& fitted) {
  nb::list rates;
  if (const auto codec = fit.codecs.find(fitted.tensor); codec != fit.codecs.end()) {
    for (const auto& rate : codec->second.rates) rates.append(rate.mean_bytes);
  }
  nb::dict fields;
  fields["cut"] = fitted.cut;
  fields["tensor"] = TextFromOutside(fitted.tensor);
  fields["left_out"] = TextFromOutside(fitted.left_out);
  fields["bytes_for_each_element"] = rates;
  return fields;
}

nb::dict FitCodec(const std::string& path, const std::string& data, std::int64_t samples,
                  std::uint64_t seed, const std::string& cuts,
                  const std::vector<std::string>& tensors, const Shapes& shapes, int probes,
                  int threads, const std::optional<std::string>& out) {
  app::CodecFitOptions options;
  options.model = path;
  options.data = data;
  options.samples = samples;
  options.seed = seed;
  options.cuts = ValueOrRaise(CandidateSpec::Parse(cuts));
  options.tensors = {tensors.begin(), tensors.end()};
  options.inputs.shapes = shapes;
  options.probed_samples_per_band = probes;
  options.runtime.threads = threads;
  const app::CodecFit fit =
      ValueOrRaise(Interruptible([options] { return app::FitCodecs(options); }));
  const std::string bytes = CodecFile::Write(fit.about, fit.codecs);
  const std::string file = out.value_or(CodecFile::PathFor(path));
  const auto written = ValueOrRaise(CodecFile::Read(bytes, file));
  RaiseIfError(WriteFileAtomically(file, bytes));
  nb::dict fields;
  fields["model"] = TextFromOutside(path);
  fields["codec"] = TextFromOutside(file);
  fields["digest"] = written->digest();
  fields["model_digest"] = fit.about.model_digest;
  fields["data_digest"] = fit.about.data_digest;
  fields["samples"] = fit.about.samples;
  fields["tensors"] = ListOf(
      fit.tensors, [&](const app::FittedTensor& fitted) { return FittedFields(fit, fitted); });
  return fields;
}

}  // namespace

void BindTools(nb::module_& module) {
  module.def("inspect", &Inspect, nb::arg("path"), nb::arg("batch").none(), nb::arg("shapes"),
             nb::arg("cuts"), nb::arg("exit").none(), "Return the fields of cleave.Inspection.");
  module.def("verify", &Verify, nb::arg("path"), nb::arg("batch").none(), nb::arg("shapes"),
             nb::arg("cuts"), nb::arg("exit").none(), nb::arg("threads"), nb::arg("tolerance"),
             "Return the fields of cleave.VerifyReport.");
  module.def("calibrate", &Calibrate, nb::arg("path"), nb::arg("data"), nb::arg("labels"),
             nb::arg("samples"), nb::arg("seed"), nb::arg("encodings").none(), nb::arg("cuts"),
             nb::arg("batch"), nb::arg("shapes"), nb::arg("threads"), nb::arg("save"),
             "Return the fields of cleave.Calibration.");
  module.def("fit_codec", &FitCodec, nb::arg("path"), nb::arg("data"), nb::arg("samples"),
             nb::arg("seed"), nb::arg("cuts"), nb::arg("tensors"), nb::arg("shapes"),
             nb::arg("probes"), nb::arg("threads"), nb::arg("out").none(),
             "Return the fields of cleave.CodecFit.");
}

}  // namespace cleave::python
