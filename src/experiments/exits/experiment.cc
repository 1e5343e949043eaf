#include "experiments/exits/experiment.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "core/text_table.h"
#include "core/units.h"
#include "device/confidence.h"
#include "experiments/dsc/results.h"
#include "experiments/rig/json.h"
#include "model/graph.h"

namespace cleave::experiments::exits {

#define CLEAVE_JSON NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT
CLEAVE_JSON(Row, threshold, where, pictures, right, fallbacks, mean_us, median_us, bytes_up,
            exit_share)
CLEAVE_JSON(Results, model, digest, link, command, rate_bps, device_share, device_slowed, exits,
            notes, rows)
#undef CLEAVE_JSON

namespace {

using rig::Sample;

constexpr int kWarmup = 5;

class Tally {
 public:
  Tally(const std::string& threshold, Where where, std::size_t exits) {
    row_.threshold = threshold;
    row_.where = where;
    row_.exit_share.resize(exits);
  }

  void Add(const Sample& sample) {
    latencies_us_.push_back(sample.latency_us);
    row_.right += sample.right.value_or(0);
    row_.bytes_up += sample.bytes_up;
    row_.fallbacks += sample.fallback.empty() ? 0 : 1;
    row_.exit_share.at(static_cast<std::size_t>(sample.exit)) += 1;
  }

  Row Conclude() && {
    const dsc::Summary summary = dsc::Summarize(latencies_us_);
    row_.pictures = summary.n;
    row_.mean_us = summary.mean_us;
    row_.median_us = summary.median_us;
    row_.bytes_up /= summary.n;
    for (double& share : row_.exit_share) share /= summary.n;
    return std::move(row_);
  }

 private:
  Row row_;
  std::vector<double> latencies_us_;
};

class Experiment {
 public:
  Experiment(const Options& options, Results& results) : options_(options), results_(results) {}

  absl::Status Run() {
    CLEAVE_RETURN_IF_ERROR(Prepare());
    for (const std::string& threshold : options_.thresholds) {
      CLEAVE_RETURN_IF_ERROR(Measure(threshold));
      CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options_.output, ToJson(results_)));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Prepare() {
    CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(options_.model));
    if (graph->exits().empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          options_.model, ": has no exits, expected metadata cleave.exits (docs/exits.md)"));
    }
    results_.exits = graph->exits();
    CLEAVE_ASSIGN_OR_RETURN(rig_, rig::StartModelRig(options_, *graph, /*batch=*/1, results_));
    return rig_->SetRate(options_.rate_bps);
  }

  absl::Status Measure(const std::string& threshold) {
    rig::WorkerOptions worker;
    worker.model = options_.model;
    worker.data = options_.data;
    worker.encodings = "fp32";
    worker.exit_confidence = threshold;
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<rig::Worker> device,
                            rig::StartModelWorker(*rig_, std::move(worker)));
    Tally local(threshold, Where::kDevice, results_.exits.size());
    Tally split(threshold, Where::kSplit, results_.exits.size());
    for (int item = -kWarmup; item < options_.pictures; ++item) {
      if (options_.cancel.cancelled()) return absl::CancelledError("stopped");
      CLEAVE_ASSIGN_OR_RETURN(const Sample here, device->Infer("device", std::max(0, item)));
      CLEAVE_ASSIGN_OR_RETURN(const Sample there, device->Infer("dynamic", std::max(0, item)));
      if (item < 0) continue;
      local.Add(here);
      split.Add(there);
    }
    results_.rows.push_back(std::move(local).Conclude());
    results_.rows.push_back(std::move(split).Conclude());
    if (options_.on_progress) {
      options_.on_progress(absl::StrCat(threshold.empty() ? "last exit" : threshold, ": done"));
    }
    return absl::OkStatus();
  }

  const Options& options_;
  Results& results_;
  std::unique_ptr<rig::Rig> rig_;
};

}  // namespace

absl::Status Options::Validate() const {
  CLEAVE_RETURN_IF_ERROR(ModelOptions::Validate());
  if (thresholds.empty()) {
    return FieldError("thresholds", "none", "at least one");
  }
  for (const std::string& threshold : thresholds) {
    const absl::Status status = ConfidenceRule::Parse(threshold).status();
    if (!status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("thresholds: ", status.message()));
    }
  }
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast("pictures", pictures, 1));
  if (!(rate_bps > 0)) {
    return FieldError("rate", rate_bps, "more than 0");
  }
  return absl::OkStatus();
}

absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  Results results;
  results.command = command;
  results.rate_bps = options.rate_bps;
  CLEAVE_RETURN_IF_ERROR(Experiment(options, results).Run());
  return results;
}

std::string ToJson(const Results& results) { return nlohmann::json(results).dump(1) + "\n"; }

std::string ToText(const Results& results) {
  std::vector<TextTable::Column> columns = {{"threshold", TextTable::Align::kLeft},
                                            {"where", TextTable::Align::kLeft},
                                            {"right"},
                                            {"mean ms"},
                                            {"median ms"},
                                            {"sent"}};
  for (const std::string& exit : results.exits) columns.push_back({exit});
  TextTable table(std::move(columns));
  for (const Row& row : results.rows) {
    std::vector<std::string> cells = {row.threshold.empty() ? "none: last exit" : row.threshold,
                                      std::string(WhereName(row.where)),
                                      absl::StrFormat("%.1f%%", 100.0 * row.right / row.pictures),
                                      absl::StrFormat("%.2f", row.mean_us / 1e3),
                                      absl::StrFormat("%.2f", row.median_us / 1e3),
                                      FormatBytes(row.bytes_up)};
    for (const double share : row.exit_share) {
      cells.push_back(absl::StrFormat("%.0f%%", 100 * share));
    }
    table.Add(std::move(cells));
  }
  return table.Markdown();
}

}  // namespace cleave::experiments::exits
