#include "experiments/sacd/simulated.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "experiments/sacd/player.h"
#include "experiments/sacd/script.h"
#include "experiments/sacd/table.h"
#include "experiments/sacd/truth.h"

namespace cleave::experiments::sacd {
namespace {

constexpr const char* kMixed[] = {kDynamic, kExact, kDqn, kSacd, kOracle};

bool IsMixed(const std::string& policy) {
  return std::find(std::begin(kMixed), std::end(kMixed), policy) != std::end(kMixed);
}

class SimulatedRun {
 public:
  SimulatedRun(world::SimulatedEnvironment& environment, const SimulatedOptions& options)
      : environment_(environment), options_(options) {}

  absl::StatusOr<Simulated> Run() {
    world::EnvironmentOptions untimed = environment_.options();
    untimed.deadline_known = false;
    CLEAVE_ASSIGN_OR_RETURN(untimed_, environment_.With(std::move(untimed)));
    for (int course = 0; course < options_.courses; ++course) {
      seeds_.push_back(options_.seed * 1'000'003 + static_cast<std::uint64_t>(course));
    }
    CLEAVE_ASSIGN_OR_RETURN(const int fixed, BestFixedRow(environment_, seeds_));
    part_.environment = options_.environment;
    part_.courses = options_.courses;
    part_.seed = options_.seed;
    part_.best_fixed = PlanText(environment_.table().plans[static_cast<std::size_t>(fixed)].plan);
    CLEAVE_ASSIGN_OR_RETURN(std::vector<NamedPlayer> players,
                            MakePlayers(environment_, options_.learned, fixed, options_.seed));
    const absl::Status played = PlayAll(players);
    if (!played.ok() && !absl::IsCancelled(played)) return played;
    part_.complete = played.ok();
    part_.rows = MakeRows(played_, options_.seed);
    for (const Played& each : played_) {
      if (IsMixed(each.policy)) part_.mixes.push_back(MixOf(each.policy, each.steps));
    }
    if (options_.timelines && played.ok()) {
      CLEAVE_ASSIGN_OR_RETURN(part_.timelines, PlayScripts(environment_, players, options_.seed));
    }
    return std::move(part_);
  }

 private:
  void Say(const std::string& line) const {
    if (options_.on_progress) options_.on_progress(line);
  }

  absl::Status PlayAll(std::vector<NamedPlayer>& players) {
    for (NamedPlayer& named : players) {
      CLEAVE_ASSIGN_OR_RETURN(std::vector<Step> steps, PlayCourses(*named.player));
      Keep(named, std::move(steps));
      Say(absl::StrFormat("%s has played %d courses", named.name, options_.courses));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Step>> PlayCourses(Player& player) {
    world::SimulatedEnvironment& environment = player.untimed() ? *untimed_ : environment_;
    std::vector<Step> all;
    for (std::size_t course = 0; course < seeds_.size(); ++course) {
      if (options_.cancel.cancelled()) return absl::CancelledError("stopped");
      CLEAVE_ASSIGN_OR_RETURN(
          const std::vector<Step> steps,
          PlayEpisode(environment, player, seeds_[course], static_cast<int>(course)));
      all.insert(all.end(), steps.begin(), steps.end());
    }
    return all;
  }

  // Files of one policy stand in one row.
  void Keep(const NamedPlayer& named, std::vector<Step> steps) {
    if (played_.empty() || played_.back().policy != named.name) {
      played_.push_back({.policy = named.name});
    }
    if (!named.file.empty()) played_.back().files.push_back(named.file);
    played_.back().steps.push_back(std::move(steps));
  }

  world::SimulatedEnvironment& environment_;
  const SimulatedOptions& options_;
  std::unique_ptr<world::SimulatedEnvironment> untimed_;
  std::vector<std::uint64_t> seeds_;
  std::vector<Played> played_;
  Simulated part_;
};

}  // namespace

absl::Status SimulatedOptions::Validate() const {
  if (courses >= 1 && courses <= 100'000) return absl::OkStatus();
  return FieldError("courses", courses, "1 to 100000");
}

absl::StatusOr<Simulated> RunSimulated(world::SimulatedEnvironment& environment,
                                       const SimulatedOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  return SimulatedRun(environment, options).Run();
}

}  // namespace cleave::experiments::sacd
