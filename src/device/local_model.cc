#include "device/local_model.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/input_preprocessing.h"
#include "codec/picture.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/named_tensors.h"
#include "core/status_macros.h"
#include "device/detections.h"
#include "model/input_shapes.h"
#include "policy/plan_table.h"
#include "policy/policy_spec.h"

namespace cleave {
namespace {

std::string InputNames(const std::vector<TensorSpec>& specs) {
  return absl::StrJoin(specs, ", ", [](std::string* out, const TensorSpec& spec) {
    absl::StrAppend(out, "'", spec.name, "'");
  });
}

absl::Status CheckType(const TensorSpec& spec, const Tensor& tensor) {
  if (tensor.dtype() == spec.dtype) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("input '", spec.name, "': found type ",
                                                 DataTypeName(tensor.dtype()), ", expected ",
                                                 DataTypeName(spec.dtype)));
}

// The first runs of a session are slow (allocations, cold weights); they are nobody's inference.
// Returns the time of the last run.
absl::StatusOr<double> WarmUp(const LocalExit& exit) {
  constexpr int kRuns = 3;
  double run_us = 0;
  CLEAVE_ASSIGN_OR_RETURN(
      const std::vector<NamedTensor> inputs,
      RandomInputs(exit.model.table.inputs.specs, 1, exit.model.graph->value_hints()));
  for (int i = 0; i < kRuns; ++i) {
    CLEAVE_ASSIGN_OR_RETURN(const ChainResult run,
                            exit.chain().Run(0, exit.chain().segments(), inputs));
    run_us = static_cast<double>(run.run_us);
  }
  return run_us;
}

// The profile in this file. Where none is given, it comes from the cache or is measured.
absl::StatusOr<Profile> FindProfile(const ExitModel& model, const std::string& file,
                                    const DeviceOptions& options, const RuntimeOptions& runtime) {
  if (file.empty()) {
    const InputShapes shapes = ShapesOf(model.table.inputs.specs);
    return LoadOrMeasureProfile(*model.chain, runtime, {shapes}, {}, [&](double share) {
      if (options.on_progress) {
        options.on_progress("measuring the profile", share);
      }
    });
  }
  CLEAVE_ASSIGN_OR_RETURN(Profile profile,
                          Profile::Load(file, MakeProfileKey(*model.chain, runtime)));
  if (profile.empty()) return FieldError(absl::StrCat(file, ": points"), "none", "at least one");
  return profile;
}

// The time of decoding a picture of the size that the model sees, until real ones tell.
absl::StatusOr<double> TimePicture(const Preprocessing& how) {
  constexpr int kRuns = 3;
  constexpr std::size_t kChannels = 3;
  constexpr int kQuality = 90;
  const auto side = static_cast<std::size_t>(how.height) * static_cast<std::size_t>(how.width);
  std::vector<std::uint8_t> pixels(side * kChannels);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(i * i / pixels.size());
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::string file,
                          EncodeJpeg(pixels, how.height, how.width, kQuality));
  std::int64_t best_us = std::numeric_limits<std::int64_t>::max();
  for (int i = 0; i < kRuns; ++i) {
    const std::int64_t start_us = Clock::Steady().NowUs();
    CLEAVE_RETURN_IF_ERROR(ImageToTensor(file, how, "made-up picture").status());
    best_us = std::min(best_us, Clock::Steady().NowUs() - start_us);
  }
  return static_cast<double>(best_us);
}

absl::StatusOr<int> MainExit(const Graph& graph, const DeviceOptions& options) {
  const int last = graph.exit_count() - 1;
  const int exit = options.plans.exit.value_or(last);
  if (exit >= 0 && exit <= last) return exit;
  return absl::InvalidArgumentError(absl::StrCat(
      "exit: found ", exit, ", expected 0 to ", last, " (",
      last == 0 ? "the model has no early exits" : absl::StrJoin(graph.exits(), ", "), ")"));
}

// A calibration that is not there is no error; one that does not fit is.
absl::StatusOr<std::optional<AccuracyTable>> FindAccuracy(const std::string& model_path,
                                                          const Graph& graph) {
  absl::StatusOr<AccuracyTable> table = AccuracyTable::Load(model_path, graph.digest());
  if (table.ok()) return *std::move(table);
  if (absl::IsNotFound(table.status())) return std::nullopt;
  return table.status();
}

// Null without a file; a warning for one that cannot be used.
std::shared_ptr<const CodecFile> FindCodecs(const std::string& model_path, const Graph& graph,
                                            std::vector<std::string>& warnings) {
  absl::StatusOr<std::shared_ptr<const CodecFile>> codecs =
      CodecFile::OfModel(model_path, graph.digest());
  if (codecs.ok()) return *std::move(codecs);
  if (!absl::IsNotFound(codecs.status())) {
    warnings.push_back(absl::StrCat("t1 to t6 are left out: ", codecs.status().message()));
  }
  return nullptr;
}

// Null where the options ask for none.
absl::StatusOr<std::shared_ptr<const FilterFile>> FindFilter(const std::string& model_path,
                                                             const Graph& graph,
                                                             const DeviceOptions& options) {
  if (!options.filter.file) return nullptr;
  if (graph.exit_count() > 1) {
    return FieldError("filter", "a model with early exits", "one without");
  }
  return FilterFile::Load(*options.filter.file, model_path, graph.digest());
}

