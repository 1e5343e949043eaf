#ifndef CLEAVE_TESTS_LEARN_TOY_ENVIRONMENTS_H_
#define CLEAVE_TESTS_LEARN_TOY_ENVIRONMENTS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "learn/agent.h"
#include "policy/environment.h"

namespace cleave::testing {

// What the small processes below have in common: some plans, and episodes of a fixed length.
class ToyProcess : public Environment {
 public:
  ToyProcess(int plans, int length) : length_(length) {
    for (int i = 0; i < plans; ++i) plans_.push_back({0, i, Encoding::kFp32});
  }

  const std::vector<Plan>& plans() const override { return plans_; }
  std::string model_digest() const override { return std::string(64, 'a'); }
  const Features& Now() const override { return now_; }

  absl::Status Reset(std::uint64_t seed) override {
    random_.seed(seed);
    left_ = length_;
    Begin();
    return absl::OkStatus();
  }

  absl::StatusOr<StepResult> Step(int action) override {
    if (action < 0 || action >= static_cast<int>(plans_.size()) ||
        now_.valid[static_cast<std::size_t>(action)] != 1) {
      return absl::InvalidArgumentError("toy: a plan that is not valid");
    }
    const double reward = RewardOf(static_cast<std::size_t>(action));
    Advance(action);
    return StepResult{reward, --left_ == 0, Overruled(action)};
  }

  double OracleReward() const override {
    double best = -1e9;
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      if (now_.valid[i] == 1) best = std::max(best, RewardOf(i));
    }
    return best;
  }

  double RandomReward() const override {
    double sum = 0;
    double count = 0;
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      if (now_.valid[i] == 1) sum += RewardOf(i), ++count;
    }
    return sum / count;
  }

 protected:
  virtual void Begin() = 0;
  virtual void Advance(int action) = 0;
  virtual double RewardOf(std::size_t action) const = 0;
  virtual bool Overruled(int /*action*/) const { return false; }

  double Uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

  Features now_;
  std::mt19937_64 random_;

 private:
  const int length_;
  int left_ = 0;
  std::vector<Plan> plans_;
};

// A bandit with contexts and masks. Each plan shows a quality; in context 0 the highest is paid, in
// context 1 the lowest, and in context 2 plan 2 whatever it shows. Which plans are valid changes.
class MaskedBandit : public ToyProcess {
 public:
  MaskedBandit() : ToyProcess(4, 32) {}

 protected:
  void Begin() override { Advance(0); }

  void Advance(int /*action*/) override {
    context_ = random_() % 3;
    now_.state = {context_ == 0 ? 1.0F : 0.0F, context_ == 1 ? 1.0F : 0.0F, 5};
    now_.plans.clear();
    now_.valid.clear();
    for (int i = 0; i < 4; ++i) {
      now_.plans.push_back(static_cast<float>(Uniform()));
      now_.plans.push_back(static_cast<float>(Uniform()));  // Says nothing.
      now_.valid.push_back(random_() % 3 == 0 ? 0 : 1);
    }
    if (std::find(now_.valid.begin(), now_.valid.end(), 1.0F) == now_.valid.end()) {
      now_.valid[random_() % 4] = 1;
    }
  }

  double RewardOf(std::size_t action) const override {
    const double quality = now_.plans[action * 2];
    if (context_ == 2) return action == 2 ? 1 : 0;
    return context_ == 0 ? quality : 1 - quality;
  }

 private:
  std::uint64_t context_ = 0;
};

// The plan that looks best, by far, and would be paid best, is never valid.
class ForbiddenBest : public ToyProcess {
 public:
  ForbiddenBest() : ToyProcess(3, 16) {}

 protected:
  void Begin() override { Advance(0); }
  void Advance(int /*action*/) override {
    const auto quality = static_cast<float>(Uniform());
    now_ = {{quality}, {quality, 1 - quality, 5}, {1, 1, 0}};
  }
  double RewardOf(std::size_t action) const override { return now_.plans[action]; }
};

// Two states. In the first, plan 0 pays 0.4 at once and stays; plan 1 pays nothing and leads to the
// second, where plan 0 pays 1 and stays and plan 1 pays 0.2 and leads back.
class Chain2 : public ToyProcess {
 public:
  Chain2() : ToyProcess(2, 12) {}

  static Features At(bool second) { return {{second ? 1.0F : 0.0F}, {0, 1}, {1, 1}}; }

 protected:
  void Begin() override {
    second_ = random_() % 2 == 0;
    now_ = At(second_);
  }
  void Advance(int action) override {
    if (action == 1) second_ = !second_;
    now_ = At(second_);
  }
  double RewardOf(std::size_t action) const override {
    if (!second_) return action == 0 ? 0.4 : 0;
    return action == 0 ? 1 : 0.2;
  }

