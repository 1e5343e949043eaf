#include "app/calibrate.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/calibration_score.h"
#include "codec/frame.h"
#include "codec/input_preprocessing.h"
#include "codec/picture.h"
#include "core/check.h"
#include "core/named_tensors.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "model/input_shapes.h"
#include "runtime/exit_models.h"
#include "wire/frames.h"

namespace cleave::app {
namespace {

using Tensors = std::vector<NamedTensor>;

// A boundary of one exit's chain.
struct ExitBoundary {
  int exit = 0;
  int boundary = 0;
};

// The live tensors at a boundary or, on a trunk that exits share, at several; they are encoded
// once.
struct SharedCut {
  std::vector<ExitBoundary> boundaries;
  bool input = false;   // Cut 0.
  bool floats = false;  // All FP32.
};

// What the tails get after encoding and decoding.
struct Transferred {
  Tensors tensors;   // Those of the whole batch; empty where they are as they were.
  double bytes = 0;  // Sums over the samples.
  double entropy_bytes = 0;
};

class Calibrator {
 public:
  explicit Calibrator(const CalibrateOptions& options) : options_(options) {}

  absl::StatusOr<Calibration> Run() {
    CLEAVE_RETURN_IF_ERROR(Open());
    CLEAVE_ASSIGN_OR_RETURN(const SampleSet set, score_->Draw(options_.data));
    files_ = set.files;
    const std::size_t count = set.samples.size();
    const std::size_t batch =
        std::min(static_cast<std::size_t>(FixedBatch(*graph_) > 0 ? 1 : options_.batch),
                 score_->largest_batch());
    for (std::size_t first = 0; first < count; first += batch) {
      const auto samples = std::span(set.samples).subspan(first, std::min(batch, count - first));
      const auto share = [&](std::size_t done_cuts) {
        const double part =
            static_cast<double>(done_cuts) / static_cast<double>(shared_cuts_.size());
        return (static_cast<double>(first) + part * static_cast<double>(samples.size())) /
               static_cast<double>(count);
      };
      CLEAVE_RETURN_IF_ERROR(RunBatch(samples, share));
    }
    return Result(set);
  }

 private:
  void Say(const std::string& what, double share) const {
    if (options_.on_progress) options_.on_progress(what, share);
  }

  absl::Status Open() {
    CLEAVE_ASSIGN_OR_RETURN(graph_, Graph::Load(options_.model));
    CLEAVE_RETURN_IF_ERROR(CheckInput());
    CLEAVE_RETURN_IF_ERROR(FindCodecs());
    ExitModelsOptions exits;
    exits.inputs = options_.inputs;
    exits.inputs.batch.reset();
    exits.cuts = options_.cuts;
    if (codecs_) exits.cuts.tensors = codecs_->Tensors();
    exits.runtime = options_.runtime;
    exits.on_progress = [this](int done, int total) {
      Say("building segments", static_cast<double>(done) / total);
    };
    CLEAVE_ASSIGN_OR_RETURN(exits_, BuildExitModels(graph_, exits));
    CLEAVE_ASSIGN_OR_RETURN(
        how_, PreprocessingFor(exits_.front().table.inputs.specs.front(), options_.model, {}));
    CLEAVE_ASSIGN_OR_RETURN(score_, CalibrationScore::Create(options_.model, exits_, how_));
    FindSharedCuts();
    return absl::OkStatus();
  }

  absl::Status FindCodecs() {
    codecs_ = options_.codecs;
    if (codecs_) return absl::OkStatus();
    absl::StatusOr<std::shared_ptr<const CodecFile>> found =
        CodecFile::OfModel(options_.model, graph_->digest());
    if (absl::IsNotFound(found.status())) return absl::OkStatus();
    CLEAVE_ASSIGN_OR_RETURN(codecs_, std::move(found));
    return absl::OkStatus();
  }

  absl::Status CheckInput() const {
    const std::vector<TensorSpec>& inputs = graph_->inputs();
    if (inputs.size() != 1 || !TakesPictures(inputs.front())) {
      return FieldError(
          options_.model,
          absl::StrCat(inputs.size(), " inputs, the first of shape ",
                       ShapeString(inputs.front().shape)),
          "one FP32 input of four dimensions, or one of FP16 or UINT8, which a picture "
          "becomes");
    }
    if (FixedBatch(*graph_) <= 1) return absl::OkStatus();
    return FieldError(options_.model, absl::StrCat("a fixed batch of ", FixedBatch(*graph_)),
                      "a symbolic one, or 1");
  }

