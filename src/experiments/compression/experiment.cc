#include "experiments/compression/experiment.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "app/calibration_score.h"
#include "app/output_metric.h"
#include "codec/codec_file.h"
#include "codec/frame.h"
#include "codec/image.h"
#include "codec/input_preprocessing.h"
#include "codec/picture.h"
#include "core/check.h"
#include "core/file.h"
#include "core/named_tensors.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "experiments/compression/avif.h"
#include "model/graph.h"
#include "runtime/chain.h"
#include "runtime/exit_models.h"

namespace cleave::experiments::compression {
namespace {

using Tensors = std::vector<NamedTensor>;

struct Quality {
  const char* name;
  int quality;
};

constexpr std::array kQualities =
    std::to_array<Quality>({{"jpeg", 95}, {"jpeg", 90}, {"jpeg", 85}, {"jpeg", 75}, {"jpeg", 60},
                            {"jpeg", 50}, {"jpeg", 35}, {"jpeg", 20}, {"webp", 95}, {"webp", 90},
                            {"webp", 75}, {"webp", 50}, {"webp", 35}, {"webp", 25}, {"webp", 10},
                            {"avif", 80}, {"avif", 65}, {"avif", 50}, {"avif", 35}, {"avif", 20}});
constexpr std::array kIntegers = {Encoding::kQ8, Encoding::kQ6, Encoding::kQ5,
                                  Encoding::kQ4, Encoding::kQ3, Encoding::kQ2};
constexpr std::array<const char*, 3> kRivals = {"jpeg", "webp", "avif"};
constexpr std::uint64_t kBootstrapSeed = 1;

double CpuUs() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

struct Sent {
  double bytes = 0;
  double encode_us = 0;
  Tensors tensors;  // As they arrive.
};

class Experiment {
 public:
  Experiment(const Options& options, Results& results) : options_(options), results_(results) {}

  absl::Status Run() {
    CLEAVE_RETURN_IF_ERROR(Open());
    CLEAVE_ASSIGN_OR_RETURN(const app::SampleSet set, score_->Draw(options_.data));
    if (!set.files) return FieldError(options_.data.data, "no picture files", "some");
    results_.samples = static_cast<std::int64_t>(set.samples.size());
    results_.agreement = AgreementText(set.labelled);
    for (std::size_t i = 0; i < set.samples.size(); ++i) {
      if (options_.on_progress) {
        options_.on_progress("measuring",
                             static_cast<double>(i) / static_cast<double>(set.samples.size()));
      }
      CLEAVE_RETURN_IF_ERROR(RunSample(set.samples[i]));
    }
    results_.data_digest = data_.HexDigest();
    const auto count = static_cast<double>(set.samples.size());
    results_.network_us /= count;
    for (std::size_t i = 0; i < results_.ways.size(); ++i) {
      Way& way = results_.ways[i];
      way.encode_us /= count;
      CLEAVE_RETURN_IF_ERROR(score_->Rate({static_cast<int>(i), 0, Encoding::kFp32}, way.accuracy));
    }
    Compare();
    return absl::OkStatus();
  }

 private:
  absl::Status Open() {
    CLEAVE_ASSIGN_OR_RETURN(graph_, Graph::Load(options_.model));
    results_.model = options_.model;
    results_.digest = graph_->digest();
    ExitModelsOptions exits;
    exits.inputs = options_.inputs;
    exits.inputs.batch.reset();
    absl::StatusOr<std::shared_ptr<const CodecFile>> codecs =
        CodecFile::OfModel(options_.model, graph_->digest());
    if (codecs.ok()) {
      codecs_ = *std::move(codecs);
      results_.codec_digest = codecs_->digest();
      exits.cuts.tensors = codecs_->Tensors();
    } else if (!absl::IsNotFound(codecs.status())) {
      return codecs.status();
    }
    CLEAVE_ASSIGN_OR_RETURN(exits_, BuildExitModels(graph_, exits));
    exit_ = &exits_.back();
    const std::vector<TensorSpec>& inputs = exit_->table.inputs.specs;
    CLEAVE_ASSIGN_OR_RETURN(how_, PreprocessingFor(inputs.front(), options_.model, {}));
    CLEAVE_ASSIGN_OR_RETURN(
        metric_, app::OutputMetric::Of(options_.model, inputs, exit_->table.cuts.back().tensors));
    CLEAVE_RETURN_IF_ERROR(OpenReference());
    results_.distortion = DistortionText();
    CLEAVE_ASSIGN_OR_RETURN(score_, app::CalibrationScore::Create(options_.model, exits_, how_));
    return absl::OkStatus();
  }

