#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "app/learning_curves.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/stop_signals.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "learn/mixed_environment.h"
#include "learn/policy_page.h"
#include "learn/train_policy.h"
#include "world/environment_file.h"

namespace cleave::cli {
namespace {

// The policy that results does not depend on these.
const std::set<std::string> without_result = {"--threads", "--resume"};

struct PolicyFlags {
  std::vector<std::string> environments;
  std::string traces_dir;
  std::string algorithm = "sacd";
  std::string critics = "mean";
  LearningOptions learning;
  TrainPolicyOptions options;
};

// Opens all environments, which are used in turn, without the held-out parts of their traces: those
// are for experiments alone.
ProcessFactory Opener(const std::vector<std::string>& paths, const std::string& traces_dir) {
  return [paths, traces_dir]() -> absl::StatusOr<std::unique_ptr<Environment>> {
    std::vector<std::unique_ptr<Environment>> parts;
    for (const std::string& path : paths) {
      CLEAVE_ASSIGN_OR_RETURN(parts.emplace_back(),
                              world::OpenEnvironment(path, {.folder = traces_dir}, ProgressBar()));
    }
    return MixedEnvironment::Create(std::move(parts), paths);
  };
}

std::string NamesOf(const std::vector<std::string>& paths) {
  return absl::StrJoin(paths, ", ", [](std::string* out, const std::string& path) {
    absl::StrAppend(out, std::filesystem::path(path).filename().string());
  });
}

// Shows a bar on a terminal, and a line for each evaluation wherever standard error goes.
std::function<void(const PolicyProgress&)> Reporter() {
  return [bar = ProgressBar()](const PolicyProgress& now) {
    if (now.evaluation) {
      EndProgressBar();
      std::cerr << absl::StrFormat(
                       "seed %d, %d decisions: reward %.4f, oracle %.4f, random %.4f, score %.3f "
                       "(best %.3f), temperature %.4f, entropy %.3f\n",
                       now.seed, now.step, now.evaluation->reward, now.evaluation->oracle_reward,
                       now.evaluation->random_reward, now.evaluation->Score(), now.best_score,
                       now.evaluation->temperature, now.evaluation->entropy)
                << std::flush;
    }
    bar(absl::StrFormat("seed %d, %d decisions, best score %.3f", now.seed, now.step,
                        now.best_score),
        now.share);
  };
}

std::vector<app::LearningCurve> CurvesOf(const PolicyOutcome& outcome) {
  std::vector<app::LearningCurve> curves;
  for (const SeedOutcome& seed : outcome.seeds) {
    app::LearningCurve& curve = curves.emplace_back();
    curve.name = absl::StrCat("seed ", seed.seed);
    for (const CurvePoint& point : seed.curve) {
      curve.points.push_back({static_cast<double>(point.step), point.Score()});
    }
  }
  return curves;
}

absl::Status Run(const PolicyFlags& flags, const CLI::App& command) {
  TrainPolicyOptions options = flags.options;
  CLEAVE_ASSIGN_OR_RETURN(options.algorithm, ParseAlgorithm(flags.algorithm));
  options.sacd.critics = flags.critics == CriticsName(SacdOptions::Critics::kMin)
                             ? SacdOptions::Critics::kMin
                             : SacdOptions::Critics::kMean;
  options.sacd.learning = flags.learning;
  options.dqn.learning = flags.learning;
  options.environment = NamesOf(flags.environments);
  options.training = Opener(flags.environments, flags.traces_dir);
  options.evaluation = options.training;  // It draws other courses.
  StopSignals signals(options.cancel);
  signals.Ready();
  options.on_progress = Reporter();
  const absl::StatusOr<PolicyOutcome> outcome = TrainPolicy(options);
  EndProgressBar();
  CLEAVE_RETURN_IF_ERROR(outcome.status());
  CLEAVE_ASSIGN_OR_RETURN(const std::string page,
                          PolicyPage(options, *outcome, CommandLine(command, without_result)));
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options.card_path(), page));
  const std::string title =
      absl::StrCat(AlgorithmName(options.algorithm), " in ", options.environment);
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options.plot_path(),
                                             app::RenderLearningCurves(title, CurvesOf(*outcome))));
  for (const SeedOutcome& seed : outcome->seeds) {
    std::cout << absl::StrFormat("seed %d: score %.3f after %d decisions\n", seed.seed,
                                 seed.Best().Score(), seed.Best().step);
  }
  std::cout << "policy: " << options.out << "\nmodel card: " << options.card_path()
            << "\ncurves: " << options.plot_path() << ", " << options.curves_path() << "\n";
  return absl::OkStatus();
}

