#include "experiments/rig/model_experiment.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave::experiments::rig {
namespace {

constexpr std::int64_t kEdgeUs = 60'000'000;

}  // namespace

absl::Status ModelOptions::Validate() const {
  std::error_code unused;
  if (!std::filesystem::is_directory(data, unused)) {
    return FieldError("data", absl::StrCat("'", data, "'"), "a folder of pictures");
  }
  if (!(device_share > 0 && device_share <= 1)) {
    return FieldError("device_share", device_share, "more than 0, at most 1");
  }
  return absl::OkStatus();
}

absl::Status CheckRates(const std::vector<double>& rates_bps) {
  if (rates_bps.empty()) return FieldError("rates", "none", "at least one");
  for (const double rate : rates_bps) {
    if (!(rate > 0)) return FieldError("rates", rate, "more than 0");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Rig>> StartModelRig(const ModelOptions& options, const Graph& graph,
                                                   std::int64_t batch, ModelResults& results) {
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Rig> rig,
                          Rig::Create({.program = options.program,
                                       .folder = options.output + ".work",
                                       .device_share = options.device_share,
                                       .force_relay = options.force_relay,
                                       .seed = options.seed}));
  results.model = options.model;
  results.digest = graph.digest();
  results.link = rig->link_name();
  results.device_share = options.device_share;
  results.device_slowed = rig->share_enforced();
  results.notes = rig->notes();
  CLEAVE_RETURN_IF_ERROR(rig->StartEdge({options.model}));
  for (int exit = 0; exit < graph.exit_count(); ++exit) {
    CLEAVE_RETURN_IF_ERROR(rig->WarmEdgeProfile(graph.name(), graph.digest(), exit, batch));
  }
  return rig;
}

absl::StatusOr<std::unique_ptr<Worker>> StartModelWorker(Rig& rig, WorkerOptions options) {
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Worker> worker, rig.StartWorker(std::move(options)));
  CLEAVE_RETURN_IF_ERROR(worker->WaitForEdge(kEdgeUs));
  return worker;
}

}  // namespace cleave::experiments::rig