  absl::Status OpenReference() {
    if (options_.reference.empty()) return absl::OkStatus();
    CLEAVE_ASSIGN_OR_RETURN(const auto reference, Graph::Load(options_.reference));
    const auto names = [](const std::vector<TensorSpec>& specs) {
      return absl::StrJoin(specs, ", ", [](std::string* out, const TensorSpec& spec) {
        absl::StrAppend(out, spec.name);
      });
    };
    const std::string inputs = names(reference->inputs());
    const std::string outputs = names(reference->outputs());
    if (inputs != names(graph_->inputs()) || outputs != names(graph_->outputs())) {
      return FieldError(options_.reference, absl::StrCat(inputs, " and ", outputs),
                        absl::StrCat("the inputs and outputs of ", options_.model, ": ",
                                     names(graph_->inputs()), " and ", names(graph_->outputs())));
    }
    results_.reference_digest = reference->digest();
    CLEAVE_ASSIGN_OR_RETURN(reference_, WholeModel::Create(*reference, RuntimeOptions()));
    return absl::OkStatus();
  }

  std::string DistortionText() const {
    switch (metric_->kind()) {
      case app::OutputMetric::Kind::kDetections:
        return "squared change of all scores and weighted boxes";
      case app::OutputMetric::Kind::kClasses:
        return "squared change of the logits in the metric of the probabilities";
      case app::OutputMetric::Kind::kOutputs:
        return "squared change in standard deviations";
    }
    return "";
  }

  std::string AgreementText(bool labelled) const {
    const bool detects = score_->metric() == AccuracyTable::Metric::kMeanAveragePrecision;
    return absl::StrCat(detects ? "mean average precision at 0.5 to 0.95" : "top-1", " against ",
                        labelled ? "labels" : "the model in full precision");
  }

  absl::Status RunSample(const app::Sample& sample) {
    CLEAVE_ASSIGN_OR_RETURN(const app::SampleContents contents, app::ReadSample(sample, how_));
    data_.Update(contents.file);
    CLEAVE_RETURN_IF_ERROR(RunHeads(contents.input));
    CLEAVE_RETURN_IF_ERROR(score_->Begin({&sample, 1}, {&contents, 1}, exact_));
    next_ = 0;
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> pixels,
                            ImageToPixels(contents.file, how_, sample.path));
    for (const Quality& quality : kQualities) {
      CLEAVE_ASSIGN_OR_RETURN(const Sent sent, SendPicture(quality, pixels));
      CLEAVE_RETURN_IF_ERROR(
          Record({quality.name, std::nullopt, absl::StrCat(quality.quality)}, 0, sent));
    }
    const Chain& chain = *exit_->chain;
    for (int boundary = 0; boundary < chain.segments(); ++boundary) {
      CLEAVE_RETURN_IF_ERROR(SendAt(boundary));
    }
    return absl::OkStatus();
  }

  // The live tensors at every boundary, and the outputs.
  absl::Status RunHeads(const Tensor& input) {
    const Chain& chain = *exit_->chain;
    live_ = {{{graph_->inputs().front().name, input}}};
    early_ = {{}};
    const double begin_us = CpuUs();
    for (int boundary = 0; boundary < chain.segments(); ++boundary) {
      CLEAVE_ASSIGN_OR_RETURN(ChainResult run, chain.Run(boundary, boundary + 1, live_.back()));
      early_.push_back(early_.back());
      AddMissing(run.early_outputs, early_.back());
      live_.push_back(std::move(run.tensors));
    }
    results_.network_us += CpuUs() - begin_us;
    if (reference_ != nullptr) {
      CLEAVE_ASSIGN_OR_RETURN(exact_, reference_->Run(live_.front()));
      return absl::OkStatus();
    }
    exact_ = live_.back();
    AddMissing(early_.back(), exact_);
    return absl::OkStatus();
  }