void AddLearningFlags(CLI::App& command, PolicyFlags& flags) {
  command
      .add_option("--gamma", flags.learning.gamma,
                  "Discount factor: weight of the next decision's value")
      ->capture_default_str();
  command
      .add_option("--overruled-cost", flags.learning.overruled_cost,
                  "Amount taken off the reward of a decision that the guard overrules")
      ->capture_default_str();
  command
      .add_option("--side-weight", flags.learning.side_weight,
                  "Weight of the rewards that plans not taken would have earned; 0 ignores them")
      ->capture_default_str();
  command.add_option("--batch", flags.learning.batch, "Remembered decisions of one update")
      ->capture_default_str();
  command
      .add_option("--rate", flags.learning.rate, "Learning rate of Adam, which falls to a tenth")
      ->capture_default_str();
  command
      .add_option("--critics", flags.critics,
                  "SAC-d: value of a state, the min or the mean of two critics")
      ->check(CLI::IsMember({"min", "mean"}))
      ->capture_default_str();
  command
      .add_option(
          "--q-clip", flags.options.sacd.q_clip,
          "SAC-d: Q-clip, the distance from its target up to which a critic is followed; 0 does "
          "not clip")
      ->capture_default_str();
  command
      .add_option(
          "--side-share", flags.options.sacd.side_share,
          "SAC-d: share of the actor's update that follows what every plan would have earned; 0 "
          "follows the critics alone")
      ->capture_default_str();
  command
      .add_option("--entropy-penalty", flags.options.sacd.entropy_penalty,
                  "SAC-d: weight of the entropy penalty; 0 has none")
      ->capture_default_str();
}

}  // namespace

void AddTrainPolicyCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "policy", "Train a policy that chooses exit, cut and encoding, in a simulated environment");
  const auto flags = std::make_shared<PolicyFlags>();
  TrainPolicyOptions& options = flags->options;
  command
      ->add_option("--traces-dir", flags->traces_dir,
                   "Folder in which the environments' traces are looked up (default: the folder of "
                   "each file)")
      ->type_name("DIR");
  command
      ->add_option("--env", flags->environments,
                   "Environment file (docs/environment.md); with several, each episode takes one")
      ->type_name("FILE.toml")
      ->required();
  command->add_option("--algo", flags->algorithm, "Algorithm: sacd or dqn")->capture_default_str();
  command
      ->add_option("--seeds", options.seeds,
                   "Number of seeds to train with; the best policy is written")
      ->capture_default_str();
  command->add_option("--seed", options.first_seed, "First seed")->capture_default_str();
  command->add_option("--steps", options.steps, "Decisions to learn from with each seed")
      ->capture_default_str();
  command->add_option("--eval-every", options.eval_every, "Decisions between evaluations")
      ->capture_default_str();
  command
      ->add_option("--eval-episodes", options.eval_episodes,
                   "Episodes of each evaluation, on other courses than those trained on")
      ->capture_default_str();
  command
      ->add_option("--patience", options.patience,
                   "Evaluations without a better score after which a seed stops; 0 never stops")
      ->capture_default_str();
  command
      ->add_option("--threads", options.threads,
                   "Seeds that are trained at once; 0 takes one for each core")
      ->capture_default_str();
  command->add_flag("--resume", options.resume, "Continue from the checkpoints beside --out");
  AddLearningFlags(*command, *flags);
  command
      ->add_option(
          "-o,--out", options.out,
          "File to write the policy to; its card (.md), learning curves (.svg, .curves.json) and "
          ".checkpoints/ (with each seed's policy) are written beside it")
      ->type_name("FILE.onnx")
      ->capture_default_str();
  command->callback(
      [flags, command, &action] { action = [flags, command] { return Run(*flags, *command); }; });
}

}  // namespace cleave::cli
