#include "fit/filter_fit.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/kernels.h"
#include "core/check.h"
#include "core/in_parallel.h"
#include "core/shuffle.h"
#include "core/status_macros.h"
#include "fit/cell_network.h"

namespace cleave {
namespace {

using Index = Eigen::Index;

// Cells of a sample that are fitted to: those of the highest scores, and as many at random.
constexpr std::size_t kTopCells = 12;

class Fitter {
 public:
  Fitter(const std::vector<FilterSample>& samples, const std::vector<int>& channels,
         const FilterForm& form, const FilterFitOptions& options)
      : samples_(samples), form_(form), options_(options) {
    shape_.channels = channels;
    shape_.side = form.side;
  }

  absl::StatusOr<FilterFit> Run() {
    CLEAVE_RETURN_IF_ERROR(Check());
    AssignFolds();
    ChooseCells();
    FilterFit fit;
    fit.logits.resize(samples_.size());
    std::vector<NeuralFilterParameters> fitted(static_cast<std::size_t>(options_.folds) + 1);
    // The last one is fitted to all samples.
    const auto fit_one = [&](std::size_t fold) -> absl::Status {
      CLEAVE_ASSIGN_OR_RETURN(fitted[fold], FitWithout(static_cast<int>(fold)));
      if (static_cast<int>(fold) < options_.folds) {
        CLEAVE_RETURN_IF_ERROR(Apply(fitted[fold], static_cast<int>(fold), fit.logits));
      }
      return absl::OkStatus();
    };
    if (options_.on_progress) options_.on_progress(0);
    CLEAVE_RETURN_IF_ERROR(InParallel(fitted.size(), options_.threads, fit_one));
    if (options_.on_progress) options_.on_progress(1);
    fit.parameters = std::move(fitted.back());
    CLEAVE_RETURN_IF_ERROR(fit.parameters.Validate());
    std::vector<bool> occupied;
    for (const FilterSample& sample : samples_) occupied.push_back(sample.occupied);
    CLEAVE_ASSIGN_OR_RETURN(fit.threshold, ThresholdFor(fit.logits, occupied, options_.most_lost));
    return fit;
  }

 private:
  std::size_t Cells() const {
    return static_cast<std::size_t>(form_.side) * static_cast<std::size_t>(form_.side);
  }

  absl::Status Check() {
    std::set<int> groups;
    for (const FilterSample& sample : samples_) {
      CLEAVE_RETURN_IF_ERROR(
          CheckCount("features of a sample", sample.cells.size(), Cells() * shape_.features()));
      CLEAVE_RETURN_IF_ERROR(CheckCount("scores of a sample", sample.scores.size(), Cells()));
      groups.insert(sample.group);
    }
    if (groups.size() >= static_cast<std::size_t>(options_.folds)) return absl::OkStatus();
    return FieldError("samples", absl::StrCat("those of ", groups.size(), " pictures"),
                      absl::StrCat("of at least ", options_.folds));
  }

  void AssignFolds() {
    std::set<int> distinct;
    for (const FilterSample& sample : samples_) distinct.insert(sample.group);
    std::vector<int> groups(distinct.begin(), distinct.end());
    std::mt19937_64 random(options_.seed);
    Shuffle(groups, random);
    std::map<int, int> fold_of;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      fold_of[groups[i]] = static_cast<int>(i) % options_.folds;
    }
    for (const FilterSample& sample : samples_) folds_.push_back(fold_of[sample.group]);
  }

