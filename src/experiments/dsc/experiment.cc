#include "experiments/dsc/experiment.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "emulate/machine_name.h"
#include "experiments/dsc/encodings.h"
#include "experiments/dsc/goals.h"
#include "experiments/dsc/micro.h"
#include "experiments/dsc/point.h"
#include "experiments/dsc/report.h"
#include "experiments/dsc/scenarios.h"
#include "experiments/rig/edge_load.h"
#include "experiments/rig/rig.h"
#include "model/graph.h"
#include "profile/profile.h"
#include "runtime/options.h"

namespace cleave::experiments::dsc {
namespace {

constexpr double kStepHighBps = 50e6;
constexpr double kStepLowBps = 2e6;
// What a point may take more than its even share of the time that is left.
constexpr double kPointStretch = 2;

std::string Timestamp() {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::Now(), absl::UTCTimeZone());
}

bool Overlap(const std::vector<int>& a, const std::vector<int>& b) {
  return std::any_of(a.begin(), a.end(),
                     [&](int cut) { return std::find(b.begin(), b.end(), cut) != b.end(); });
}

absl::Status Failure(const std::string& problem) {
  return problem.empty() ? absl::OkStatus() : absl::InternalError(problem);
}

class Experiment {
 public:
  Experiment(const Options& options, std::vector<std::string> files)
      : options_(options), files_(std::move(files)), start_us_(Clock::Steady().NowUs()) {}

  absl::StatusOr<Results> Run() {
    CLEAVE_RETURN_IF_ERROR(Prepare());
    const auto wanted = [&](Part part) {
      return !options_.cancel.cancelled() &&
             std::find(options_.parts.begin(), options_.parts.end(), part) != options_.parts.end();
    };
    if (wanted(Part::kMicro)) Micro();
    CLEAVE_RETURN_IF_ERROR(rig_->StartEdge(files_));
    const std::vector<PointSpec> grid = PlanGrid(options_, files_.size());
    if (wanted(Part::kGrid)) {
      Grid(grid, /*coarse=*/true);
      FillEncodings(grid);
    }
    if (wanted(Part::kStep)) Step();
    if (wanted(Part::kTrace)) Traces();
    if (wanted(Part::kKills)) Kills();
    if (wanted(Part::kGrid) && !Complete(grid)) {
      CLEAVE_RETURN_IF_ERROR(rig_->StartEdge(files_));
      Grid(grid, /*coarse=*/false);
    }
    devices_.clear();
    results_.meta.complete = Complete(grid);
    results_.meta.finished = Timestamp();
    CLEAVE_RETURN_IF_ERROR(Save());
    return results_;
  }

 private:
  struct DevicePair {
    std::unique_ptr<rig::Worker> fixed;
    std::unique_ptr<rig::Worker> dynamic;
  };

  absl::Status Prepare() {
    if (options_.resume && std::filesystem::exists(options_.output)) {
      CLEAVE_ASSIGN_OR_RETURN(const std::string json, ReadFile(options_.output));
      CLEAVE_ASSIGN_OR_RETURN(results_, FromJson(json, options_.output));
      if (results_.meta.device_share != options_.device_share) {
        return absl::FailedPreconditionError(
            absl::StrFormat("%s: device share is %g, expected %g; resuming needs the same",
                            options_.output, results_.meta.device_share, options_.device_share));
      }
    }
    CLEAVE_ASSIGN_OR_RETURN(rig_, rig::Rig::Create({.program = options_.program,
                                                    .folder = options_.output + ".work",
                                                    .device_share = options_.device_share,
                                                    .force_relay = options_.force_relay,
                                                    .seed = options_.seed}));
    DescribeRun();
    return DescribeModels();
  }

  void DescribeRun() {
    Meta& meta = results_.meta;
    meta.command = options_.command_line;
    meta.cleave = CLEAVE_VERSION;
    meta.onnxruntime = OnnxRuntimeVersion();
    meta.cores = static_cast<int>(std::thread::hardware_concurrency());
    if (meta.started.empty()) meta.started = Timestamp();
    meta.seed = options_.seed;
    meta.link = rig_->link_name();
    meta.device_share = options_.device_share;
    meta.device_share_enforced = rig_->share_enforced();
    meta.repeats = options_.repeats;
    meta.final_repeats = options_.final_repeats;
    meta.warmup = options_.warmup;
    meta.busy_utilization = options_.busy_utilization;
    meta.predict_only_above_us = options_.predict_only_above_us;
    meta.time_budget_s = static_cast<double>(options_.time_budget_us) / 1e6;
    meta.notes = rig_->notes();
  }

