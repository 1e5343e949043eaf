#include "app/filter_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "app/detector_cuts.h"
#include "codec/kernels.h"
#include "core/check.h"
#include "core/in_parallel.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave::app {
namespace {

constexpr float kMostHalf = 65504;

// The form that looks at cells, and that which looks at the whole picture.
constexpr std::array kForms = {FilterForm{}, FilterForm{.side = 1, .units = 0, .decay = 0.1}};

std::vector<std::uint16_t> Halves(std::vector<float> values) {
  for (float& value : values) value = std::clamp(value, -kMostHalf, kMostHalf);
  std::vector<std::uint16_t> halves(values.size());
  FloatsToHalves(values.data(), values.size(), halves.data());
  return halves;
}

// By cell, the highest score of a box whose centre lies there.
std::vector<float> ScoresOfCells(const std::vector<Detection>& boxes, const Preprocessing& how,
                                 int side) {
  const auto index = [side](double at, int size) {
    return std::clamp(static_cast<int>(at / size * side), 0, side - 1);
  };
  std::vector<float> scores(static_cast<std::size_t>(side) * static_cast<std::size_t>(side), 0);
  for (const Detection& box : boxes) {
    const int row = index((box.box.y0 + box.box.y1) / 2, how.height);
    const int column = index((box.box.x0 + box.box.x1) / 2, how.width);
    float& score = scores[static_cast<std::size_t>(row) * static_cast<std::size_t>(side) +
                          static_cast<std::size_t>(column)];
    score = std::max(score, static_cast<float>(box.score));
  }
  return scores;
}

class FilterFitter {
 public:
  FilterFitter(const FilterFitRequest& request, DetectorCuts detector, CroppedPictures pictures)
      : request_(request),
        detector_(std::move(detector)),
        pictures_(std::move(pictures)),
        threads_(UsualThreads()) {}

  absl::StatusOr<FilterFitOutcome> Run() {
    CLEAVE_RETURN_IF_ERROR(ReadAll());
    for (std::size_t cut = 0; cut < detector_.cuts().size(); ++cut) {
      for (std::size_t form = 0; form < kForms.size(); ++form) {
        CLEAVE_RETURN_IF_ERROR(Try(cut, form));
      }
    }
    return std::move(outcome_);
  }

 private:
  // By cut and form, the samples of one picture and its crops.
  using OfPicture = std::vector<std::array<std::vector<FilterSample>, kForms.size()>>;

  void Say(const std::string& what, double share) const {
    if (request_.on_progress) request_.on_progress(what, share);
  }

  absl::Status ReadAll() {
    const std::size_t count = pictures_.paths().size();
    std::vector<OfPicture> read(count);
    std::vector<std::string> digests(count);
    absl::Mutex mutex;
    std::size_t done = 0;
    CLEAVE_RETURN_IF_ERROR(InParallel(count, threads_, [&](std::size_t i) -> absl::Status {
      CLEAVE_ASSIGN_OR_RETURN(read[i], ReadOne(i, digests[i]));
      const absl::MutexLock lock(&mutex);
      Say("running the detector", static_cast<double>(++done) / static_cast<double>(count));
      return absl::OkStatus();
    }));
    Sha256 digest;
    for (const std::string& each : digests) digest.Update(each);
    outcome_.about.fitted = {detector_.graph().digest(), digest.HexDigest(), 0};
    samples_.resize(detector_.cuts().size());
    for (OfPicture& picture : read) {
      for (std::size_t cut = 0; cut < picture.size(); ++cut) {
        for (std::size_t form = 0; form < kForms.size(); ++form) {
          std::move(picture[cut][form].begin(), picture[cut][form].end(),
                    std::back_inserter(samples_[cut][form]));
        }
      }
      picture = {};
    }
    outcome_.about.fitted.samples = static_cast<std::int64_t>(samples_[0][0].size());
    outcome_.about.score_threshold = detector_.head().score_threshold;
    return absl::OkStatus();
  }

