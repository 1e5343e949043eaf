#ifndef CLEAVE_EXPERIMENTS_FILTER_EXPERIMENT_H_
#define CLEAVE_EXPERIMENTS_FILTER_EXPERIMENT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "app/cropped_pictures.h"
#include "model/input_shapes.h"

namespace cleave::experiments::filter {

// What `cleave experiment filter` is to measure: how many pictures without a detection a filter
// holds back, and how many with one.
struct Options {
  std::string model;
  std::string filter;     // The filter's file; empty: the one beside the model.
  app::CropOptions data;  // Pictures that nothing was fitted to.
  ShapeRequest inputs;
  std::string output = "filter.json";
  std::function<void(const std::string& what, double share)> on_progress;
};

// Pictures, or crops of them, and what the filter did with them.
struct Counts {
  std::int64_t empty = 0;            // How many had no detection,
  std::int64_t spared = 0;           // and how many of these were held back.
  std::int64_t occupied = 0;         // How many had one,
  std::int64_t lost = 0;             // and how many of these were held back.
  std::int64_t detections = 0;       // Of all of them,
  std::int64_t lost_detections = 0;  // and of those that were held back.

  void Add(const Counts& other);
};

// An interval that holds in 95 of 100 cases.
struct Interval {
  double low = 0;
  double high = 1;
};

struct Row {
  std::string name;  // "whole pictures", "crops", "both".
  Counts counts;
  // Of spared / empty and of lost / occupied, by 1000 bootstrap samples of the pictures with their
  // crops, since crops of one picture are alike.
  Interval spared;
  Interval lost;
};

struct Results {
  std::string command;
  std::string model;
  std::string digest;
  std::string data_digest;
  int cut = 0;
  double share_of_work = 0;  // Of the network's, that the head of the cut does.
  double score_threshold = 0;
  std::int64_t pictures = 0;
  std::vector<Row> rows;
};

// Runs the detector on all pictures and crops, and asks the filter about each. Errors are those of
// FilterFile::Load, DetectorCuts::Open and CroppedPictures.
absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command);

// The middle 95% of part / whole over bootstrap samples of their sums. Where no sample has a whole,
// it is 0 to 1. The same seed gives the same. REQUIRES: as many parts as wholes.
Interval BootstrapShare(const std::vector<std::int64_t>& part,
                        const std::vector<std::int64_t>& whole, std::uint64_t seed);

std::string ToJson(const Results& results);
std::string ToText(const Results& results);  // A table in Markdown.

}  // namespace cleave::experiments::filter

#endif  // CLEAVE_EXPERIMENTS_FILTER_EXPERIMENT_H_