  absl::Status DescribeModels() {
    const std::vector<ModelEntry> before = std::exchange(results_.models, {});
    pictures_.clear();
    for (const std::string& file : files_) {
      CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(file));
      ModelEntry entry{.name = graph->name(),
                       .file = std::filesystem::path(file).filename().string(),
                       .digest = graph->digest()};
      for (const ModelEntry& old : before) {
        if (old.name != entry.name) continue;
        if (old.digest != entry.digest) {
          return absl::FailedPreconditionError(absl::StrCat(options_.output, ": measured another ",
                                                            entry.name, ", SHA-256 ", old.digest,
                                                            "; found ", entry.digest));
        }
        entry = old;
      }
      results_.models.push_back(std::move(entry));
      pictures_.push_back(FindPicture(graph->inputs(), file, options_.picture_bytes));
    }
    results_.meta.machine = emulate::MachineName();
    results_.meta.points_planned = static_cast<int>(PlanGrid(options_, files_.size()).size());
    return absl::OkStatus();
  }

  void Say(const std::string& text) const {
    if (!options_.on_progress) return;
    const double minutes = static_cast<double>(Clock::Steady().NowUs() - start_us_) / 60e6;
    options_.on_progress(absl::StrFormat("[%5.1f min] %s", minutes, text));
  }

  void Problem(const std::string& what, const absl::Status& status) {
    if (status.ok() || absl::IsCancelled(status)) return;
    results_.micro.problems.push_back(absl::StrCat(what, ": ", status.message()));
    Say(results_.micro.problems.back());
  }

