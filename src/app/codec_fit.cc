#include "app/codec_fit.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/input_source.h"
#include "app/output_metric.h"
#include "app/samples.h"
#include "core/check.h"
#include "core/in_parallel.h"
#include "core/named_tensors.h"
#include "core/sha256.h"
#include "core/shuffle.h"
#include "core/status_macros.h"
#include "fit/tensor_fit.h"
#include "model/graph.h"
#include "runtime/exit_models.h"

namespace cleave::app {
namespace {

using Tensors = std::vector<NamedTensor>;

// What a sample is on its way through the model.
struct SampleRun {
  Tensors live;     // At the cut at hand.
  Tensors early;    // Outputs that the head has made.
  Tensors outputs;  // Of the whole model.
};

class CodecFitter {
 public:
  explicit CodecFitter(const CodecFitOptions& options) : options_(options) {}

  absl::StatusOr<CodecFit> Run() {
    CLEAVE_RETURN_IF_ERROR(Open());
    CLEAVE_RETURN_IF_ERROR(ReadSamples());
    fit_.about.model_digest = graph_->digest();
    fit_.about.data_digest = data_.HexDigest();
    fit_.about.samples = static_cast<std::int64_t>(runs_.size());
    const Chain& chain = *exit_->chain;
    for (int boundary = 1; boundary < chain.segments(); ++boundary) {
      CLEAVE_RETURN_IF_ERROR(Advance(boundary));
      CLEAVE_RETURN_IF_ERROR(FitCut(boundary));
    }
    if (!fit_.codecs.empty()) return std::move(fit_);
    return FieldError(options_.model, "no tensor that a codec can be fitted to",
                      fit_.tensors.empty() ? "a cut between input and outputs"
                                           : absl::StrCat("one; '", fit_.tensors.front().tensor,
                                                          "': ", fit_.tensors.front().left_out));
  }

 private:
  absl::Status Open() {
    CLEAVE_ASSIGN_OR_RETURN(graph_, Graph::Load(options_.model));
    ExitModelsOptions exits;
    exits.inputs = options_.inputs;
    exits.inputs.batch.reset();
    exits.cuts = options_.cuts;
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<ExitModel> tables, BuildExitTables(graph_, exits));
    if (options_.tensors.empty()) {
      SettleCuts(tables.back(), exits.cuts);
    } else {
      CLEAVE_RETURN_IF_ERROR(FindCuts(tables.back(), exits.cuts));
    }
    exits.runtime = options_.runtime;
    exits.on_progress = [this](int done, int total) {
      if (options_.on_progress) options_.on_progress("building segments", double(done) / total);
    };
    CLEAVE_ASSIGN_OR_RETURN(exits_, BuildExitModels(graph_, exits));
    exit_ = &exits_.back();
    CLEAVE_ASSIGN_OR_RETURN(metric_, OutputMetric::Of(options_.model, exit_->table.inputs.specs,
                                                      exit_->table.cuts.back().tensors));
    return absl::OkStatus();
  }

  // Finds the cuts whose tensors get codecs, which become candidates.
  void SettleCuts(const ExitModel& exit, CandidateSpec& spec) {
    for (const int candidate : exit.candidates) {
      if (candidate == 0 || candidate == exit.last_cut()) continue;
      const int cut = SettledCut(exit.table, candidate);
      const std::vector<std::string>& tensors =
          exit.table.cuts[static_cast<std::size_t>(cut)].cut.tensors;
      cuts_.insert(cut);
      spec.tensors.insert(tensors.begin(), tensors.end());
    }
  }