  absl::StatusOr<OfPicture> ReadOne(std::size_t index, std::string& digest) const {
    CLEAVE_ASSIGN_OR_RETURN(const CroppedPictures::Read read, pictures_.ReadPicture(index));
    digest = read.digest;
    OfPicture of_picture(detector_.cuts().size());
    for (const CroppedPicture& picture : read.pictures) {
      CLEAVE_ASSIGN_OR_RETURN(const DetectorCuts::Run run, detector_.RunPicture(picture.input));
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<Detection> found,
                              detector_.Find(run.outputs, detector_.head()));
      CLEAVE_ASSIGN_OR_RETURN(const std::vector<Detection> boxes,
                              detector_.Find(run.outputs, detector_.BoxesHead()));
      for (std::size_t cut = 0; cut < of_picture.size(); ++cut) {
        std::vector<const Tensor*> tensors;
        for (const Tensor& tensor : run.readable[cut]) tensors.push_back(&tensor);
        for (std::size_t form = 0; form < kForms.size(); ++form) {
          const int side = kForms[form].side;
          FilterSample sample;
          CLEAVE_ASSIGN_OR_RETURN(std::vector<float> cells, CellFeatures(tensors, 0, side));
          sample.cells = Halves(std::move(cells));
          sample.scores = ScoresOfCells(boxes, detector_.how(), side);
          sample.occupied = !found.empty();
          sample.group = static_cast<int>(static_cast<std::int64_t>(index) / request_.alike);
          of_picture[cut][form].push_back(std::move(sample));
        }
      }
    }
    return of_picture;
  }

  absl::Status Try(std::size_t cut_index, std::size_t form) {
    const int cut = detector_.cuts()[cut_index];
    const std::vector<TensorSpec> tensors = detector_.ReadableTensors(cut);
    std::vector<int> channels;
    channels.reserve(tensors.size());
    for (const TensorSpec& spec : tensors) channels.push_back(static_cast<int>(spec.shape[1]));
    FilterFitOptions options;
    options.most_lost = request_.most_lost;
    options.threads = threads_;
    options.seed = request_.data.seed;
    options.on_progress = [&](double share) { Say(absl::StrCat("cut ", cut, ": fitting"), share); };
    CLEAVE_ASSIGN_OR_RETURN(FilterFit fit,
                            FitFilter(samples_[cut_index][form], channels, kForms[form], options));
    outcome_.tried.push_back({cut, detector_.ShareOfWork(cut), kForms[form], fit.threshold});
    const TriedFilter& best = outcome_.tried[outcome_.chosen];
    const bool first = outcome_.tried.size() == 1;
    if (!first && outcome_.tried.back().WorkSpared() <= best.WorkSpared()) return absl::OkStatus();
    outcome_.chosen = outcome_.tried.size() - 1;
    outcome_.about.cut = cut;
    outcome_.about.tensors.clear();
    for (const TensorSpec& spec : tensors) outcome_.about.tensors.push_back(spec.name);
    outcome_.about.threshold = fit.threshold;
    outcome_.parameters = std::move(fit.parameters);
    return absl::OkStatus();
  }

  const FilterFitRequest& request_;
  const DetectorCuts detector_;
  const CroppedPictures pictures_;
  const int threads_;
  std::vector<std::array<std::vector<FilterSample>, kForms.size()>> samples_;  // By cut and form.
  FilterFitOutcome outcome_;
};

}  // namespace

absl::Status FilterFitRequest::Validate() const {
  CLEAVE_RETURN_IF_ERROR(data.Validate());
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("alike", alike, 1));
  return runtime.Validate();
}

double TriedFilter::WorkSpared() const {
  if (threshold.empty == 0) return 0;
  return (1 - share_of_work) * static_cast<double>(threshold.spared) /
         static_cast<double>(threshold.empty);
}

absl::StatusOr<FilterFitOutcome> FitFilterOf(const FilterFitRequest& request) {
  CLEAVE_RETURN_IF_ERROR(request.Validate());
  CLEAVE_ASSIGN_OR_RETURN(
      DetectorCuts detector,
      DetectorCuts::Open({request.model, request.inputs, request.runtime, request.cut}));
  CLEAVE_ASSIGN_OR_RETURN(CroppedPictures pictures,
                          CroppedPictures::Open(request.data, detector.how()));
  return FilterFitter(request, std::move(detector), std::move(pictures)).Run();
}

}  // namespace cleave::app
