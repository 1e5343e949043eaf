#ifndef CLEAVE_LEARN_REPLAY_H_
#define CLEAVE_LEARN_REPLAY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cleave/tensor.h"
#include "policy/features.h"

namespace cleave {

// How many numbers describe a decision.
struct DecisionShape {
  std::size_t state = 0;
  std::size_t plans = 0;
  std::size_t plan = 0;  // The features of each plan.

  friend bool operator==(const DecisionShape&, const DecisionShape&) = default;
};

// InvalidArgument for blocks that are empty, do not fit `plans` plans, hold a number that is not
// finite, or leave no plan valid.
absl::StatusOr<DecisionShape> ShapeOf(const Features& features, std::size_t plans);
absl::Status CheckFeatures(const Features& features, const DecisionShape& shape);

// Some transitions, sample-major. `next` is what followed, also where the episode was cut off then:
// it never terminates.
struct ReplayBatch {
  struct Side {
    std::vector<float> state, plans, valid;
  };
  std::size_t size = 0;
  Side now, next;
  std::vector<std::int64_t> action;
  std::vector<float> reward;
  std::vector<float> entropy;  // That of the policy that acted, in nats.
  std::vector<float> side;     // What each plan would have been paid, B x A; NaN: not known.
};

// The last decisions that were taken, as the features have them (not normalized). Each state is
// held once, as the end of one transition and the beginning of the next. Thread-compatible.
class ReplayBuffer {
 public:
  // `capacity` is how many states it holds at most, at least 2. Memory is taken as they come.
  ReplayBuffer(const DecisionShape& shape, std::size_t capacity);

  // Adds a decision and what came of it; what is added next is the state that followed. `side` says
  // what each plan would have been paid, NaN where that is not known; it is empty where it is known
  // of none. REQUIRES: the features have this buffer's shape.
  void Add(const Features& now, int action, double reward, double entropy,
           const std::vector<float>& side = {});
  // Adds the state that an episode was cut off in.
  void AddLast(const Features& last);

  const DecisionShape& shape() const { return shape_; }
  std::size_t size() const { return actions_.size(); }  // States.
  std::size_t transitions() const;

  // Draws `count` transitions uniformly, with replacement. REQUIRES: transitions() > 0.
  void Sample(std::size_t count, std::mt19937_64& random, ReplayBatch& out) const;

  // Returns the rows of what is held, in no particular order; for statistics.
  std::span<const float> state(std::size_t index) const;
  std::span<const float> plans(std::size_t index) const;
  std::span<const float> valid(std::size_t index) const;

  // Returns all of it, for a checkpoint, under names that begin with "replay.".
  absl::StatusOr<std::map<std::string, Tensor>> State() const;
  // InvalidArgument names origin, tensor, what was found and what was expected; the buffer is then
  // as it was.
  absl::Status Restore(const std::map<std::string, Tensor>& tensors, const std::string& origin);

 private:
  void Put(const Features& features, int action, double reward, double entropy,
           const std::vector<float>& side);
  bool Startable(std::size_t index) const;
  void Copy(std::size_t index, ReplayBatch::Side& out) const;

  DecisionShape shape_;
  std::size_t capacity_;
  std::size_t newest_ = 0;
  std::vector<float> states_, plans_, valid_;
  std::vector<float> rewards_, entropies_, sides_;
  std::vector<std::int32_t> actions_;  // -1: none was taken.
};

}  // namespace cleave

#endif  // CLEAVE_LEARN_REPLAY_H_
