#include "device/plan_table.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/frame_header.h"
#include "detect/detections_tensor.h"
#include "policy/predict.h"
#include "wire/client.h"

namespace cleave {
namespace {

std::string TensorsText(const CutInfo& info) {
  return absl::StrJoin(info.tensors, ", ", [](std::string* out, const TensorSpec& spec) {
    absl::StrAppend(out, spec.name, " ", ShapeString(spec.shape));
  });
}

std::int64_t BytesOf(const std::vector<TensorSpec>& tensors) {
  std::int64_t bytes = 0;
  for (const TensorSpec& spec : tensors) bytes += EstimatedBytes(spec.dtype, spec.shape);
  return bytes;
}

bool AllFloats(const CutInfo& info) {
  return std::all_of(info.tensors.begin(), info.tensors.end(),
                     [](const TensorSpec& spec) { return spec.dtype == DataType::kFloat32; });
}

InputShapes ShapesFor(const LocalModel& model, const PlanTableTerms& terms) {
  if (!terms.shapes.empty()) return terms.shapes;
  return WithBatch(*model.graph, model.shapes(), terms.batch).value_or(model.shapes());
}

double ScaleOf(const InputShapes& shapes, const InputShapes& opened_at) {
  const std::int64_t opened = InputElements(opened_at);
  return opened > 0 ? static_cast<double>(InputElements(shapes)) / static_cast<double>(opened) : 1;
}

class TableMaker {
 public:
  TableMaker(const LocalModel& model, const EdgeOffer* offer, const PlanTableTerms& terms)
      : model_(model),
        offer_(offer),
        terms_(terms),
        shapes_(ShapesFor(model, terms)),
        scale_(ScaleOf(shapes_, model.shapes())) {
    table_.batch = terms.batch;
    table_.best_accuracy = model.AccuracyOfExit(model.main_exit);
    if (model.detections) {
      query_bytes_ = static_cast<double>(model.detections->ToJson().size());
    }
  }

  PlanTable Make() && {
    for (const LocalExit& exit : model_.exits) {
      const bool main = exit.model.exit() == model_.main_exit;
      if (!main && (model_.only_main_exit || terms_.past_first_exit)) continue;
      if (!main) AddExit(exit);
    }
    AddExit(model_.main());
    return std::move(table_);
  }

 private:
  void AddExit(const LocalExit& exit) {
    const int first_cut = terms_.past_first_exit ? model_.exits.front().model.fork.last_cut : 0;
    for (const int cut : exit.model.candidates) {
      if (cut < first_cut || cut == exit.model.last_cut()) continue;
      if (!OfferedCut(exit, cut)) continue;
      for (const Encoding encoding : terms_.encodings) AddRemote(exit, cut, encoding);
    }
    PlanCost local = CostAt(exit, exit.model.last_cut(), Encoding::kFp32);
    table_.plans.push_back(local);
  }

  bool OfferedCut(const LocalExit& exit, int cut) const {
    if (offer_ == nullptr) return true;
    if (offer_->plain) return cut == 0 && exit.model.exit() == model_.graph->exit_count() - 1;
    const std::vector<int>& cuts = offer_->exits[exit.model.exit()].cuts;
    return std::binary_search(cuts.begin(), cuts.end(), cut);
  }

  void AddRemote(const LocalExit& exit, int cut, Encoding encoding) {
    const CutInfo& info = exit.model.table.cuts[static_cast<std::size_t>(cut)];
    const bool picture = IsPicture(encoding);
    if (picture && (cut != 0 || terms_.picture_bytes <= 0)) return;
    if (encoding != Encoding::kFp32 && !picture && !AllFloats(info)) return;
    if (encoding != Encoding::kFp32 && offer_ != nullptr && offer_->plain) return;
    if (CodecRate(encoding) && !WhyNoCodec(model_, offer_, exit, cut).empty()) return;
    PlanCost cost = CostAt(exit, cut, encoding);
    const LiveSize live = SizeAt(exit, cut);
    const double raw_bytes = live.scale * static_cast<double>(live.bytes);
    cost.encode_us = terms_.encode.UsPerByte(encoding) * raw_bytes;
    // To make another JPEG of a picture is to decode it first; what was learned includes that.
    const bool remade = picture && encoding != Encoding::kJpeg;
    if (remade) cost.encode_us = std::max(cost.encode_us, PictureUs());
    cost.bytes_up = BytesUp(live, cost.plan);
    if (cost.bytes_up <= 0 || TooLarge(cost.bytes_up)) return;
    cost.bytes_down = BytesDown(exit, cut);
    if (Detects(exit, cut)) cost.bytes_up += query_bytes_;
    cost.tail_us = TailOnEdgeUs(exit, cut) + (picture ? PictureOnEdgeUs() : 0);
    // With a filter the device has decoded, and run up to the filter's cut, before it sends.
    const bool decodes_again = picture && !model_.filter;
    cost.tail_on_device_us =
        TimeUs(exit, LeastHead(cut), exit.model.last_cut()) + (decodes_again ? PictureUs() : 0);
    AddEntropy(cost, raw_bytes);
    table_.plans.push_back(cost);
  }