  // The results as they are now, with the goals they reach.
  absl::Status Save() {
    results_.goals = EvaluateGoals(results_);
    CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options_.output, ToJson(results_)));
    return options_.report.empty() ? absl::OkStatus() : WriteReport(results_, options_.report);
  }

  std::int64_t LeftUs() const {
    return options_.time_budget_us - (Clock::Steady().NowUs() - start_us_);
  }

  void Micro() {
    MicroResult& micro = results_.micro;
    micro = {};
    micro.decide_us = MeasureDecisionUs(500);
    if (options_.loopback_bench.empty()) {
      micro.loopback_detail = "not measured: no loopback_bench given";
    } else {
      Problem("loopback", MeasureLoopback(options_.loopback_bench, micro));
    }
    for (std::size_t i = 0; i < files_.size() && !options_.cancel.cancelled(); ++i) {
      const std::string& name = results_.models[i].name;
      Say(absl::StrCat("chain against whole model, memory: ", name));
      const auto chain = MeasureChainRatio(files_[i], options_.micro_pairs);
      if (chain.ok()) micro.chain_ratio.push_back({.model = name, .value = *chain});
      Problem(absl::StrCat("chain ratio of ", name), chain.status());
      auto memory = MeasureMemory(*rig_, files_[i], options_.program);
      Problem(absl::StrCat("memory of ", name), memory.status());
      if (memory.ok()) micro.memory_ratio.push_back(*std::move(memory));
    }
    Problem("saving", Save());
  }

  std::string KeyOf(const PointSpec& spec) const {
    return PointResult{.model = results_.models[spec.model].name,
                       .rate_bps = spec.rate_bps,
                       .batch = spec.batch,
                       .load = spec.load}
        .Key();
  }

  bool Complete(const std::vector<PointSpec>& grid) const {
    return std::all_of(grid.begin(), grid.end(), [&](const PointSpec& spec) {
      return results_.Find(KeyOf(spec)) != nullptr;
    });
  }

  void Grid(const std::vector<PointSpec>& grid, bool coarse) {
    for (const PointSpec& spec : grid) {
      if (options_.cancel.cancelled() || LeftUs() <= 0) return;
      if (spec.coarse != coarse || results_.Find(KeyOf(spec)) != nullptr) continue;
      const auto planned = static_cast<double>(results_.meta.points_planned);
      const double left = std::max(1.0, planned - static_cast<double>(results_.points.size()));
      const auto share_us =
          static_cast<std::int64_t>(kPointStretch * static_cast<double>(LeftUs()) / left);
      MeasureOne(spec, share_us);
    }
  }

  // The point, measured now unless it is there already; nothing if that was cut short.
  const PointResult* MeasureOne(const PointSpec& spec, std::int64_t budget_us) {
    const std::string key = KeyOf(spec);
    if (const PointResult* known = results_.Find(key)) return known;
    PointResult point{.model = results_.models[spec.model].name,
                      .rate_bps = spec.rate_bps,
                      .batch = spec.batch,
                      .load = spec.load};
    const absl::Status status = TryPoint(spec, budget_us, point);
    if (absl::IsCancelled(status)) return nullptr;
    if (!status.ok()) {
      point.problem = std::string(status.message());
      devices_.clear();
    }
    Say(absl::StrFormat("%d/%d %s, %s, batch %d, edge %s: %s", results_.points.size() + 1,
                        results_.meta.points_planned, point.model, FormatRate(point.rate_bps),
                        point.batch, LoadName(point.load), Describe(point)));
    results_.points.push_back(std::move(point));
    results_.meta.points_planned =
        std::max(results_.meta.points_planned, static_cast<int>(results_.points.size()));
    Problem("saving", Save());
    return &results_.points.back();
  }

  static std::string Describe(const PointResult& point) {
    if (point.regret <= 0) return point.problem.empty() ? "predicted only" : point.problem;
    return absl::StrFormat("best cut %d %s, dynamic %s (%.2f), %.0f s%s",
                           point.best_cut.value_or(-1), FormatDuration(point.best_us),
                           FormatDuration(point.dynamic.latency.mean_us), point.regret,
                           point.seconds, point.problem.empty() ? "" : "; " + point.problem);
  }

  absl::Status TryPoint(const PointSpec& spec, std::int64_t budget_us, PointResult& point) {
    CLEAVE_ASSIGN_OR_RETURN(const DevicePair* const pair, Devices(spec));
    CLEAVE_RETURN_IF_ERROR(rig_->SetRate(spec.rate_bps));
    std::unique_ptr<rig::EdgeLoad> load;
    if (spec.load == Load::kBusy) {
      CLEAVE_ASSIGN_OR_RETURN(load, rig::EdgeLoad::Start({.edge = rig_->edge_here(),
                                                          .model = LoadModel(),
                                                          .utilization = options_.busy_utilization,
                                                          .seed = options_.seed}));
    }
    const PointLimits limits{.repeats = options_.repeats,
                             .final_repeats = options_.final_repeats,
                             .warmup = options_.warmup,
                             .predict_only_above_us = options_.predict_only_above_us,
                             .budget_us = budget_us,
                             .cancel = options_.cancel};
    absl::Status status = MeasurePoint({*pair->fixed, *pair->dynamic}, limits, point);
    if (load != nullptr) point.edge_utilization = load->Stop();
    return status;
  }

  // Many small requests wait less each than few large ones, so the figures settle sooner.
  const std::string& LoadModel() const {
    return *std::min_element(files_.begin(), files_.end(),
                             [](const std::string& a, const std::string& b) {
                               return std::filesystem::file_size(a) < std::filesystem::file_size(b);
                             });
  }

  // The two devices for this model and batch; those of another one end first.
  absl::StatusOr<const DevicePair*> Devices(const PointSpec& spec) {
    const std::pair<std::size_t, std::int64_t> key{spec.model, spec.batch};
    if (const auto found = devices_.find(key); found != devices_.end()) return &found->second;
    devices_.clear();
    ModelEntry& entry = results_.models[spec.model];
    Say(absl::StrFormat("opening devices: %s, batch %d", entry.name, spec.batch));
    CLEAVE_RETURN_IF_ERROR(rig_->SetRate(100e6));
    CLEAVE_RETURN_IF_ERROR(rig_->WarmEdgeProfile(entry.name, entry.digest, /*exit=*/0, spec.batch));
    DevicePair pair;
    for (auto* worker : {&pair.fixed, &pair.dynamic}) {
      CLEAVE_ASSIGN_OR_RETURN(
          *worker, rig_->StartWorker({.model = files_[spec.model], .batch = spec.batch}));
      CLEAVE_RETURN_IF_ERROR((*worker)->WaitForEdge(20'000'000));
      (*worker)->Sleep();
    }
    entry.last_cut = pair.fixed->info().last_cut;
    entry.candidates = pair.fixed->info().candidates;
    if (!HasEncodings(spec)) Encodings(spec, *pair.fixed);
    return &devices_.emplace(key, std::move(pair)).first->second;
  }

  bool HasEncodings(const PointSpec& spec) const {
    const EncodingForecast* known =
        results_.FindEncodings(results_.models[spec.model].name, spec.batch);
    return known != nullptr && Covers(*known, options_.rates_bps, options_.picture_bytes);
  }

  // The rates that are asked for, and those of an older run.
  std::vector<double> RatesFor(const PointSpec& spec) const {
    std::vector<double> rates_bps = options_.rates_bps;
    const EncodingForecast* old =
        results_.FindEncodings(results_.models[spec.model].name, spec.batch);
    if (old == nullptr) return rates_bps;
    for (const EncodingRate& rate : old->rates) rates_bps.push_back(rate.rate_bps);
    return rates_bps;
  }

  void Encodings(const PointSpec& spec, rig::Worker& worker) {
    const std::string& name = results_.models[spec.model].name;
    auto forecast = MeasureEncodings(worker, RatesFor(spec), spec.batch, pictures_[spec.model]);
    Problem(absl::StrCat("encodings of ", name), forecast.status());
    if (!forecast.ok()) return;
    forecast->model = name;
    results_.Keep(*std::move(forecast));
  }

  // Makes the forecasts of points that an older run has measured; opening the devices makes them.
  void FillEncodings(const std::vector<PointSpec>& grid) {
    for (const PointSpec& spec : grid) {
      if (options_.cancel.cancelled() || LeftUs() <= 0) return;
      if (HasEncodings(spec) || results_.Find(KeyOf(spec)) == nullptr) continue;
      devices_.clear();
      Problem("encodings", Devices(spec).status());
      Problem("saving", Save());
      if (!HasEncodings(spec)) return;
    }
  }

  void Step() {
    results_.steps.clear();
    for (std::size_t model = 0; model < files_.size(); ++model) {
      PointSpec spec{.model = model, .rate_bps = kStepHighBps, .batch = 1};
      const std::int64_t budget_us = LeftUs();
      if (MeasureOne(spec, budget_us) == nullptr) return;
      spec.rate_bps = kStepLowBps;
      if (MeasureOne(spec, budget_us) == nullptr) return;
      const PointResult low = *results_.Find(KeyOf(spec));
      spec.rate_bps = kStepHighBps;
      const PointResult high = *results_.Find(KeyOf(spec));
      // Where one cut is right at both rates there is nothing to follow.
      if (Overlap(RightCuts(high, 0.05), RightCuts(low, 0.05))) continue;
      const auto pair = Devices(spec);
      if (!pair.ok()) return Problem("step response", pair.status());
      Say(absl::StrCat("step response: ", high.model));
      results_.steps.push_back(
          RunStep(*rig_, *(*pair)->dynamic, high, low, options_.step_cycles, options_.cancel));
      Problem("step response", Failure(results_.steps.back().problem));
      (*pair)->dynamic->Sleep();
      Problem("saving", Save());
      return;
    }
    Problem("step response",
            absl::NotFoundError("at each model one cut is right at both rates: no change to see"));
  }

  void Traces() {
    devices_.clear();
    results_.traces.clear();
    std::vector<std::string> names = options_.traces;
    if (names.empty()) names.push_back("");
    for (const std::string& file : names) {
      const auto trace = file.empty() ? MadeUpTrace() : Trace::Load(file);
      if (!trace.ok()) {
        Problem("trace", trace.status());
        continue;
      }
      const TraceOptions trace_options{
          .name =
              file.empty() ? "steps and swells" : std::filesystem::path(file).filename().string(),
          .made_up = file.empty(),
          .seconds = options_.trace_s};
      Say(absl::StrCat("trace: ", trace_options.name));
      results_.traces.push_back(RunTrace(*rig_, files_.front(), results_.models.front().name,
                                         *trace, trace_options, options_.cancel));
      Problem("trace", Failure(results_.traces.back().problem));
      Problem("saving", Save());
    }
  }

  void Kills() {
    devices_.clear();
    const auto index = static_cast<std::size_t>(
        std::find(files_.begin(), files_.end(), LoadModel()) - files_.begin());
    Say(absl::StrCat("edge killed and restarted: ", results_.models[index].name));
    results_.kills = RunKills(*rig_, files_[index], results_.models[index].name, options_.kills,
                              options_.seed, options_.cancel);
    Problem("kills", Failure(results_.kills.problem));
    Problem("saving", Save());
  }

  const Options& options_;
  const std::vector<std::string> files_;
  const std::int64_t start_us_;
  std::unique_ptr<rig::Rig> rig_;
  std::vector<PictureFacts> pictures_;  // In the order of files_.
  std::map<std::pair<std::size_t, std::int64_t>, DevicePair> devices_;
  Results results_;
};

}  // namespace

absl::StatusOr<Results> RunExperiment(const Options& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_ASSIGN_OR_RETURN(std::vector<std::string> files, ListModels(options.models));
  return Experiment(options, std::move(files)).Run();
}

}  // namespace cleave::experiments::dsc