  absl::StatusOr<Sent> SendPicture(const Quality& quality,
                                   const std::vector<std::uint8_t>& pixels) const {
    const std::string format = quality.name;
    const double begin_us = CpuUs();
    std::string file;
    if (format == "jpeg") {
      CLEAVE_ASSIGN_OR_RETURN(file, EncodeJpeg(pixels, how_.height, how_.width, quality.quality));
    } else if (format == "webp") {
      CLEAVE_ASSIGN_OR_RETURN(file, EncodeWebp(pixels, how_.height, how_.width, quality.quality));
    } else {
      CLEAVE_ASSIGN_OR_RETURN(file, EncodeAvif(pixels, how_.height, how_.width, quality.quality));
    }
    Sent sent;
    sent.encode_us = CpuUs() - begin_us;
    sent.bytes = static_cast<double>(file.size());
    std::vector<std::uint8_t> decoded;
    if (format == "avif") {
      CLEAVE_ASSIGN_OR_RETURN(decoded, DecodeAvif(file));
    } else {
      Preprocessing as_it_is = how_;
      if (how_.fit == Preprocessing::Fit::kCrop) {
        as_it_is.resize = std::min(how_.height, how_.width);
      }
      CLEAVE_ASSIGN_OR_RETURN(decoded, ImageToPixels(file, as_it_is, format));
    }
    CLEAVE_ASSIGN_OR_RETURN(Tensor input, PixelsToTensor(decoded, how_));
    sent.tensors = {{graph_->inputs().front().name, std::move(input)}};
    return sent;
  }