  // What the plan costs the device before it sends anything, and what its answer is worth.
  PlanCost CostAt(const LocalExit& exit, int cut, Encoding encoding) const {
    PlanCost cost;
    cost.plan = {exit.model.exit(), cut, encoding};
    cost.head_us = TimeUs(exit, 0, LeastHead(cut));
    if (!IsPicture(encoding) || model_.filter) cost.head_us += PictureUs();
    cost.exact = IsExact(encoding) && exit.model.exit() == model_.main_exit;
    cost.accuracy = AccuracyOf(cost.plan);
    return cost;
  }

  // How far the device runs for a plan of this cut: up to the filter's in any case.
  int LeastHead(int cut) const { return model_.filter ? std::max(cut, model_.filter->cut()) : cut; }

  // The live tensors of a cut: those that a run at these shapes had there, else those that the
  // model was opened at, which are `scale` times as large now.
  struct LiveSize {
    const std::vector<TensorSpec>* tensors = nullptr;
    std::int64_t bytes = 0;
    double scale = 1;
  };
  LiveSize SizeAt(const LocalExit& exit, int cut) const {
    const CutInfo& info = exit.model.table.cuts[static_cast<std::size_t>(cut)];
    if (terms_.costs == nullptr) return {&info.tensors, info.bytes, scale_};
    const auto boundary = static_cast<std::size_t>(exit.chain().BoundaryOf(cut));
    const std::vector<TensorSpec>& seen =
        terms_.costs->exits[static_cast<std::size_t>(exit.model.exit())].live[boundary];
    if (seen.size() != info.tensors.size()) return {&info.tensors, info.bytes, scale_};
    return {&seen, BytesOf(seen), 1};
  }

  bool Detects(const LocalExit& exit, int cut) const {
    const bool plain = offer_ != nullptr && offer_->plain;
    return !plain && exit.last_detecting_cut && cut <= *exit.last_detecting_cut;
  }

  double BytesDown(const LocalExit& exit, int cut) const {
    if (Detects(exit, cut)) {
      const Shape rows = {terms_.batch * kUsualDetections, kDetectionColumns};
      return static_cast<double>(
          EstimateMessageBytes({{kDetectionsOutput, DataType::kFloat32, rows}}));
    }
    const LiveSize answer = SizeAt(exit, exit.model.last_cut());
    return answer.scale * static_cast<double>(EstimateMessageBytes(*answer.tensors));
  }

  double TimeUs(const LocalExit& exit, int from_cut, int to_cut) const {
    return SegmentsUs(exit, exit.chain().BoundaryOf(from_cut), exit.chain().BoundaryOf(to_cut),
                      shapes_, terms_.costs.get());
  }

  double PictureUs() const {
    if (terms_.picture_bytes <= 0) return 0;
    return terms_.encode.PictureUs() * static_cast<double>(terms_.batch);
  }

  // The edge is taken to decode as much faster than this device as it runs the model.
  double PictureOnEdgeUs() const {
    const LocalExit& exit = model_.main();
    const double here_us = TimeUs(exit, 0, exit.model.last_cut());
    return here_us > 0 ? PictureUs() * TailOnEdgeUs(exit, 0) / here_us : PictureUs();
  }

