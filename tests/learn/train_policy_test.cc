#include "learn/train_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "core/file.h"
#include "learn/checkpoint.h"
#include "learn/toy_environments.h"
#include "model/graph.h"
#include "runtime/chain.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;
using testing::MaskedBandit;
using testing::Overruling;
using testing::QuickLearning;
using testing::TempDir;

std::string Read(const std::string& path) {
  const auto bytes = ReadFile(path);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

class TrainPolicyTest : public ::testing::Test {
 protected:
  TrainPolicyOptions Options(const std::string& name, std::int64_t steps = 384) const {
    TrainPolicyOptions options;
    options.training = [] { return std::make_unique<MaskedBandit>(); };
    options.evaluation = options.training;
    options.environment = "toy";
    options.sacd.learning = QuickLearning();
    options.sacd.first_temperature = 0.05;
    options.sacd.temperature_rate = 1e-2;
    options.dqn.learning = QuickLearning();
    options.seeds = 1;
    options.steps = steps;
    options.eval_every = 192;
    options.eval_episodes = 4;
    options.threads = 1;
    options.out = folder_.path() + "/" + name + ".onnx";
    return options;
  }

  static PolicyOutcome Train(const TrainPolicyOptions& options) {
    const auto outcome = TrainPolicy(options);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.value_or(PolicyOutcome{});
  }

  static std::string FaultOf(const TrainPolicyOptions& options) {
    const auto outcome = TrainPolicy(options);
    EXPECT_FALSE(outcome.ok());
    return std::string(outcome.status().message());
  }

  const TempDir folder_;
};

TEST_F(TrainPolicyTest, SacdComesNearTheOracle) {
  const PolicyOutcome outcome = Train(Options("p", 1'500));
  EXPECT_GT(outcome.seeds[0].Best().Score(), 0.9);
  for (const CurvePoint& point : outcome.seeds[0].curve) EXPECT_LE(point.Score(), 1.0001);
}

TEST_F(TrainPolicyTest, NothingIsKeptOfBeforeTheFirstUpdate) {
  TrainPolicyOptions options = Options("p", 192);
  options.eval_every = 32;
  for (const CurvePoint& point : Train(options).seeds[0].curve) {
    EXPECT_GT(point.step, options.sacd.learning.warm_up);
  }
}

TEST_F(TrainPolicyTest, DqnComesNearTheOracle) {
  TrainPolicyOptions options = Options("p", 1'500);
  options.algorithm = Algorithm::kDqn;
  EXPECT_GT(Train(options).seeds[0].Best().Score(), 0.9);
}

TEST_F(TrainPolicyTest, LearnsNotToBeOverruled) {
  TrainPolicyOptions options = Options("p", 768);
  options.training = [] { return std::make_unique<Overruling>(); };
  options.evaluation = options.training;
  options.sacd.learning.overruled_cost = 0.1;
  options.sacd.last_entropy = 0.01;
  Train(options);
  const auto graph = Graph::Load(options.out);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto policy = WholeModel::Create(**graph, {});
  ASSERT_TRUE(policy.ok()) << policy.status();
  const auto outputs = (*policy)->Run({{"state", *Tensor::FromFloats({1, 1}, {1})},
                                       {"plans", *Tensor::FromFloats({1, 2, 1}, {0, 1})},
                                       {"valid", *Tensor::FromFloats({1, 2}, {1, 1})}});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  const auto scores = (*outputs)[0].tensor.floats();
  EXPECT_GT(scores[1], scores[0]);
}

TEST_F(TrainPolicyTest, ASeedDecidesEveryBitWhateverTheThreads) {
  TrainPolicyOptions options = Options("a");
  options.seeds = 2;
  Train(options);
  TrainPolicyOptions again = Options("b");
  again.seeds = 2;
  again.threads = 2;
  Train(again);
  EXPECT_EQ(Read(options.out), Read(again.out));
  EXPECT_EQ(Read(options.curves_path()), Read(again.curves_path()));
  TrainPolicyOptions other = Options("c");
  other.first_seed = 9;
  Train(other);
  EXPECT_NE(Read(options.out), Read(other.out));
}

TEST_F(TrainPolicyTest, ResumingIsAsIfItHadNeverStopped) {
  for (const Algorithm algorithm : {Algorithm::kSacd, Algorithm::kDqn}) {
    const std::string name(AlgorithmName(algorithm));
    TrainPolicyOptions whole = Options(name);
    whole.algorithm = algorithm;
    Train(whole);
    for (const std::int64_t at : {64, 256}) {  // Before the first update, and after.
      TrainPolicyOptions first = Options(name + "-parts");
      first.algorithm = algorithm;
      first.on_progress = [&](const PolicyProgress& now) {
        if (now.step >= at) first.cancel.Cancel();
      };
      const auto stopped = TrainPolicy(first);
      EXPECT_TRUE(absl::IsCancelled(stopped.status())) << stopped.status();
      TrainPolicyOptions rest = Options(name + "-parts");
      rest.algorithm = algorithm;
      rest.resume = true;
      Train(rest);
      EXPECT_EQ(Read(whole.out), Read(rest.out)) << at;
      EXPECT_EQ(Read(whole.curves_path()), Read(rest.curves_path())) << at;
    }
  }
}

TEST_F(TrainPolicyTest, ASeedThatIsDoneIsNotTrainedAgain) {
  TrainPolicyOptions options = Options("p");
  Train(options);
  const std::string before = Read(options.out);
  options.resume = true;
  int calls = 0;
  options.on_progress = [&](const PolicyProgress&) { ++calls; };
  Train(options);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(Read(options.out), before);
}

TEST_F(TrainPolicyTest, StopsWhenTheScoreRisesNoMore) {
  TrainPolicyOptions options = Options("p", 100'000);
  options.eval_every = 32;
  options.eval_episodes = 1;
  options.patience = 3;
  options.sacd.learning.rate = 1e-7;  // Learns nothing.
  const PolicyOutcome outcome = Train(options);
  EXPECT_TRUE(outcome.seeds[0].stopped_early);
  EXPECT_LT(outcome.seeds[0].steps, 5'000);
  const CurvePoint& best = outcome.seeds[0].Best();
  EXPECT_EQ(&best + options.patience, &outcome.seeds[0].curve.back());
}

TEST_F(TrainPolicyTest, TheFileTellsWhatItIs) {
  TrainPolicyOptions options = Options("p");
  options.seeds = 2;
  const PolicyOutcome outcome = Train(options);
  const auto graph = Graph::Load(options.out);
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_EQ((*graph)->inputs().size(), 3U);
  EXPECT_EQ((*graph)->inputs()[0].shape, (Shape{1, 3}));
  EXPECT_EQ((*graph)->inputs()[1].shape, (Shape{1, 4, 2}));
  EXPECT_EQ((*graph)->inputs()[2].shape, (Shape{1, 4}));
  EXPECT_THAT(Read(options.out), HasSubstr(outcome.card.ToJson()));
  EXPECT_EQ(outcome.card.algorithm, Algorithm::kSacd);
  EXPECT_EQ(outcome.card.plans.size(), 4U);
  EXPECT_EQ(outcome.card.seed, outcome.seeds[outcome.best].seed);
  EXPECT_EQ(outcome.card.state_low.size(), 3U);
  EXPECT_EQ(outcome.card.state_low[2], 5);
  EXPECT_EQ(outcome.card.state_high[0], 1);
  for (const SeedOutcome& seed : outcome.seeds) {
    EXPECT_LE(seed.Best().Score(), outcome.seeds[outcome.best].Best().Score());
    const bool best = seed.seed == outcome.card.seed;
    EXPECT_EQ(Read(options.seed_path(seed.seed)) == Read(options.out), best);
  }
  const auto curves = nlohmann::json::parse(Read(options.curves_path()));
  EXPECT_EQ(curves["seeds"].size(), 2U);
  EXPECT_EQ(curves["options"]["algorithm"], "sacd");
}

// What ONNX Runtime makes of the file is what the network says.
TEST_F(TrainPolicyTest, TheFileScoresAsTheNetworkDoes) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 2);
  for (int round = 0; round < 6; ++round) {
    const DecisionShape shape{1 + random() % 7, 1 + random() % 9, 1 + random() % 6};
    const auto draw = [&] {
      Features features;
      for (std::size_t i = 0; i < shape.state; ++i) features.state.push_back(normal(random));
      for (std::size_t i = 0; i < shape.plans * shape.plan; ++i) {
        features.plans.push_back(3 + normal(random));
      }
      for (std::size_t i = 0; i < shape.plans; ++i) {
        features.valid.push_back(static_cast<float>(random() % 2));
      }
      features.valid[random() % shape.plans] = 1;
      return features;
    };
    const auto agent = MakeSacd(shape, {}, static_cast<std::uint64_t>(round));
    ReplayBuffer seen(shape, 64);
    for (int i = 0; i < 30; ++i) {
      const Features features = draw();
      seen.Add(features, BestValid(features.valid, features), normal(random), 0);
    }
    agent->Normalize(seen);
    std::mt19937_64 sampling(1);
    for (int i = 0; i < 10; ++i) agent->Learn(seen, sampling, 0);

    const std::string path = folder_.path() + "/scores.onnx";
    const auto file = ScorerGraph("policy", agent->Weights(), {});
    ASSERT_TRUE(file.ok() && WriteFileAtomically(path, *file).ok()) << file.status();
    const auto graph = Graph::Load(path);
    ASSERT_TRUE(graph.ok()) << graph.status();
    const auto model = WholeModel::Create(**graph, {});
    ASSERT_TRUE(model.ok()) << model.status();
    const auto size = [](std::size_t value) { return static_cast<std::int64_t>(value); };
    for (int i = 0; i < 20; ++i) {
      Features now = draw();
      if (i == 0) now.state[0] = 1e6;  // Far outside: clipped alike.
      const auto outputs = (*model)->Run(
          {{"state", *Tensor::FromFloats({1, size(shape.state)}, now.state)},
           {"plans", *Tensor::FromFloats({1, size(shape.plans), size(shape.plan)}, now.plans)},
           {"valid", *Tensor::FromFloats({1, size(shape.plans)}, now.valid)}});
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      const auto scores = (*outputs)[0].tensor.floats();
      const std::vector<float> expected = agent->Scores(now);
      ASSERT_EQ(scores.size(), expected.size());
      for (std::size_t plan = 0; plan < scores.size(); ++plan) {
        if (now.valid[plan] == 1) {
          EXPECT_NEAR(scores[plan], expected[plan],
                      1e-5 * std::max(1.0F, std::abs(expected[plan])));
        } else {
          EXPECT_LT(scores[plan], -0.9F * kInvalidPenalty);
        }
      }
    }
  }
}

TEST_F(TrainPolicyTest, NamesThatNoCardHoldsAreRefusedBeforeTheTraining) {
  TrainPolicyOptions options = Options("p");
  options.environment = std::string(PolicyCard::kMaxEnvironmentBytes + 1, 'e');
  options.on_progress = [](const PolicyProgress&) { FAIL() << "has begun"; };
  EXPECT_THAT(FaultOf(options), HasSubstr("environments' names: found 257"));
}

TEST_F(TrainPolicyTest, ActorAndCriticsMayEachLearnFromTheSideAlone) {
  TrainPolicyOptions options = Options("p");
  const auto learns = [&](double weight, double share) {
    options.sacd.learning.side_weight = weight;
    options.sacd.side_share = share;
    return options.LearnsFromTheSide();
  };
  EXPECT_TRUE(learns(1, 0));
  EXPECT_TRUE(learns(0, 0.5));
  EXPECT_FALSE(learns(0, 0));
  options.algorithm = Algorithm::kDqn;
  options.dqn.learning.side_weight = 0;
  EXPECT_FALSE(learns(0, 0.5));
}

TEST_F(TrainPolicyTest, ACheckpointThatDoesNotFitIsRefused) {
  TrainPolicyOptions first = Options("p");
  first.on_progress = [&](const PolicyProgress& now) {
    if (now.step >= 256) first.cancel.Cancel();
  };
  EXPECT_THAT(FaultOf(first), HasSubstr("--resume goes on"));
  const std::string path = first.checkpoint_folder() + "/sacd-1.checkpoint";
  const std::string whole = Read(path);

  TrainPolicyOptions other = Options("p");
  other.resume = true;
  other.sacd.learning.gamma = 0.5;
  EXPECT_THAT(FaultOf(other), HasSubstr("gamma: found 0.3, expected 0.5"));
  TrainPolicyOptions rest = Options("p");
  rest.resume = true;
  ASSERT_TRUE(WriteFileAtomically(path, whole.substr(0, whole.size() / 2)).ok());
  EXPECT_THAT(FaultOf(rest), HasSubstr("damaged"));

  const auto fault = [&](const std::function<void(Checkpoint&)>& change) {
    Checkpoint checkpoint = *Checkpoint::Parse(whole, path);
    change(checkpoint);
    EXPECT_TRUE(WriteFileAtomically(path, *checkpoint.Serialize()).ok());
    return FaultOf(rest);
  };
  EXPECT_THAT(fault([](Checkpoint& c) { c.tensors.erase("critic1"); }), HasSubstr("'critic1'"));
  EXPECT_THAT(fault([](Checkpoint& c) { c.tensors.erase("replay.plans"); }),
              HasSubstr("'replay.plans'"));
  EXPECT_THAT(fault([](Checkpoint& c) { c.tensors.erase("best.inner"); }),
              HasSubstr("'best.inner'"));
  EXPECT_THAT(fault([](Checkpoint& c) { c.numbers.erase("progress"); }),
              HasSubstr("numbers.progress"));
  EXPECT_THAT(fault([](Checkpoint& c) { c.numbers["progress"][0] = 0.5; }), HasSubstr("steps"));
  EXPECT_THAT(fault([](Checkpoint& c) { c.numbers["curve"].pop_back(); }), HasSubstr("curve"));
}

TEST_F(TrainPolicyTest, BrokenOptionsAndProcessesAreNamed) {
  TrainPolicyOptions options = Options("p");
  options.seeds = 0;
  EXPECT_THAT(FaultOf(options), HasSubstr("seeds: found 0"));
  options = Options("p");
  options.out = "p.bin";
  EXPECT_THAT(FaultOf(options), HasSubstr("out: found p.bin"));
  options = Options("p");
  options.training = nullptr;
  EXPECT_THAT(FaultOf(options), HasSubstr("training"));
  options = Options("p");
  options.evaluation = [] { return std::make_unique<testing::Chain2>(); };
  EXPECT_THAT(FaultOf(options), HasSubstr("other plans"));
  options = Options("p");
  options.evaluation = []() -> absl::StatusOr<std::unique_ptr<Environment>> {
    return absl::NotFoundError("no trace");
  };
  EXPECT_THAT(FaultOf(options), HasSubstr("no trace"));
  EXPECT_FALSE(ParseAlgorithm("ppo").ok());
  EXPECT_EQ(*ParseAlgorithm("dqn"), Algorithm::kDqn);
}

}  // namespace
}  // namespace cleave