// `inputs` are the model's, with every dimension known.
absl::StatusOr<std::optional<Preprocessing>> FindPreprocessing(
    const std::string& model_path, const std::vector<TensorSpec>& inputs,
    const DeviceOptions& options) {
  if (inputs.size() != 1 || !TakesPictures(inputs[0])) return std::nullopt;
  CLEAVE_ASSIGN_OR_RETURN(const Preprocessing how, PreprocessingFor(inputs[0], model_path, {}));
  if (options.runtime.preprocessing.empty()) return how;
  return Preprocessing::FromJson(options.runtime.preprocessing, "preprocessing", how);
}

// The cut of a fixed policy is a candidate even where `cuts` leaves it out.
absl::StatusOr<ExitModelsOptions> BuildOptions(const DeviceOptions& options,
                                               const RuntimeOptions& runtime) {
  ExitModelsOptions build;
  CLEAVE_ASSIGN_OR_RETURN(build.cuts, CandidateSpec::Parse(options.plans.cuts));
  build.extra_cut = FixedCut(options.plans.policy);
  build.inputs.batch = options.runtime.batch;
  build.inputs.shapes = options.runtime.shapes;
  build.runtime = runtime;
  build.on_progress = [&options](int done, int total) {
    if (!options.on_progress) return;
    options.on_progress("building segments", static_cast<double>(done) / total);
  };
  return build;
}

}  // namespace

double LocalExit::TimeUs(int from_cut, int to_cut, const InputShapes& shapes) const {
  return profile.TimeUs(chain().BoundaryOf(from_cut), chain().BoundaryOf(to_cut), shapes);
}

std::optional<double> LocalModel::AccuracyOfExit(int exit) const {
  if (!accuracy) return std::nullopt;
  for (const AccuracyRow& row : accuracy->rows()) {
    if (row.plan.exit == exit && IsExact(row.plan.encoding)) return accuracy->AccuracyOf(row);
  }
  return std::nullopt;
}

absl::StatusOr<LocalModel> LocalModel::Load(const std::string& model_path,
                                            const DeviceOptions& options) {
  RuntimeOptions runtime;
  runtime.threads = options.runtime.threads;
  CLEAVE_ASSIGN_OR_RETURN(runtime.provider, ProviderSpec::Parse(options.runtime.provider));
  CLEAVE_RETURN_IF_ERROR(runtime.Validate());

  if (options.on_progress) options.on_progress("reading the model", 0);
  LocalModel model;
  CLEAVE_ASSIGN_OR_RETURN(model.graph, Graph::Load(model_path));
  CLEAVE_ASSIGN_OR_RETURN(model.main_exit, MainExit(*model.graph, options));
  model.only_main_exit = options.plans.exit.has_value();
  CLEAVE_ASSIGN_OR_RETURN(model.accuracy, FindAccuracy(model_path, *model.graph));
  model.codecs = FindCodecs(model_path, *model.graph, model.warnings);
  CLEAVE_ASSIGN_OR_RETURN(ExitModelsOptions build, BuildOptions(options, runtime));
  if (model.codecs) build.cuts.tensors = model.codecs->Tensors();
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const FilterFile> filter,
                          FindFilter(model_path, *model.graph, options));
  if (filter != nullptr) {
    build.cuts.tensors.insert(filter->about().tensors.begin(), filter->about().tensors.end());
    model.filter.emplace(filter, options.filter.check_share, options.runtime.seed);
  }
  CLEAVE_ASSIGN_OR_RETURN(std::vector<ExitModel> exits, BuildExitModels(model.graph, build));
  for (ExitModel& exit : exits) {
    // A file that was given holds the main exit's profile.
    const bool main = exit.exit() == model.main_exit;
    CLEAVE_ASSIGN_OR_RETURN(
        Profile profile,
        FindProfile(exit, main ? options.runtime.profile : std::string(), options, runtime));
    const bool follow = !ShapesDependOnData(*exit.graph);
    model.exits.push_back({std::move(exit), std::move(profile), follow});
  }
  if (filter != nullptr) {
    CLEAVE_RETURN_IF_ERROR(CheckFilterFits(*filter, model.main().model));
  }
  CLEAVE_ASSIGN_OR_RETURN(
      model.pictures,
      FindPreprocessing(model_path, model.main().model.table.inputs.specs, options));
  CLEAVE_ASSIGN_OR_RETURN(model.detections, FindDetections(model_path, model, options.answers));
  if (model.detections) {
    for (LocalExit& exit : model.exits) {
      exit.last_detecting_cut = LastDetectingCut(exit.model, *model.detections);
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(model.warm_run_us, WarmUp(model.main()));
  if (model.pictures) {
    CLEAVE_ASSIGN_OR_RETURN(model.picture_us, TimePicture(*model.pictures));
  }
  return model;
}

absl::StatusOr<InputShapes> CheckInputs(const Graph& graph,
                                        const std::vector<NamedTensor>& inputs) {
  const std::vector<TensorSpec>& specs = graph.inputs();
  for (const NamedTensor& input : inputs) {
    const bool known = std::any_of(specs.begin(), specs.end(),
                                   [&](const TensorSpec& spec) { return spec.name == input.name; });
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", input.name, "': the model has none of this name, expected ",
                       InputNames(specs)));
    }
  }
  for (const TensorSpec& spec : specs) {
    const Tensor* input = FindTensor(inputs, spec.name);
    if (input == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("input '", spec.name, "': missing"));
    }
    CLEAVE_RETURN_IF_ERROR(CheckType(spec, *input));
  }
  if (inputs.size() != specs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("inputs: found ", inputs.size(), ", expected ",
                                                   specs.size(), ": ", InputNames(specs)));
  }
  InputShapes shapes = ShapesOf(graph, inputs);
  CLEAVE_RETURN_IF_ERROR(CheckShapes(graph, shapes));
  return shapes;
}

}  // namespace cleave