  // An exact plan is worth what its exit is in full precision, wherever that was measured.
  std::optional<double> AccuracyOf(Plan plan) const {
    if (IsExact(plan.encoding)) return model_.AccuracyOfExit(plan.exit);
    const AccuracyRow* row = Calibrated(plan);
    return row == nullptr ? std::nullopt : std::optional<double>(model_.accuracy->AccuracyOf(*row));
  }

  const AccuracyRow* Calibrated(const Plan& plan) const {
    return model_.accuracy ? model_.accuracy->Find(plan) : nullptr;
  }

  // A picture's re-encoded size is known from the calibration alone.
  double BytesUp(const LiveSize& live, const Plan& plan) const {
    if (plan.encoding == Encoding::kFp32) {
      return live.scale * static_cast<double>(EstimateMessageBytes(*live.tensors));
    }
    if (CodecRate(plan.encoding)) return CodedBytesUp(live, plan);
    if (!IsPicture(plan.encoding)) {
      const auto frames =
          EstimateMessageBytes(*live.tensors, EncodeOptionsFor(plan.encoding, terms_.batch));
      return frames.ok() ? live.scale * static_cast<double>(*frames) : 0;
    }
    double file_bytes = terms_.picture_bytes;
    if (plan.encoding != Encoding::kJpeg) {
      const AccuracyRow* row = Calibrated(plan);
      if (row == nullptr) return 0;
      file_bytes = static_cast<double>(terms_.batch) * row->bytes;
    }
    return static_cast<double>(
        EstimatePictureMessageBytes(std::llround(file_bytes), static_cast<int>(terms_.batch)));
  }

  // The calibration says what the frames of an item take; without one, what the codecs were fitted
  // to does.
  double CodedBytesUp(const LiveSize& live, const Plan& plan) const {
    const EncodeOptions options = EncodeOptionsFor(plan.encoding, terms_.batch);
    const auto guessed = EstimateMessageBytes(*live.tensors, options, model_.codecs);
    if (!guessed.ok()) return 0;
    const AccuracyRow* row = Calibrated(plan);
    if (row == nullptr || row->bytes <= 0) return live.scale * static_cast<double>(*guessed);
    double contents = 0;
    for (const TensorSpec& spec : *live.tensors) {
      EncodeOptions own = options;
      own.codec = model_.codecs->Find(spec.name);
      const auto frame = FrameBytes(spec.dtype, spec.shape, own);
      if (frame.ok()) contents += static_cast<double>(*frame);
    }
    return static_cast<double>(*guessed) - contents +
           static_cast<double>(terms_.batch) * ItemScale() * row->bytes;
  }

  // The size of an item at these shapes by that at which the model was opened.
  double ItemScale() const {
    return scale_ * static_cast<double>(model_.batch()) / static_cast<double>(terms_.batch);
  }

  void AddEntropy(PlanCost& cost, double raw_bytes) const {
    const AccuracyRow* row = Calibrated(cost.plan);
    if (row == nullptr || row->entropy_bytes <= 0) return;
    const double saved = static_cast<double>(terms_.batch) * (row->bytes - row->entropy_bytes);
    if (saved <= 0) return;
    cost.entropy_bytes_up = cost.bytes_up - saved;
    cost.entropy_us = kZstdUsPerByte * std::min(raw_bytes, cost.bytes_up);
    if (TakesRans(cost.plan.encoding)) {
      cost.entropy_us += kRansUsPerLevel * raw_bytes / static_cast<double>(sizeof(float));
    }
  }

  bool TooLarge(double bytes_up) const {
    return offer_ != nullptr && offer_->max_request_bytes > 0 &&
           bytes_up >= static_cast<double>(offer_->max_request_bytes);
  }

  double TailOnEdgeUs(const LocalExit& exit, int cut) const {
    const Profile* profile = nullptr;
    if (offer_ != nullptr && !offer_->exits.empty()) {
      profile = offer_->exits[exit.model.exit()].profile.get();
    }
    if (profile != nullptr) {
      const std::vector<int>& boundaries = profile->key().boundaries;
      const auto found = std::lower_bound(boundaries.begin(), boundaries.end(), cut);
      if (found != boundaries.end() && *found == cut) {
        const double us = profile->TimeUs(static_cast<int>(found - boundaries.begin()),
                                          static_cast<int>(boundaries.size()) - 1, shapes_);
        return profile->Has(shapes_) ? us : us * EdgeFactor();
      }
    }
    // The device's own profile stands in.
    const double us = exit.TimeUs(cut, exit.model.last_cut(), shapes_);
    return exit.profile.Has(shapes_) ? us : us * EdgeFactor();
  }