 private:
  bool second_ = false;
};

// Plan 2 is paid best, but who acts is never let to try it: only Alternatives() tells.
class NeverTried : public ToyProcess {
 public:
  NeverTried() : ToyProcess(3, 16) {}

  std::vector<StepResult> Alternatives() const override {
    std::vector<StepResult> steps(3);
    for (std::size_t i = 0; i < steps.size(); ++i) steps[i].reward = RewardOf(i);
    return steps;
  }
  static Features Now3() { return {{1}, {0, 0.5, 1}, {1, 1, 1}}; }

 protected:
  void Begin() override { now_ = Now3(); }
  void Advance(int /*action*/) override {}
  double RewardOf(std::size_t action) const override { return action == 2 ? 1 : 0.5; }
};

// Pays 1 for whatever is done, and is cut off after two decisions: with a discount of g the value
// is 1 / (1 - g), and nearer to 1 for one who takes the cut for an end.
class CutShort : public ToyProcess {
 public:
  CutShort() : ToyProcess(2, 2) {}

 protected:
  void Begin() override { now_ = {{1}, {0, 1}, {1, 1}}; }
  void Advance(int /*action*/) override {}
  double RewardOf(std::size_t /*action*/) const override { return 1; }
};

// Both plans are paid alike, but plan 0 is always overruled by the guard.
class Overruling : public ToyProcess {
 public:
  Overruling() : ToyProcess(2, 16) {}

 protected:
  void Begin() override { now_ = {{1}, {0, 1}, {1, 1}}; }
  void Advance(int /*action*/) override {}
  double RewardOf(std::size_t /*action*/) const override { return 0.5; }
  bool Overruled(int action) const override { return action == 0; }
};

// Lets an agent act and learn for so many decisions; the figures of the last update.
inline LearnFigures Teach(Agent& agent, Environment& process, ReplayBuffer& seen, int warm_up,
                          int decisions, std::uint64_t seed = 7) {
  UseOneThread();
  std::mt19937_64 random(seed);
  LearnFigures figures;
  bool truncated = true;
  for (int i = 0; i < decisions; ++i) {
    if (truncated) (void)process.Reset(random());
    const Features now = process.Now();
    std::vector<float> probabilities = i < warm_up ? now.valid : agent.Probabilities(now);
    const int action = DrawPlan(probabilities, random);
    const auto step = process.Step(action);
    if (!step.ok()) return {};
    seen.Add(now, action, step->reward, EntropyOf(probabilities));
    truncated = step->truncated;
    if (truncated) seen.AddLast(process.Now());
    if (i + 1 == warm_up) agent.Normalize(seen);
    if (i >= warm_up) figures = agent.Learn(seen, random, static_cast<double>(i) / decisions);
  }
  return figures;
}

// Learning that is quick on the processes above.
inline LearningOptions QuickLearning() {
  LearningOptions options;
  options.batch = 32;
  options.rate = 5e-3;
  options.tau = 0.05;
  options.warm_up = 128;
  options.capacity = 4'000;
  options.decisions_per_update = 1;
  options.hidden = 16;
  options.inner_hidden = 16;
  return options;
}

// What a buffer holds after plans 0 and 1 were taken in turn in NeverTried, and plan 2 never.
inline ReplayBuffer SeenWithoutTrying(const DecisionShape& shape, bool with_sides) {
  NeverTried process;
  (void)process.Reset(1);
  ReplayBuffer seen(shape, 256);
  for (int i = 0; i < 128; ++i) {
    std::vector<float> side;
    for (const auto& step : process.Alternatives()) side.push_back(static_cast<float>(step.reward));
    if (!with_sides) side.clear();
    seen.Add(process.Now(), i % 2, 0.5, 0, side);
  }
  return seen;
}

// The value of plan 2 above that of plan 0 after so many updates on such a buffer.
inline float LearnedOfPlanTwo(Agent& agent, const DecisionShape& shape, bool with_sides) {
  UseOneThread();
  const ReplayBuffer seen = SeenWithoutTrying(shape, with_sides);
  std::mt19937_64 random(1);
  agent.Normalize(seen);
  for (int i = 0; i < 300; ++i) agent.Learn(seen, random, 0.5);
  const std::vector<float> values = agent.Values(NeverTried::Now3());
  return values[2] - values[0];
}

inline DecisionShape ShapeOfProcess(Environment& process) {
  (void)process.Reset(1);
  return ShapeOf(process.Now(), process.plans().size()).value();
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_LEARN_TOY_ENVIRONMENTS_H_