  void ChooseCells() {
    std::mt19937_64 random(options_.seed + 1);
    const std::size_t top = std::min(kTopCells, (Cells() + 1) / 2);
    for (const FilterSample& sample : samples_) {
      std::vector<std::size_t> order(Cells());
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return sample.scores[a] > sample.scores[b];
      });
      std::vector<std::size_t> rest(order.begin() + static_cast<std::ptrdiff_t>(top), order.end());
      Shuffle(rest, random);
      order.resize(top);
      order.insert(order.end(), rest.begin(),
                   rest.begin() + static_cast<std::ptrdiff_t>(std::min(top, rest.size())));
      chosen_.push_back(std::move(order));
    }
  }

  absl::StatusOr<NeuralFilterParameters> FitWithout(int fold) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      if (folds_[i] != fold) count += chosen_[i].size();
    }
    const std::size_t features = shape_.features();
    CellRows rows;
    rows.features.resize(static_cast<Index>(count), static_cast<Index>(features));
    rows.targets.resize(static_cast<Index>(count));
    Index row = 0;
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      if (folds_[i] == fold) continue;
      for (const std::size_t cell : chosen_[i]) {
        if (!HalvesToFloats(samples_[i].cells.data() + cell * features, features,
                            rows.features.row(row).data())) {
          return FieldError("features", "one that is infinite or no number", "finite ones");
        }
        rows.targets(row++) = samples_[i].scores[cell];
      }
    }
    NeuralFilterParameters parameters = FitCellNetwork(
        rows, {form_.units, form_.decay, options_.seed + static_cast<std::uint64_t>(fold)});
    parameters.channels = shape_.channels;
    parameters.side = shape_.side;
    return parameters;
  }

  // The logits of a fold by a filter that does not know it.
  absl::Status Apply(const NeuralFilterParameters& parameters, int fold,
                     std::vector<double>& logits) const {
    CLEAVE_ASSIGN_OR_RETURN(const NeuralFilter filter, NeuralFilter::Create(parameters));
    std::vector<float> cells(Cells() * shape_.features());
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      if (folds_[i] != fold) continue;
      if (!HalvesToFloats(samples_[i].cells.data(), cells.size(), cells.data())) {
        return FieldError("features", "one that is infinite or no number", "finite ones");
      }
      logits[i] = filter.Logit(cells);
    }
    return absl::OkStatus();
  }

  const std::vector<FilterSample>& samples_;
  const FilterForm& form_;
  const FilterFitOptions& options_;
  NeuralFilterParameters shape_;  // Without weights.
  std::vector<int> folds_;        // By sample.
  std::vector<std::vector<std::size_t>> chosen_;
};

}  // namespace

absl::Status FilterFitOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckRange("folds", folds, 2, 100));
  CLEAVE_RETURN_IF_ERROR(CheckRange("threads", threads, 1, 1024));
  if (most_lost > 0 && most_lost < 1) return absl::OkStatus();
  return FieldError("most_lost", most_lost, "a share above 0 and below 1");
}

absl::StatusOr<FilterFit> FitFilter(const std::vector<FilterSample>& samples,
                                    const std::vector<int>& channels, const FilterForm& form,
                                    const FilterFitOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  return Fitter(samples, channels, form, options).Run();
}

absl::StatusOr<FilterThreshold> ThresholdFor(const std::vector<double>& logits,
                                             const std::vector<bool>& occupied, double most_lost) {
  std::vector<double> of_occupied;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (occupied[i]) of_occupied.push_back(logits[i]);
  }
  std::sort(of_occupied.begin(), of_occupied.end());
  const auto k =
      static_cast<std::size_t>(std::floor(most_lost * static_cast<double>(of_occupied.size() + 1)));
  if (k == 0) {
    return FieldError("samples", absl::StrCat(of_occupied.size(), " with a detection"),
                      absl::StrCat("at least ", std::ceil(1 / most_lost) - 1, ", of which ",
                                   100 * most_lost, "% may be lost"));
  }
  FilterThreshold threshold;
  threshold.logit = of_occupied[k - 1];
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const bool held_back = logits[i] < threshold.logit;
    ++(occupied[i] ? threshold.occupied : threshold.empty);
    if (held_back) ++(occupied[i] ? threshold.lost : threshold.spared);
  }
  return threshold;
}

}  // namespace cleave