  double EdgeFactor() const {
    return terms_.costs == nullptr ? 1 : terms_.costs->edge_factor.value_or(1);
  }

  // The time of zstd's first level on the packed levels, and of rANS on the levels, compressing and
  // expanding (entropy_bench). The writer tries both and keeps the smaller.
  static constexpr double kZstdUsPerByte = 0.01;
  static constexpr double kRansUsPerLevel = 0.006;

  // An answer with more of them takes longer by 28 bytes each, which no link notices.
  static constexpr std::int64_t kUsualDetections = 8;

  const LocalModel& model_;
  const EdgeOffer* offer_;
  const PlanTableTerms& terms_;
  const InputShapes shapes_;
  double query_bytes_ = 0;  // What asking for detections adds to a request.
  const double scale_;      // The sizes of tensors by those that they were opened at, as a guess.
  PlanTable table_;
};

}  // namespace

std::string WhyNoCodec(const LocalModel& model, const EdgeOffer* offer, const LocalExit& exit,
                       int cut) {
  if (model.codecs == nullptr) return "the model has no codecs here (cleave codec fit makes them)";
  for (const TensorSpec& spec : exit.model.table.cuts[static_cast<std::size_t>(cut)].tensors) {
    const TensorCodec* codec = cut == 0 ? nullptr : model.codecs->Find(spec.name);
    if (codec == nullptr || spec.dtype != DataType::kFloat32) {
      return absl::StrCat("there is no codec of tensor '", spec.name, "' at cut ", cut);
    }
    if (!codec->Takes(spec.shape)) {
      return absl::StrCat("the codec of tensor '", spec.name, "' does not take ",
                          ShapeString(spec.shape));
    }
  }
  if (offer == nullptr || offer->codecs) return "";
  return offer->codec_problem.empty() ? "the edge has no codecs of the model"
                                      : offer->codec_problem;
}

EncodeOptions EncodeOptionsFor(Encoding encoding, std::int64_t batch) {
  EncodeOptions options;
  options.encoding = encoding;
  if (batch > 1) {
    options.range = EncodeOptions::Range::kPerChannel;
    options.channel_axis = 0;
  }
  return options;
}

std::shared_ptr<const PlanTable> MakePlanTable(const LocalModel& model, const EdgeOffer* offer,
                                               const PlanTableTerms& terms) {
  return std::make_shared<const PlanTable>(TableMaker(model, offer, terms).Make());
}

std::vector<PlanForecast> ForecastPlans(const LocalModel& model, const PlanTable& table,
                                        const Observation& observation, const Policy& policy,
                                        const Constraints& constraints) {
  const int chosen = policy.Decide(table, observation).index;
  std::vector<PlanForecast> rows;
  for (int i = 0; i < static_cast<int>(table.plans.size()); ++i) {
    const PlanCost& cost = table.plans[i];
    const Prediction prediction = Predict(cost, observation);
    const ExitModel& exit = model.exits[static_cast<std::size_t>(cost.plan.exit)].model;
    PlanForecast row;
    row.exit = cost.plan.exit;
    row.cut = cost.plan.cut;
    row.encoding = cost.plan.encoding;
    row.accuracy = cost.accuracy;
    row.tensors = TensorsText(exit.table.cuts[static_cast<std::size_t>(row.cut)]);
    row.bytes_up = std::llround(cost.bytes_up);
    row.head_us = prediction.head_us;
    row.encode_us = prediction.encode_us;
    row.uplink_us = prediction.uplink_us;
    row.queue_us = prediction.queue_us;
    row.tail_us = prediction.tail_us;
    row.downlink_us = prediction.downlink_us;
    row.total_us = prediction.total_us();
    row.allowed = constraints.Allows(cost, observation) &&
                  constraints.AllowsAccuracy(cost, table, observation) &&
                  (!cost.remote() || (observation.edge_usable && observation.link.up));
    row.chosen = i == chosen;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace cleave
