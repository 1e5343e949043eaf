#include "experiments/sacd/experiment.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/check.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "emulate/machine_name.h"
#include "experiments/sacd/follow.h"
#include "experiments/sacd/goals.h"
#include "experiments/sacd/real.h"
#include "experiments/sacd/report.h"
#include "experiments/sacd/simulated.h"
#include "experiments/sacd/table.h"
#include "policy/learned.h"
#include "world/environment_file.h"
#include "world/simulated_environment.h"

namespace cleave::experiments::sacd {
namespace {

std::string Timestamp() {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::Now(), absl::UTCTimeZone());
}

absl::StatusOr<std::shared_ptr<const Trace>> LoadTrace(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(Trace trace, Trace::Load(path));
  return std::make_shared<const Trace>(std::move(trace));
}

absl::StatusOr<world::TracePair> LoadPair(const std::string& text) {
  const std::vector<std::string> files = absl::StrSplit(text, absl::MaxSplits(':', 1));
  world::TracePair pair{.name = files[0]};
  CLEAVE_ASSIGN_OR_RETURN(pair.up, LoadTrace(files[0]));
  if (files.size() > 1) {
    CLEAVE_ASSIGN_OR_RETURN(pair.down, LoadTrace(files[1]));
  }
  return pair;
}

class Experiment {
 public:
  explicit Experiment(const Options& options) : options_(options) {}

  absl::StatusOr<Results> Run() {
    CLEAVE_RETURN_IF_ERROR(Prepare());
    if (Wanted(Part::kSimulated)) CLEAVE_RETURN_IF_ERROR(Simulate());
    if (Wanted(Part::kReal)) CLEAVE_RETURN_IF_ERROR(Measure());
    results_.finished = Timestamp();
    CLEAVE_RETURN_IF_ERROR(Save());
    return std::move(results_);
  }

 private:
  bool Wanted(Part part) const {
    return !options_.cancel.cancelled() &&
           std::find(options_.parts.begin(), options_.parts.end(), part) != options_.parts.end();
  }

  void Say(const std::string& line) const {
    if (options_.on_progress) options_.on_progress(line);
  }

  absl::Status Prepare() {
    results_.command = options_.command_line;
    results_.cleave = CLEAVE_VERSION;
    results_.machine = emulate::MachineName();
    results_.started = Timestamp();
    if (!options_.curves.empty()) {
      CLEAVE_ASSIGN_OR_RETURN(results_.curves, ReadFile(options_.curves));
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::string toml, ReadFile(options_.environment));
    CLEAVE_ASSIGN_OR_RETURN(file_, world::EnvironmentFile::Parse(toml, options_.environment));
    world::TraceSource traces = {.part = world::TracePart::kHeldOut, .folder = options_.traces_dir};
    for (const std::string& text : options_.traces) {
      CLEAVE_ASSIGN_OR_RETURN(world::TracePair pair, LoadPair(text));
      traces.given.push_back(std::move(pair));
    }
    CLEAVE_ASSIGN_OR_RETURN(environment_, world::OpenEnvironment(options_.environment, traces));
    return SortPolicies();
  }

  absl::Status SortPolicies() {
    LearnedPolicy sacd{.name = kSacd};
    LearnedPolicy dqn{.name = kDqn};
    for (const std::string& path : options_.policies) {
      CLEAVE_ASSIGN_OR_RETURN(const PolicyCard card, ReadPolicyCard(path));
      (card.algorithm == Algorithm::kDqn ? dqn : sacd).files.push_back(path);
    }
    for (LearnedPolicy& policy : {std::ref(sacd), std::ref(dqn)}) {
      if (!policy.files.empty()) learned_.push_back(std::move(policy));
    }
    return absl::OkStatus();
  }

  absl::Status Simulate() {
    Say("simulating");
    CLEAVE_ASSIGN_OR_RETURN(results_.simulated,
                            RunSimulated(*environment_, {.environment = options_.environment,
                                                         .learned = learned_,
                                                         .courses = options_.courses,
                                                         .seed = options_.seed,
                                                         .on_progress = options_.on_progress,
                                                         .cancel = options_.cancel}));
    return Save();
  }

