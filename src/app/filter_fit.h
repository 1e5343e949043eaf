#ifndef CLEAVE_APP_FILTER_FIT_H_
#define CLEAVE_APP_FILTER_FIT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "app/cropped_pictures.h"
#include "codec/filter_file.h"
#include "fit/filter_fit.h"
#include "model/input_shapes.h"
#include "runtime/options.h"

namespace cleave::app {

struct FilterFitRequest {
  std::string model;
  CropOptions data;
  // So many neighbours in the order of the files' names are alike, as frames of a video are: no
  // filter is measured on a picture whose neighbour it was fitted to.
  std::int64_t alike = 1;
  std::optional<int> cut;   // The only one to try; else those of FilterCuts.
  double most_lost = 0.01;  // The share of pictures with a detection that may be held back.
  ShapeRequest inputs;      // The picture's size where the model leaves it free.
  RuntimeOptions runtime;   // Of each run; as many run at once as the machine has processors.
  std::function<void(const std::string& what, double share)> on_progress;

  // InvalidArgument names the field.
  absl::Status Validate() const;
};

// A filter that was tried.
struct TriedFilter {
  int cut = 0;
  double share_of_work = 0;  // Of the network's, that its head does.
  FilterForm form;
  FilterThreshold threshold;

  // The share of the network's work that a picture without a detection is spared, on average.
  double WorkSpared() const;
};

struct FilterFitOutcome {
  FilterFile::About about;
  NeuralFilterParameters parameters;
  std::vector<TriedFilter> tried;
  std::size_t chosen = 0;  // An index into `tried`.
};

// Fits filters at each cut to the network's own detections in a folder of pictures and in crops of
// them, one that looks at a grid of cells and one that looks at the picture as a whole, and takes
// the one that spares most work (TriedFilter::WorkSpared), by cross-fitting. Errors are those of
// DetectorCuts::Open, CroppedPictures and FitFilter.
absl::StatusOr<FilterFitOutcome> FitFilterOf(const FilterFitRequest& request);

}  // namespace cleave::app

#endif  // CLEAVE_APP_FILTER_FIT_H_
