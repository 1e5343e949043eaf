#include "learn/policy_page.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "core/text_table.h"
#include "learn/card_tables.h"

namespace cleave {
namespace {

std::string SeedTable(const PolicyOutcome& outcome) {
  TextTable table(
      {{"seed"}, {"decisions"}, {"best after"}, {"score"}, {"reward"}, {"random"}, {"oracle"}});
  for (const SeedOutcome& seed : outcome.seeds) {
    const CurvePoint& best = seed.Best();
    table.Add({absl::StrCat(seed.seed),
               absl::StrCat(seed.steps, seed.stopped_early ? " (stopped early)" : ""),
               absl::StrCat(best.step), absl::StrFormat("%.3f", best.Score()),
               absl::StrFormat("%.4f", best.reward), absl::StrFormat("%.4f", best.random_reward),
               absl::StrFormat("%.4f", best.oracle_reward)});
  }
  return table.Markdown();
}

std::string OptionTable(const TrainPolicyOptions& options) {
  TextTable table({{"option", TextTable::Align::kLeft}, {"value", TextTable::Align::kLeft}});
  for (const auto& [name, value] : options.Describe()) {
    table.Add({name, value});
  }
  return table.Markdown();
}

}  // namespace

absl::StatusOr<std::string> PolicyPage(const TrainPolicyOptions& options,
                                       const PolicyOutcome& outcome, const std::string& command) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string file, ReadFile(options.out));
  TextTable facts = FactsTable();
  facts.Add({"file", absl::StrCat(file.size(), " bytes, SHA-256 `", Sha256Hex(file), "`")});
  facts.Add({"model", absl::StrCat("SHA-256 `", outcome.card.model_digest, "`")});
  facts.Add({"plans", absl::StrCat(outcome.card.plans.size())});
  facts.Add({"features", absl::StrCat("version ", outcome.card.feature_version)});
  facts.Add({"environment", options.environment});
  facts.Add({"algorithm", std::string(AlgorithmName(outcome.card.algorithm))});
  facts.Add({"seed", absl::StrCat(outcome.card.seed, ", the best of ", outcome.seeds.size())});
  facts.Add({"time", absl::StrFormat("%.0f s", outcome.seconds)});
  facts.Add({"command", absl::StrCat("`", command, "`")});
  return absl::StrCat(
      "# ", std::filesystem::path(options.out).filename().string(), "\n\n",
      "A policy that `cleave train policy` taught to choose exit, cut and encoding.\n\n",
      facts.Markdown(), "\n## Scores\n\n",
      "Mean reward of a decision over episodes of other courses than those learned in, the same "
      "for all; the score is 0 for a plan drawn uniformly\nfrom the valid ones and 1 for the plan "
      "that is best to one who knows "
      "the true state. Each seed's best evaluation is\nwhat is shown, and the best seed was chosen "
      "by it.\n\n",
      SeedTable(outcome), "\n## Options\n\n", OptionTable(options));
}

}  // namespace cleave
