// Exit heads for a network that is there already: features once, heads on top, proof at the end.
// Reads from top to bottom.
#include "learn/fit_exits.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "learn/exit_heads.h"
#include "learn/exits_card.h"
#include "learn/exits_proof.h"
#include "learn/pooled_features.h"
#include "model/attach_exits.h"
#include "model/input_shapes.h"
#include "runtime/chain.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxBatch = 1 << 12;
constexpr double kUsPerSecond = 1e6;
constexpr std::size_t kMaxFeatureBytes = std::size_t{4} << 30;
// A batch that hardly a dimension of a network has by chance tells which dimension is the batch.
constexpr std::int64_t kTellingBatch = 3;

// What is known of the model before a picture is read.
struct Backbone {
  std::shared_ptr<const Graph> graph;
  CutTable table;
  std::vector<ExitPlace> places;
  Preprocessing how;
  TensorSpec last;  // The first output, at the table's batch.

  std::size_t batch(int wanted) const {
    return static_cast<std::size_t>(FixedBatch(*graph) != 0 ? FixedBatch(*graph) : wanted);
  }
};

absl::Status CheckSize(const TensorSpec& input, const Preprocessing& how,
                       const std::string& model) {
  const Shape made = how.InputShape(-1);
  for (std::size_t i = 1; i < made.size(); ++i) {
    if (input.shape[i] >= 0 && input.shape[i] != made[i]) {
      return FieldError(absl::StrCat(model, ": input '", input.name, "'"), ShapeString(input.shape),
                        absl::StrCat("what pictures become: ", ShapeString(made)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Backbone> LoadBackbone(const FitExitsOptions& options) {
  Backbone backbone;
  CLEAVE_ASSIGN_OR_RETURN(backbone.graph, Graph::Load(options.model));
  const Graph& graph = *backbone.graph;
  CLEAVE_RETURN_IF_ERROR(CheckTakesExits(graph));
  if (graph.inputs().size() != 1) {
    return FieldError(options.model, absl::StrCat(graph.inputs().size(), " inputs"),
                      "one, a picture");
  }
  const TensorSpec& input = graph.inputs().front();
  const std::string what = absl::StrCat(options.model, ": input '", input.name, "'");
  CLEAVE_RETURN_IF_ERROR(CheckTakesPictures(input, what));
  if (input.dtype != DataType::kFloat32) {
    return FieldError(what, DataTypeName(input.dtype), "FP32, in which exits are trained");
  }
  CLEAVE_ASSIGN_OR_RETURN(backbone.how,
                          PreprocessingFor(input, options.model, options.preprocessing));
  CLEAVE_RETURN_IF_ERROR(CheckSize(input, backbone.how, options.model));
  const std::int64_t batch = FixedBatch(graph) != 0 ? FixedBatch(graph) : kTellingBatch;
  CLEAVE_ASSIGN_OR_RETURN(const CutList cuts, EnumerateCuts(graph));
  ShapeRequest request;
  request.batch = batch;
  CLEAVE_ASSIGN_OR_RETURN(ProbedShapes probed, ProbeShapes(graph, request));
  CLEAVE_ASSIGN_OR_RETURN(backbone.table, MakeCutTable(graph, cuts, probed.inputs, probed.tensors));
  CLEAVE_ASSIGN_OR_RETURN(backbone.places, FindExitPlaces(graph, backbone.table, options.cuts));
  backbone.last = probed.tensors[graph.outputs().front().name];
  return backbone;
}

std::vector<ExitHead> AsExitHeads(const std::vector<ExitPlace>& places,
                                  const std::vector<LinearHead>& heads) {
  std::vector<ExitHead> exits;
  for (std::size_t i = 0; i < places.size(); ++i) {
    exits.push_back({places[i].tensor.name, places[i].tensor.shape.size(),
                     static_cast<std::int64_t>(heads[i].bias.size()), heads[i].weights,
                     heads[i].bias});
  }
  return exits;
}

// Finds out before the work whether the model takes exits and the file can lie where it shall.
absl::Status CheckAttachable(const FitExitsOptions& options, const Backbone& backbone,
                             std::size_t classes) {
  std::vector<LinearHead> empty;
  for (const ExitPlace& place : backbone.places) {
    const std::size_t weights = classes * static_cast<std::size_t>(place.features());
    empty.push_back({std::vector<float>(weights), std::vector<float>(classes), 0, 0});
  }
  CLEAVE_ASSIGN_OR_RETURN(const ModelWithExits model,
                          AttachExits(*backbone.graph, AsExitHeads(backbone.places, empty)));
  std::error_code unknown;
  const std::string folder = fs::absolute(options.out).parent_path().string();
  if (model.external_data && !fs::equivalent(folder, backbone.graph->folder(), unknown)) {
    return FieldError("out", absl::StrCat("the folder ", folder),
                      absl::StrCat(backbone.graph->folder(),
                                   ", as the model's external data lies there and stays there"));
  }
  return absl::OkStatus();
}

// Whether the first output is logits of so many classes, as the exits' are.
bool HasClasses(const TensorSpec& output, std::size_t classes) {
  return output.dtype == DataType::kFloat32 && output.shape.size() == 2 &&
         output.shape[1] == static_cast<std::int64_t>(classes);
}

// The work after the data is at hand.
class Fitting {
 public:
  Fitting(const FitExitsOptions& options, const Backbone& backbone,
          const LabelledPictures& pictures)
      : options_(options),
        backbone_(backbone),
        pictures_(pictures),
        batch_(backbone.batch(options.batch)) {
    runtime_.threads = options.threads;
  }

  absl::StatusOr<FitExitsOutcome> Run() {
    const std::int64_t start_us = Clock::Steady().NowUs();
    CLEAVE_ASSIGN_OR_RETURN(
        const PooledFeatures extractor,
        PooledFeatures::Create(backbone_.graph, backbone_.table, backbone_.places, runtime_));
    CLEAVE_RETURN_IF_ERROR(TrainHeads(extractor));
    CLEAVE_ASSIGN_OR_RETURN(const ModelWithExits model,
                            AttachExits(*backbone_.graph, AsExitHeads(backbone_.places, heads_)));
    Describe(model);
    CLEAVE_RETURN_IF_ERROR(ProveAndKeep(model, extractor));
    outcome_.classes = pictures_.classes();
    outcome_.train_pictures = pictures_.labels(Part::kTrain).size();
    outcome_.test_pictures = pictures_.labels(Part::kTest).size();
    outcome_.backbone_digest = backbone_.graph->digest();
    CLEAVE_ASSIGN_OR_RETURN(outcome_.data_digest, pictures_.Digest());
    outcome_.seconds = static_cast<double>(Clock::Steady().NowUs() - start_us) / kUsPerSecond;
    return std::move(outcome_);
  }

 private:
  std::size_t classes() const { return pictures_.classes().size(); }

  void Tell(const std::string& what, double share) const {
    if (options_.on_progress) options_.on_progress(what, share);
  }

  // Calls work(batch, first, count) for all pictures of a part.
  template <typename Work>
  absl::Status ForEachBatch(Part part, const std::string& what, const Work& work) const {
    const std::size_t all = pictures_.labels(part).size();
    for (std::size_t first = 0; first < all; first += batch_) {
      if (options_.cancel.cancelled()) return absl::CancelledError("stopped");
      const std::size_t count = std::min(batch_, all - first);
      const std::size_t rows = FixedBatch(*backbone_.graph) != 0 ? batch_ : count;
      CLEAVE_ASSIGN_OR_RETURN(const Tensor batch, pictures_.Batch(part, first, count, rows));
      CLEAVE_RETURN_IF_ERROR(work(batch, first, count));
      Tell(what, static_cast<double>(first + count) / static_cast<double>(all));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<HeadSamples>> TrainingSamples(const PooledFeatures& extractor) const {
    const std::vector<int>& labels = pictures_.labels(Part::kTrain);
    std::vector<HeadSamples> samples;
    std::size_t numbers = 0;
    for (const ExitPlace& place : extractor.places()) {
      samples.push_back({{}, labels, place.features()});
      numbers += labels.size() * static_cast<std::size_t>(place.features());
    }
    if (numbers > kMaxFeatureBytes / sizeof(float)) {
      return absl::ResourceExhaustedError(
          absl::StrCat("features: found ", numbers, " numbers of ", labels.size(),
                       " pictures, expected at most ", kMaxFeatureBytes / sizeof(float),
                       " (fewer samples or cuts)"));
    }
    const auto add = [&](const Tensor& batch, std::size_t, std::size_t count) {
      const auto features = extractor.Run(batch);
      for (std::size_t i = 0; features.ok() && i < samples.size(); ++i) {
        const auto wanted = static_cast<std::ptrdiff_t>(count) * samples[i].width;
        samples[i].features.insert(samples[i].features.end(), (*features)[i].begin(),
                                   (*features)[i].begin() + wanted);
      }
      return features.status();
    };
    CLEAVE_RETURN_IF_ERROR(ForEachBatch(Part::kTrain, "features", add));
    return samples;
  }

  absl::Status TrainHeads(const PooledFeatures& extractor) {
    CLEAVE_ASSIGN_OR_RETURN(std::vector<HeadSamples> samples, TrainingSamples(extractor));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      HeadOptions how;
      how.classes = static_cast<std::int64_t>(classes());
      how.weight_decay = options_.weight_decay;
      how.steps = options_.steps;
      how.cancel = options_.cancel;
      const std::string what = absl::StrCat("training exit ", i + 1, " of ", samples.size());
      how.on_progress = [&](double share) { Tell(what, share); };
      absl::StatusOr<LinearHead> head = TrainLinearHead(samples[i], how);
      if (!head.ok()) {
        return absl::Status(head.status().code(),
                            absl::StrCat(options_.model, ": cut ", backbone_.places[i].cut, ": ",
                                         head.status().message()));
      }
      heads_.push_back(*std::move(head));
      training_accuracy_.push_back(TrainingAccuracy(heads_.back(), samples[i]));
      samples[i].features = {};
    }
    return absl::OkStatus();
  }

  static double TrainingAccuracy(const LinearHead& head, const HeadSamples& samples) {
    std::size_t right = 0;
    const auto width = static_cast<std::size_t>(samples.width);
    for (std::size_t i = 0; i < samples.labels.size(); ++i) {
      const auto logits = ApplyHead(head, std::span(samples.features).subspan(i * width, width));
      const auto said = std::max_element(logits.begin(), logits.end()) - logits.begin();
      right += said == samples.labels[i] ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(samples.labels.size());
  }

  ExitEvaluation EmptyEvaluation(const std::string& name) const {
    return {name, 0, {classes(), std::vector<int>(classes(), 0)}};
  }

  void Describe(const ModelWithExits& model) {
    for (std::size_t i = 0; i < backbone_.places.size(); ++i) {
      const ExitPlace& place = backbone_.places[i];
      FittedExit exit{EmptyEvaluation(model.exits[i]), place.cut, place.tensor, 0, {}, 0};
      exit.tensor.shape[0] = -1;
      exit.parameters = static_cast<std::int64_t>(heads_[i].weights.size() + heads_[i].bias.size());
      exit.training_accuracy = training_accuracy_[i];
      outcome_.exits.push_back(std::move(exit));
    }
    const bool known = HasClasses(backbone_.last, classes());
    FittedExit last{
        known ? EmptyEvaluation(model.exits.back()) : ExitEvaluation{model.exits.back(), 0, {}},
        {},
        backbone_.last,
        0,
        {},
        0};
    if (!last.tensor.shape.empty()) last.tensor.shape[0] = -1;
    outcome_.exits.push_back(std::move(last));
  }

  // Writes the file under another name, and under its own once it is proved.
  absl::Status ProveAndKeep(const ModelWithExits& model, const PooledFeatures& extractor) {
    const std::string unproved = options_.out + ".unproved";
    CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(unproved, model.bytes));
    absl::Status proved = Prove(unproved, extractor);
    std::error_code error;
    if (proved.ok()) fs::rename(unproved, options_.out, error);
    if (error) return absl::ErrnoToStatus(error.value(), options_.out);
    fs::remove(unproved, error);
    if (proved.ok()) return proved;
    return absl::Status(proved.code(), absl::StrCat(options_.model, ": ", proved.message(),
                                                    "; nothing was written"));
  }

  absl::Status Prove(const std::string& path, const PooledFeatures& extractor) {
    CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(path));
    CLEAVE_ASSIGN_OR_RETURN(const auto after, WholeModel::Create(*graph, runtime_));
    CLEAVE_ASSIGN_OR_RETURN(const auto before, WholeModel::Create(*backbone_.graph, runtime_));
    absl::Status proved =
        ForEachBatch(Part::kTest, "testing the file",
                     [&](const Tensor& batch, std::size_t first, std::size_t count) {
                       return ProveBatch(extractor, *before, *after, batch, first, count);
                     });
    for (FittedExit& exit : outcome_.exits) {
      exit.evaluation.accuracy = ShareRight(exit.evaluation.confusion);
    }
    return proved;
  }

  absl::Status ProveBatch(const PooledFeatures& extractor, const WholeModel& before,
                          const WholeModel& after, const Tensor& batch, std::size_t first,
                          std::size_t count) {
    const std::string& input = backbone_.graph->inputs().front().name;
    CLEAVE_ASSIGN_OR_RETURN(const auto features, extractor.Run(batch));
    CLEAVE_ASSIGN_OR_RETURN(const auto expected, before.Run({{input, batch}}));
    CLEAVE_ASSIGN_OR_RETURN(const auto found, after.Run({{input, batch}}));
    CLEAVE_RETURN_IF_ERROR(CheckSameOutputs(expected, std::span(found).subspan(heads_.size())));
    for (std::size_t i = 0; i < heads_.size(); ++i) {
      CLEAVE_ASSIGN_OR_RETURN(const double error, CheckLogits(heads_[i], features[i], found[i]));
      outcome_.exits[i].worst_error = std::max(outcome_.exits[i].worst_error, error);
    }
    Count(found, first, count);
    return absl::OkStatus();
  }

  void Count(const std::vector<NamedTensor>& outputs, std::size_t first, std::size_t count) {
    for (std::size_t exit = 0; exit < outcome_.exits.size(); ++exit) {
      if (!outcome_.exits[exit].has_accuracy()) continue;
      for (std::size_t i = 0; i < count; ++i) {
        const auto label = static_cast<std::size_t>(pictures_.labels(Part::kTest)[first + i]);
        CountAnswer(outputs[exit].tensor.floats().subspan(i * classes(), classes()), label,
                    outcome_.exits[exit].evaluation);
      }
    }
  }

  const FitExitsOptions& options_;
  const Backbone& backbone_;
  const LabelledPictures& pictures_;
  const std::size_t batch_;
  RuntimeOptions runtime_;
  std::vector<LinearHead> heads_;
  std::vector<double> training_accuracy_;
  FitExitsOutcome outcome_;
};

void WarnOfClasses(const FitExitsOptions& options, const Backbone& backbone, std::size_t classes) {
  if (HasClasses(backbone.last, classes) || !options.on_warning) return;
  const Shape& shape = backbone.last.shape;
  const Shape of_picture(shape.empty() ? shape.end() : shape.begin() + 1, shape.end());
  options.on_warning(absl::StrCat(
      options.data, " has ", classes, " classes, but the model's output '", backbone.last.name,
      "' is ", DataTypeName(backbone.last.dtype), " ", ShapeString(of_picture),
      " for each picture: the exits tell the data's classes, the last exit what it told before"));
}

}  // namespace

absl::Status FitExitsOptions::Validate() const {
  HeadOptions heads;
  heads.classes = 2;
  heads.weight_decay = weight_decay;
  heads.steps = steps;
  CLEAVE_RETURN_IF_ERROR(heads.Validate());
  if (batch < 1 || batch > kMaxBatch) {
    return FieldError("batch", absl::StrCat(batch), absl::StrCat("1 to ", kMaxBatch));
  }
  if (threads < 1) return FieldError("threads", absl::StrCat(threads), "at least 1");
  if (fs::path(out).extension() != ".onnx") return FieldError("out", out, "FILE.onnx");
  std::error_code unknown;
  if (fs::equivalent(out, model, unknown)) {
    return FieldError("out", "the model itself", "another file: the model is not to be lost");
  }
  return absl::OkStatus();
}

std::string FitExitsOptions::sidecar_path() const {
  return fs::path(out).replace_extension(".json").string();
}

std::string FitExitsOptions::card_path() const {
  return fs::path(out).replace_extension(".md").string();
}

absl::StatusOr<FitExitsOutcome> FitExits(const FitExitsOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_ASSIGN_OR_RETURN(const Backbone backbone, LoadBackbone(options));
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<LabelledPictures> pictures,
                          LabelledPictures::Open(options.data, backbone.how, options.limits));
  CLEAVE_RETURN_IF_ERROR(CheckAttachable(options, backbone, pictures->classes().size()));
  WarnOfClasses(options, backbone, pictures->classes().size());
  CLEAVE_ASSIGN_OR_RETURN(FitExitsOutcome outcome, Fitting(options, backbone, *pictures).Run());
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options.sidecar_path(), backbone.how.ToJson()));
  CLEAVE_ASSIGN_OR_RETURN(const std::string card, ExitsCard(options, outcome));
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options.card_path(), card));
  return outcome;
}

}  // namespace cleave