  absl::Status Measure() {
    const world::EnvironmentOptions& env = environment_->options();
    RealOptions real{.model = options_.model,
                     .data = options_.data,
                     .program = options_.program,
                     .folder = options_.output + ".work",
                     .cuts = file_.cuts,
                     .encodings = file_.encodings,
                     .threads = file_.threads,
                     .learned = learned_,
                     .inferences = options_.inferences,
                     .block = options_.block,
                     .warmup = options_.warmup,
                     .device_share = options_.device_share,
                     .cpu_quota = options_.cpu_quota,
                     .deadline_us = options_.deadline_us.value_or(
                         std::sqrt(env.deadline_low_us * env.deadline_high_us)),
                     .max_miss = options_.max_miss,
                     .seed = options_.seed,
                     .force_relay = options_.force_relay,
                     .on_progress = options_.on_progress,
                     .cancel = options_.cancel};
    real.on_cycle = [this](const Real& so_far) {
      results_.real = so_far;
      return Save();
    };
    CLEAVE_ASSIGN_OR_RETURN(results_.twin, SimulateTwin(real));
    CLEAVE_ASSIGN_OR_RETURN(results_.real, RunReal(*environment_, real));
    return absl::OkStatus();
  }

  absl::StatusOr<Simulated> SimulateTwin(const RealOptions& real) {
    world::EnvironmentOptions options = environment_->options();
    options.deadline_low_us = options.deadline_high_us = real.deadline_us;
    options.inferences = real.warmup + real.block;
    options.world.link = WorldFollower::Carried(options.world.link);
    CLEAVE_ASSIGN_OR_RETURN(const auto twin, environment_->With(std::move(options)));
    CLEAVE_ASSIGN_OR_RETURN(Simulated played,
                            RunSimulated(*twin, {.environment = options_.environment,
                                                 .learned = learned_,
                                                 .courses = real.cycles(),
                                                 .seed = real.seed,
                                                 .timelines = false,
                                                 .cancel = options_.cancel}));
    played.mixes.clear();
    return played;
  }

  absl::Status Save() {
    Conclude(results_);
    CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options_.output, ToJson(results_)));
    return options_.report.empty() ? absl::OkStatus() : WriteReport(results_, options_.report);
  }

  const Options& options_;
  world::EnvironmentFile file_;
  std::unique_ptr<world::SimulatedEnvironment> environment_;
  std::vector<LearnedPolicy> learned_;
  Results results_;
};

}  // namespace

absl::StatusOr<std::vector<Part>> ParseParts(const std::vector<std::string>& words) {
  std::vector<Part> parts;
  for (const std::string& word : words) {
    if (word != "simulated" && word != "real") {
      return FieldError("parts", absl::StrCat("'", word, "'"), "simulated or real");
    }
    parts.push_back(word == "simulated" ? Part::kSimulated : Part::kReal);
  }
  if (parts.empty()) return FieldError("parts", "none", "at least one");
  return parts;
}

absl::Status Options::Validate() const {
  if (parts.empty()) return FieldError("parts", "none", "at least one");
  if (output.empty()) return absl::InvalidArgumentError("output: found no file name");
  const bool real = std::find(parts.begin(), parts.end(), Part::kReal) != parts.end();
  if (real && data.empty()) {
    return FieldError("data", "none", "a folder of labelled pictures for the real part");
  }
  return absl::OkStatus();
}

absl::StatusOr<Results> RunExperiment(const Options& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  return Experiment(options).Run();
}

void Conclude(Results& results) {
  const Simulated& simulated = results.twin.rows.empty() ? results.simulated : results.twin;
  results.ranking = Rank(simulated.rows, results.real.rows);
  results.goals = EvaluateGoals(results);
}

}  // namespace cleave::experiments::sacd
