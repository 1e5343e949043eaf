#include "learn/policy_page.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

std::string SeedTable(const PolicyOutcome& outcome) {
  std::string table =
      "| seed | decisions | best after | score | reward | random | oracle |\n"
      "|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const SeedOutcome& seed : outcome.seeds) {
    const CurvePoint& best = seed.Best();
    absl::StrAppendFormat(&table, "| %d | %d%s | %d | %.3f | %.4f | %.4f | %.4f |\n", seed.seed,
                          seed.steps, seed.stopped_early ? " (stopped early)" : "", best.step,
                          best.Score(), best.reward, best.random_reward, best.oracle_reward);
  }
  return table;
}

std::string OptionTable(const TrainPolicyOptions& options) {
  std::string table = "| option | value |\n|---|---|\n";
  for (const auto& [name, value] : options.Describe()) {
    absl::StrAppend(&table, "| ", name, " | ", value, " |\n");
  }
  return table;
}

}  // namespace

absl::StatusOr<std::string> PolicyPage(const TrainPolicyOptions& options,
                                       const PolicyOutcome& outcome, const std::string& command) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string file, ReadFile(options.out));
  return absl::StrCat(
      "# ", std::filesystem::path(options.out).filename().string(), "\n\n",
      "A policy that `cleave train policy` taught to choose exit, cut and encoding.\n\n",
      "| | |\n|---|---|\n", "| file | ", file.size(), " bytes, SHA-256 `", Sha256Hex(file), "` |\n",
      "| model | SHA-256 `", outcome.card.model_digest, "` |\n", "| plans | ",
      outcome.card.plans.size(), " |\n", "| features | version ", outcome.card.feature_version,
      " |\n", "| environment | ", options.environment, " |\n", "| algorithm | ",
      outcome.card.algorithm, " |\n", "| seed | ", outcome.card.seed, ", the best of ",
      outcome.seeds.size(), " |\n", "| time | ", absl::StrFormat("%.0f", outcome.seconds),
      " s |\n| command | `", command, "` |\n\n## Scores\n\n",
      "Mean reward of a decision over episodes of other courses than those learned in, the same "
      "for all; the score is 0 for a plan drawn uniformly\nfrom the valid ones and 1 for the plan "
      "that is best to one who knows "
      "the true state. Each seed's best evaluation is\nwhat is shown, and the best seed was chosen "
      "by it.\n\n",
      SeedTable(outcome), "\n## Options\n\n", OptionTable(options));
}

}  // namespace cleave