  // Finds the cuts of the tensors that are asked for, which become candidates.
  absl::Status FindCuts(const ExitModel& exit, CandidateSpec& spec) {
    for (const std::string& tensor : options_.tensors) {
      const auto& cuts = exit.table.cuts;
      const auto found = std::find_if(cuts.begin(), cuts.end(), [&](const CutInfo& info) {
        return info.cut.tensors == std::vector<std::string>{tensor} && info.obstacle.empty();
      });
      if (found == cuts.end()) {
        return FieldError(absl::StrCat(options_.model, ": tensor '", tensor, "'"),
                          "no cut of it alone", "one (cleave inspect --cuts all)");
      }
      cuts_.insert(found->cut.index);
      spec.tensors.insert(tensor);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> Sources() {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<std::string> pictures, FindPictures(options_.data));
    fit_.pictures = !pictures.empty();
    if (!fit_.pictures) return std::vector<std::string>{options_.data};
    std::erase_if(pictures,
                  [](const std::string& path) { return !BelongsTo(SamplePart::kFitting, path); });
    std::mt19937_64 random(options_.seed);
    Shuffle(pictures, random);
    const std::size_t count = std::min(pictures.size(), static_cast<std::size_t>(options_.samples));
    pictures.resize(count);
    std::sort(pictures.begin(), pictures.end());
    if (pictures.empty()) return FieldError(options_.data, "no picture to fit to", "some");
    return pictures;
  }

  absl::Status ReadSamples() {
    InputOptions inputs;
    CLEAVE_ASSIGN_OR_RETURN(inputs.sources, Sources());
    inputs.resolved = exit_->table.inputs.specs;
    inputs.model_path = options_.model;
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<InputSource> source,
                            InputSource::Open(graph_->inputs(), inputs));
    const std::int64_t count =
        std::min(source->batches().value_or(options_.samples), options_.samples);
    const Chain& chain = *exit_->chain;
    for (std::int64_t i = 0; i < count; ++i) {
      if (options_.on_progress) {
        options_.on_progress("reading samples", static_cast<double>(i) / double(count));
      }
      CLEAVE_ASSIGN_OR_RETURN(Tensors tensors, source->Next());
      for (const NamedTensor& named : tensors) data_.Update(named.tensor.bytes());
      SampleRun run;
      CLEAVE_ASSIGN_OR_RETURN(run.outputs, RunToOutputs(chain, 0, tensors, {}));
      run.live = std::move(tensors);
      runs_.push_back(std::move(run));
    }
    return absl::OkStatus();
  }

  // Takes every sample from the boundary before to this one.
  absl::Status Advance(int boundary) {
    for (SampleRun& run : runs_) {
      CLEAVE_ASSIGN_OR_RETURN(ChainResult next,
                              exit_->chain->Run(boundary - 1, boundary, run.live));
      run.live = std::move(next.tensors);
      AddMissing(next.early_outputs, run.early);
    }
    return absl::OkStatus();
  }

  absl::Status FitCut(int boundary) {
    const int cut = exit_->candidates[static_cast<std::size_t>(boundary)];
    if (!cuts_.contains(cut)) return absl::OkStatus();
    for (std::size_t i = 0; i < runs_.front().live.size(); ++i) {
      const std::string name = runs_.front().live[i].name;
      if (!seen_.insert(name).second) continue;
      FittedTensor fitted = {cut, name, ""};
      absl::StatusOr<TensorCodecParameters> codec = FitTensor(boundary, i, cut);
      if (absl::IsInvalidArgument(codec.status())) {
        fitted.left_out = std::string(codec.status().message());
      } else {
        CLEAVE_RETURN_IF_ERROR(codec.status());
        fit_.codecs.emplace(name, *std::move(codec));
      }
      fit_.tensors.push_back(std::move(fitted));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<TensorCodecParameters> FitTensor(int boundary, std::size_t which, int cut) {
    std::vector<Tensor> samples;
    samples.reserve(runs_.size());
    for (const SampleRun& run : runs_) samples.push_back(run.live[which].tensor);
    const Respond respond = [&](std::size_t sample,
                                const Tensor& changed) -> absl::StatusOr<Response> {
      const SampleRun& run = runs_[sample];
      Tensors inputs = run.live;
      inputs[which].tensor = changed;
      CLEAVE_ASSIGN_OR_RETURN(const Tensors outputs,
                              RunToOutputs(*exit_->chain, boundary, inputs, run.early));
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<float> change,
                              metric_->Change(run.outputs, outputs));
      return Sketch(change);
    };
    TensorFitOptions fit;
    fit.probed_samples_per_band = options_.probed_samples_per_band;
    fit.finest_distortion = metric_->finest_distortion();
    fit.seed = options_.seed;
    fit.threads = UsualThreads();
    fit.on_progress = [&](const std::string& what, double share) {
      if (!options_.on_progress) return;
      options_.on_progress(absl::StrCat("cut ", cut, ": ", what), share);
    };
    return FitTensorCodec(samples, respond, fit);
  }

  const CodecFitOptions& options_;
  std::shared_ptr<const Graph> graph_;
  std::vector<ExitModel> exits_;
  const ExitModel* exit_ = nullptr;  // The last one.
  std::optional<OutputMetric> metric_;
  std::vector<SampleRun> runs_;
  std::set<int> cuts_;          // Those whose tensors get codecs.
  std::set<std::string> seen_;  // Names of tensors.
  Sha256 data_;
  CodecFit fit_;
};

}  // namespace

absl::Status CodecFitOptions::Validate() const {
  if (samples < 1) return FieldError("samples", absl::StrCat(samples), "at least 1");
  if (probed_samples_per_band < 1) {
    return FieldError("probed_samples_per_band", absl::StrCat(probed_samples_per_band),
                      "at least 1");
  }
  return runtime.Validate();
}

absl::StatusOr<CodecFit> FitCodecs(const CodecFitOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  return CodecFitter(options).Run();
}

}  // namespace cleave::app