  void FindSharedCuts() {
    std::map<std::vector<std::string>, std::size_t> cut_of;
    for (const ExitModel& exit : exits_) {
      for (int boundary = 0; boundary < exit.chain->segments(); ++boundary) {
        std::vector<std::string> live = exit.chain->LiveTensors(boundary);
        std::sort(live.begin(), live.end());
        const auto [found, added] = cut_of.try_emplace(std::move(live), shared_cuts_.size());
        if (added) shared_cuts_.push_back(NewSharedCut(exit, boundary));
        shared_cuts_[found->second].boundaries.push_back({exit.exit(), boundary});
      }
    }
  }

  static SharedCut NewSharedCut(const ExitModel& exit, int boundary) {
    const std::vector<TensorSpec>& tensors = exit.table.cuts[exit.candidates[boundary]].tensors;
    SharedCut shared_cut;
    shared_cut.input = boundary == 0;
    shared_cut.floats = std::all_of(tensors.begin(), tensors.end(), [](const TensorSpec& spec) {
      return spec.dtype == DataType::kFloat32;
    });
    return shared_cut;
  }

  template <typename Share>
  absl::Status RunBatch(std::span<const Sample> samples, const Share& share) {
    CLEAVE_ASSIGN_OR_RETURN(const Tensor input, ReadAll(samples));
    CLEAVE_RETURN_IF_ERROR(RunHeads(input));
    const int last = static_cast<int>(exits_.size()) - 1;
    CLEAVE_RETURN_IF_ERROR(score_->Begin(samples, contents_, ExactOutputs(last)));
    for (std::size_t i = 0; i < samples.size(); ++i) AddToDigest(samples[i], i);
    for (const ExitModel& exit : exits_) {
      CLEAVE_RETURN_IF_ERROR(score_->Add(Exact(exit), ExactOutputs(exit.exit())));
    }
    for (std::size_t i = 0; i < shared_cuts_.size(); ++i) {
      Say("calibrating", share(i));
      for (const Encoding encoding : EncodingsAt(shared_cuts_[i])) {
        CLEAVE_RETURN_IF_ERROR(RunEncoding(i, encoding));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Tensor> ReadAll(std::span<const Sample> samples) {
    contents_.clear();
    std::vector<Tensor> inputs;
    for (const Sample& sample : samples) {
      CLEAVE_ASSIGN_OR_RETURN(SampleContents contents, ReadSample(sample, how_));
      inputs.push_back(contents.input);
      contents_.push_back(std::move(contents));
    }
    return StackBatch(inputs);
  }

  Tensors ExactOutputs(int exit) const {
    Tensors outputs = live_[exit].back();
    AddMissing(early_[exit].back(), outputs);
    return outputs;
  }

  void AddToDigest(const Sample& sample, std::size_t i) {
    const absl::string_view bytes =
        sample.pixels.empty()
            ? absl::string_view(contents_[i].file)
            : absl::string_view(reinterpret_cast<const char*>(sample.pixels.data()),
                                sample.pixels.size());
    data_.Update(absl::StrCat(score_->LabelText(i), " ", bytes.size(), "\n"));
    data_.Update(bytes);
  }

  // What the exact plans of an exit are scored as.
  static ScoredPlan Exact(const ExitModel& exit) {
    return {exit.exit(), exit.chain->segments(), Encoding::kFp32};
  }

  // Every exit's live tensors at every boundary, the outputs last.
  absl::Status RunHeads(const Tensor& input) {
    live_.assign(exits_.size(), {});
    early_.assign(exits_.size(), {});
    for (std::size_t i = 0; i < exits_.size(); ++i) {
      const Chain& chain = *exits_[i].chain;
      live_[i].push_back({{graph_->inputs().front().name, input}});
      early_[i].emplace_back();
      for (int boundary = 0; boundary < chain.segments(); ++boundary) {
        CLEAVE_ASSIGN_OR_RETURN(ChainResult run,
                                chain.Run(boundary, boundary + 1, live_[i].back()));
        const CutInfo& cut = exits_[i].table.cuts[exits_[i].candidates[boundary + 1]];
        CLEAVE_RETURN_IF_ERROR(CheckBatched(run.tensors, cut, exits_[i]));
        early_[i].push_back(early_[i].back());
        AddMissing(run.early_outputs, early_[i].back());
        live_[i].push_back(std::move(run.tensors));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckBatched(const Tensors& tensors, const CutInfo& cut,
                            const ExitModel& exit) const {
    const auto samples = static_cast<std::int64_t>(contents_.size());
    if (samples == 1) return absl::OkStatus();
    for (const NamedTensor& named : tensors) {
      const auto spec =
          std::find_if(cut.tensors.begin(), cut.tensors.end(),
                       [&](const TensorSpec& each) { return each.name == named.name; });
      Shape expected = spec == cut.tensors.end() ? Shape{} : spec->shape;
      if (!expected.empty()) expected[0] *= samples;
      if (named.tensor.shape() == expected && !expected.empty()) continue;
      return FieldError(
          absl::StrCat(options_.model, ": exit ", exit.exit(), ", cut ", cut.cut.index,
                       ": tensor '", named.name, "'"),
          absl::StrCat("shape ", ShapeString(named.tensor.shape())),
          absl::StrCat(ShapeString(expected), " for ", samples,
                       " samples; where the batch is not the first dimension, batch 1 helps"));
    }
    return absl::OkStatus();
  }

  std::vector<Encoding> EncodingsAt(const SharedCut& shared_cut) const {
    std::vector<Encoding> encodings;
    for (const Encoding encoding : AllEncodings()) {
      const bool asked = std::find(options_.encodings.begin(), options_.encodings.end(),
                                   encoding) != options_.encodings.end();
      if (encoding != Encoding::kFp32 && !asked) continue;
      const bool can_be = IsPicture(encoding) ? shared_cut.input && files_
                                              : shared_cut.floats || encoding == Encoding::kFp32;
      if (can_be) encodings.push_back(encoding);
    }
    return encodings;
  }

  absl::Status RunEncoding(std::size_t shared_cut, Encoding encoding) {
    if (impossible_.contains({shared_cut, encoding})) return absl::OkStatus();
    const absl::StatusOr<Transferred> transferred =
        IsPicture(encoding) ? SendPictures(encoding)
                            : SendTensors(shared_cuts_[shared_cut], encoding);
    if (absl::IsOutOfRange(transferred.status())) {
      impossible_.insert({shared_cut, encoding});
      return absl::OkStatus();
    }
    CLEAVE_RETURN_IF_ERROR(transferred.status());
    for (const ExitBoundary& boundary : shared_cuts_[shared_cut].boundaries) {
      AccuracyRow& row = RowOf(boundary, encoding);
      row.bytes += transferred->bytes;
      row.entropy_bytes += transferred->entropy_bytes;
      if (IsExact(encoding)) continue;
      const Chain& chain = *exits_[boundary.exit].chain;
      CLEAVE_ASSIGN_OR_RETURN(const Tensors outputs,
                              RunToOutputs(chain, boundary.boundary, transferred->tensors,
                                           early_[boundary.exit][boundary.boundary]));
      CLEAVE_RETURN_IF_ERROR(score_->Add({boundary.exit, boundary.boundary, encoding}, outputs));
    }
    return absl::OkStatus();
  }

  // OutOfRange where the encoding cannot carry a sample.
  absl::StatusOr<Transferred> SendTensors(const SharedCut& shared_cut, Encoding encoding) const {
    const ExitBoundary& boundary = shared_cut.boundaries.front();
    Transferred transferred;
    for (const NamedTensor& named : live_[boundary.exit][boundary.boundary]) {
      CLEAVE_ASSIGN_OR_RETURN(std::vector<Tensor> items,
                              named.tensor.Split(static_cast<std::int64_t>(contents_.size())));
      for (Tensor& item : items) {
        CLEAVE_RETURN_IF_ERROR(Send(encoding, named.name, item, transferred));
      }
      if (IsExact(encoding)) continue;
      CLEAVE_ASSIGN_OR_RETURN(Tensor whole, StackBatch(items));
      transferred.tensors.push_back({named.name, std::move(whole)});
    }
    return transferred;
  }

  // Makes `item` what arrives of it. What a codec makes of it is not compressed any further.
  absl::Status Send(Encoding encoding, const std::string& tensor, Tensor& item,
                    Transferred& transferred) const {
    EncodeOptions how;
    how.encoding = encoding;
    const bool by_codec = CodecRate(encoding).has_value();
    if (by_codec && codecs_) how.codec = codecs_->Find(tensor);
    const absl::StatusOr<std::string> frame = EncodeTensor(item, how);
    if (!frame.ok() && !IsExact(encoding)) {
      return absl::OutOfRangeError(frame.status().message());
    }
    CLEAVE_RETURN_IF_ERROR(frame.status());
    transferred.bytes += static_cast<double>(frame->size());
    if (!by_codec) {
      how.entropy = true;
      CLEAVE_ASSIGN_OR_RETURN(const std::string compressed, EncodeTensor(item, how));
      transferred.entropy_bytes += static_cast<double>(compressed.size());
    }
    if (IsExact(encoding)) return absl::OkStatus();
    CLEAVE_ASSIGN_OR_RETURN(item, DecodeTensor(*frame, "sample", kMaxMessageElements, how.codec));
    return absl::OkStatus();
  }

  absl::StatusOr<Transferred> SendPictures(Encoding encoding) const {
    Transferred transferred;
    std::vector<Tensor> items;
    for (const SampleContents& contents : contents_) {
      CLEAVE_ASSIGN_OR_RETURN(const TravellingPicture picture,
                              EncodePicture(contents.file, how_, encoding, "sample"));
      transferred.bytes += static_cast<double>(picture.file.size());
      if (IsExact(encoding)) continue;
      CLEAVE_ASSIGN_OR_RETURN(Tensor item, ImageToTensor(picture.file, picture.how, "sample"));
      items.push_back(std::move(item));
    }
    if (items.empty()) return transferred;
    CLEAVE_ASSIGN_OR_RETURN(Tensor whole, StackBatch(items));
    transferred.tensors.push_back({graph_->inputs().front().name, std::move(whole)});
    return transferred;
  }

  AccuracyRow& RowOf(const ExitBoundary& boundary, Encoding encoding) {
    return rows_[{boundary.exit, boundary.boundary, encoding}];
  }

  absl::StatusOr<Calibration> Result(const SampleSet& set) {
    const auto count = static_cast<double>(set.samples.size());
    for (std::size_t shared_cut = 0; shared_cut < shared_cuts_.size(); ++shared_cut) {
      for (const ExitBoundary& boundary : shared_cuts_[shared_cut].boundaries) {
        for (const Encoding encoding : AllEncodings()) {
          if (impossible_.contains({shared_cut, encoding})) {
            rows_.erase({boundary.exit, boundary.boundary, encoding});
          }
        }
      }
    }
    for (const ExitModel& exit : exits_) rows_[{exit.exit(), exit.chain->segments(), {}}] = {};
    std::vector<AccuracyRow> rows;
    for (auto& [key, row] : rows_) {
      const auto& [exit, boundary, encoding] = key;
      row.plan = {exit, exits_[exit].candidates[boundary], encoding};
      CLEAVE_RETURN_IF_ERROR(score_->Rate(
          IsExact(encoding) ? Exact(exits_[exit]) : ScoredPlan{exit, boundary, encoding}, row));
      row.bytes /= count;
      row.entropy_bytes /= count;
      rows.push_back(row);
    }
    AccuracyTable::About about;
    about.model_digest = graph_->digest();
    about.data_digest = data_.HexDigest();
    about.samples = static_cast<std::int64_t>(set.samples.size());
    about.seed = options_.data.seed;
    about.labels = set.labelled;
    about.metric = score_->metric();
    CLEAVE_ASSIGN_OR_RETURN(AccuracyTable table,
                            AccuracyTable::Create(std::move(about), std::move(rows)));
    return Calibration{options_.model, ExitNames(), std::move(table)};
  }

  std::vector<std::string> ExitNames() const {
    std::vector<std::string> names;
    for (const ExitModel& exit : exits_) {
      names.push_back(exit.table.cuts.back().tensors.front().name);
    }
    return names;
  }

  const CalibrateOptions& options_;
  std::shared_ptr<const Graph> graph_;
  std::shared_ptr<const CodecFile> codecs_;  // Null where there are none.
  Preprocessing how_;
  std::vector<ExitModel> exits_;
  std::unique_ptr<CalibrationScore> score_;
  std::vector<SharedCut> shared_cuts_;
  bool files_ = true;
  Sha256 data_;

  // What the batch at hand has.
  std::vector<SampleContents> contents_;
  std::vector<std::vector<Tensors>> live_;   // By exit, then by boundary.
  std::vector<std::vector<Tensors>> early_;  // The same of the outputs that the head has made.

  // Sums over all batches.
  std::map<std::tuple<int, int, Encoding>, AccuracyRow> rows_;  // By exit, boundary, encoding.
  std::set<std::pair<std::size_t, Encoding>> impossible_;       // By shared_cut.
};

}  // namespace

absl::Status CalibrateOptions::Validate() const {
  if (data.samples < 1) return FieldError("samples", absl::StrCat(data.samples), "at least 1");
  if (batch < 1 || batch > 4096) return FieldError("batch", absl::StrCat(batch), "1 to 4096");
  return runtime.Validate();
}

absl::StatusOr<Calibration> Calibrate(const CalibrateOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  return Calibrator(options).Run();
}

}  // namespace cleave::app