  absl::Status SendAt(int boundary) {
    const int cut = exit_->candidates[static_cast<std::size_t>(boundary)];
    const Tensors& live = live_[static_cast<std::size_t>(boundary)];
    const bool floats = std::all_of(live.begin(), live.end(), [](const NamedTensor& named) {
      return named.tensor.dtype() == DataType::kFloat32;
    });
    if (!floats) return absl::OkStatus();
    const bool coded = boundary > 0 && codecs_ != nullptr &&
                       std::all_of(live.begin(), live.end(), [&](const NamedTensor& named) {
                         return codecs_->Find(named.name) != nullptr;
                       });
    for (int rate = 0; coded && rate < kCodecRates; ++rate) {
      CLEAVE_ASSIGN_OR_RETURN(const Sent sent, SendCoded(live, rate));
      CLEAVE_RETURN_IF_ERROR(Record({"codec", cut, absl::StrCat("t", rate + 1)}, boundary, sent));
    }
    for (const Encoding encoding : kIntegers) {
      CLEAVE_ASSIGN_OR_RETURN(const Sent sent, SendIntegers(live, encoding));
      CLEAVE_RETURN_IF_ERROR(
          Record({"integers", cut, std::string(EncodingName(encoding))}, boundary, sent));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Sent> SendCoded(const Tensors& live, int rate) const {
    Sent sent;
    for (const NamedTensor& named : live) {
      const TensorCodec& codec = *codecs_->Find(named.name);
      const double begin_us = CpuUs();
      CLEAVE_ASSIGN_OR_RETURN(const CodedTensor coded, codec.Encode(named.tensor, rate));
      sent.encode_us += CpuUs() - begin_us;
      sent.bytes += static_cast<double>(coded.bytes.size());
      CLEAVE_ASSIGN_OR_RETURN(Tensor decoded,
                              codec.Decode(coded.bytes, named.tensor.shape(), rate));
      sent.tensors.push_back({named.name, std::move(decoded)});
    }
    return sent;
  }

  static absl::StatusOr<Sent> SendIntegers(const Tensors& live, Encoding encoding) {
    EncodeOptions how;
    how.encoding = encoding;
    how.entropy = true;
    Sent sent;
    for (const NamedTensor& named : live) {
      const double begin_us = CpuUs();
      CLEAVE_ASSIGN_OR_RETURN(const std::string frame, EncodeTensor(named.tensor, how));
      sent.encode_us += CpuUs() - begin_us;
      sent.bytes += static_cast<double>(frame.size());
      CLEAVE_ASSIGN_OR_RETURN(Tensor decoded,
                              DecodeTensor(frame, named.name, named.tensor.elements()));
      sent.tensors.push_back({named.name, std::move(decoded)});
    }
    return sent;
  }

  // A picture goes to the reference, which has the same input.
  absl::StatusOr<Tensors> OutputsOf(const Way& way, int boundary, const Sent& sent) const {
    if (!way.cut && reference_ != nullptr) return reference_->Run(sent.tensors);
    return RunToOutputs(*exit_->chain, boundary, sent.tensors,
                        early_[static_cast<std::size_t>(boundary)]);
  }

  // Runs the rest on what arrives. Every sample has the same ways in the same order.
  absl::Status Record(Way way, int boundary, const Sent& sent) {
    CLEAVE_ASSIGN_OR_RETURN(const Tensors outputs, OutputsOf(way, boundary, sent));
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<float> change, metric_->Change(exact_, outputs));
    double squared = 0;
    for (const float value : change) squared += static_cast<double>(value) * value;
    if (next_ == results_.ways.size()) results_.ways.push_back(std::move(way));
    Way& to = results_.ways[next_];
    to.costs.bytes.push_back(sent.bytes);
    to.costs.distortion.push_back(squared);
    to.encode_us += sent.encode_us;
    CLEAVE_RETURN_IF_ERROR(score_->Add({static_cast<int>(next_), 0, Encoding::kFp32}, outputs));
    ++next_;
    return absl::OkStatus();
  }

  Curve CurveOf(const std::string& name, std::optional<int> cut) const {
    Curve curve;
    for (const Way& way : results_.ways) {
      if (way.name == name && way.cut == cut) curve.push_back(way.costs);
    }
    return curve;
  }

  void Compare() {
    std::vector<std::pair<std::string, std::optional<int>>> curves;
    for (const Way& way : results_.ways) {
      const std::pair key(way.name, way.cut);
      if (way.cut && (curves.empty() || curves.back() != key)) curves.push_back(key);
    }
    for (const auto& [name, cut] : curves) {
      for (const char* rival : kRivals) {
        const Curve of = CurveOf(name, cut);
        const Curve to = CurveOf(rival, std::nullopt);
        const auto ratio = MeanRatio(of, to);
        const auto interval = RatioIntervalOf(of, to, kBootstrapSeed);
        if (ratio && interval) results_.savings.push_back({name, cut, rival, *ratio, *interval});
      }
    }
  }

  const Options& options_;
  Results& results_;
  std::shared_ptr<const Graph> graph_;
  std::shared_ptr<const CodecFile> codecs_;  // Null where there are none.
  std::vector<ExitModel> exits_;
  const ExitModel* exit_ = nullptr;  // The last one.
  Preprocessing how_;
  std::optional<app::OutputMetric> metric_;
  std::unique_ptr<WholeModel> reference_;  // Null where the model is its own.
  std::unique_ptr<app::CalibrationScore> score_;
  Sha256 data_;

  // Of the sample at hand.
  std::vector<Tensors> live_;
  std::vector<Tensors> early_;
  Tensors exact_;
  std::size_t next_ = 0;  // The way that is recorded next.
};

}  // namespace

absl::Status Options::Validate() const {
  if (data.samples < 1) return FieldError("samples", absl::StrCat(data.samples), "at least 1");
  return absl::OkStatus();
}

absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  Results results;
  results.command = command;
  CLEAVE_RETURN_IF_ERROR(Experiment(options, results).Run());
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options.output, ToJson(results)));
  if (!options.report.empty()) {
    CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options.report, ToHtml(results)));
  }
  return results;
}

}  // namespace cleave::experiments::compression
