#include "learn/replay.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "learn/checkpoint.h"

namespace cleave {
namespace {

constexpr std::int32_t kNone = -1;

bool AllFinite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

absl::Status CheckWidth(const char* field, std::size_t found, std::size_t expected) {
  if (found == expected) return absl::OkStatus();
  return FieldError(absl::StrCat("features: ", field), absl::StrCat(found, " numbers"), expected);
}

void Assign(std::vector<float>& rows, std::size_t index, const std::vector<float>& row) {
  const std::size_t at = index * row.size();
  if (at == rows.size()) {
    rows.insert(rows.end(), row.begin(), row.end());
  } else {
    std::copy(row.begin(), row.end(), rows.begin() + static_cast<std::ptrdiff_t>(at));
  }
}

template <typename T>
void Assign(std::vector<T>& rows, std::size_t index, T value) {
  if (index == rows.size()) {
    rows.push_back(value);
  } else {
    rows[index] = value;
  }
}

std::span<const float> Row(const std::vector<float>& rows, std::size_t index, std::size_t width) {
  return std::span(rows).subspan(index * width, width);
}

void Append(std::span<const float> row, std::vector<float>& out) {
  out.insert(out.end(), row.begin(), row.end());
}

enum class MayBe { kFinite, kUnknown };  // NaN is what is not known.

std::vector<float> Unknown(const DecisionShape& shape) {
  return std::vector<float>(shape.plans, std::numeric_limits<float>::quiet_NaN());
}

bool NoneInfinite(const std::vector<float>& values) {
  return std::none_of(values.begin(), values.end(), [](float v) { return std::isinf(v); });
}

// The tensor's numbers, if it is there and has the shape.
absl::StatusOr<std::vector<float>> Take(const std::map<std::string, Tensor>& tensors,
                                        const std::string& name, const Shape& shape,
                                        const std::string& origin, MayBe may_be = MayBe::kFinite) {
  CLEAVE_ASSIGN_OR_RETURN(const std::span<const float> values,
                          FloatsOf(tensors, name, shape, origin));
  std::vector<float> out(values.begin(), values.end());
  if (may_be == MayBe::kFinite ? !AllFinite(out) : !NoneInfinite(out)) {
    return FieldError(absl::StrCat(origin, ": tensor '", name, "'"), "a number that is not finite",
                      "finite ones");
  }
  return out;
}

absl::Status CheckInteger(const std::string& origin, const char* name, float value,
                          std::int64_t least, std::int64_t most) {
  if (value >= static_cast<float>(least) && value <= static_cast<float>(most) &&
      value == std::floor(value)) {
    return absl::OkStatus();
  }
  return FieldError(absl::StrCat(origin, ": tensor '", name, "'"), value,
                    absl::StrCat("a whole number from ", least, " to ", most));
}

}  // namespace

absl::StatusOr<DecisionShape> ShapeOf(const Features& features, std::size_t plans) {
  const std::size_t width = plans == 0 ? 0 : features.plans.size() / plans;
  const DecisionShape shape{features.state.size(), plans, width};
  if (shape.state == 0 || shape.plans == 0 || shape.plan == 0) {
    return FieldError("features",
                      absl::StrCat(shape.state, " of the state, ", features.plans.size(), " of ",
                                   plans, " plans"),
                      "at least one of each");
  }
  CLEAVE_RETURN_IF_ERROR(CheckFeatures(features, shape));
  return shape;
}

absl::Status CheckFeatures(const Features& features, const DecisionShape& shape) {
  CLEAVE_RETURN_IF_ERROR(CheckWidth("state", features.state.size(), shape.state));
  CLEAVE_RETURN_IF_ERROR(CheckWidth("plans", features.plans.size(), shape.plans * shape.plan));
  CLEAVE_RETURN_IF_ERROR(CheckWidth("valid", features.valid.size(), shape.plans));
  if (!AllFinite(features.state) || !AllFinite(features.plans)) {
    return absl::InvalidArgumentError("features: found a number that is not finite");
  }
  const auto is_flag = [](float v) { return v == 0 || v == 1; };
  if (!std::all_of(features.valid.begin(), features.valid.end(), is_flag) ||
      std::find(features.valid.begin(), features.valid.end(), 1.0F) == features.valid.end()) {
    return absl::InvalidArgumentError(
        "features: valid: found no plan that may be taken, or other numbers than 0 and 1");
  }
  return absl::OkStatus();
}

ReplayBuffer::ReplayBuffer(const DecisionShape& shape, std::size_t capacity)
    : shape_(shape), capacity_(std::max<std::size_t>(capacity, 2)) {}

void ReplayBuffer::Add(const Features& now, int action, double reward, double entropy,
                       const std::vector<float>& side) {
  Put(now, action, reward, entropy, side.empty() ? Unknown(shape_) : side);
}

void ReplayBuffer::AddLast(const Features& last) { Put(last, kNone, 0, 0, Unknown(shape_)); }

void ReplayBuffer::Put(const Features& features, int action, double reward, double entropy,
                       const std::vector<float>& side) {
  const std::size_t index = size() == 0 ? 0 : (newest_ + 1) % capacity_;
  Assign(states_, index, features.state);
  Assign(plans_, index, features.plans);
  Assign(valid_, index, features.valid);
  Assign(rewards_, index, static_cast<float>(reward));
  Assign(entropies_, index, static_cast<float>(entropy));
  Assign(sides_, index, side);
  Assign(actions_, index, static_cast<std::int32_t>(action));
  newest_ = index;
}

bool ReplayBuffer::Startable(std::size_t index) const {
  return index != newest_ && actions_[index] != kNone;
}

std::size_t ReplayBuffer::transitions() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < size(); ++i) count += Startable(i) ? 1 : 0;
  return count;
}

void ReplayBuffer::Copy(std::size_t index, ReplayBatch::Side& out) const {
  Append(state(index), out.state);
  Append(plans(index), out.plans);
  Append(valid(index), out.valid);
}

void ReplayBuffer::Sample(std::size_t count, std::mt19937_64& random, ReplayBatch& out) const {
  for (ReplayBatch::Side* const side : {&out.now, &out.next}) {
    side->state.clear();
    side->plans.clear();
    side->valid.clear();
  }
  out.size = count;
  out.action.clear();
  out.reward.clear();
  out.entropy.clear();
  out.side.clear();
  while (out.action.size() < count) {
    const std::size_t index = random() % size();
    if (!Startable(index)) continue;
    Copy(index, out.now);
    Copy((index + 1) % capacity_, out.next);
    out.action.push_back(actions_[index]);
    out.reward.push_back(rewards_[index]);
    out.entropy.push_back(entropies_[index]);
    Append(Row(sides_, index, shape_.plans), out.side);
  }
}

std::span<const float> ReplayBuffer::state(std::size_t index) const {
  return Row(states_, index, shape_.state);
}
std::span<const float> ReplayBuffer::plans(std::size_t index) const {
  return Row(plans_, index, shape_.plans * shape_.plan);
}
std::span<const float> ReplayBuffer::valid(std::size_t index) const {
  return Row(valid_, index, shape_.plans);
}

absl::StatusOr<std::map<std::string, Tensor>> ReplayBuffer::State() const {
  std::map<std::string, Tensor> tensors;
  const auto rows = static_cast<std::int64_t>(size());
  const auto put = [&](const char* name, const std::vector<float>& values,
                       std::size_t width) -> absl::Status {
    CLEAVE_ASSIGN_OR_RETURN(tensors[name],
                            Tensor::FromFloats({rows, static_cast<std::int64_t>(width)}, values));
    return absl::OkStatus();
  };
  CLEAVE_RETURN_IF_ERROR(put("replay.states", states_, shape_.state));
  CLEAVE_RETURN_IF_ERROR(put("replay.plans", plans_, shape_.plans * shape_.plan));
  CLEAVE_RETURN_IF_ERROR(put("replay.valid", valid_, shape_.plans));
  CLEAVE_RETURN_IF_ERROR(put("replay.rewards", rewards_, 1));
  CLEAVE_RETURN_IF_ERROR(put("replay.entropies", entropies_, 1));
  CLEAVE_RETURN_IF_ERROR(put("replay.sides", sides_, shape_.plans));
  CLEAVE_RETURN_IF_ERROR(
      put("replay.actions", std::vector<float>(actions_.begin(), actions_.end()), 1));
  CLEAVE_ASSIGN_OR_RETURN(tensors["replay.newest"],
                          Tensor::FromFloats({1}, {static_cast<float>(newest_)}));
  return tensors;
}

absl::Status ReplayBuffer::Restore(const std::map<std::string, Tensor>& tensors,
                                   const std::string& origin) {
  const auto found = tensors.find("replay.actions");
  const std::int64_t rows =
      found == tensors.end() || found->second.shape().empty() ? 0 : found->second.shape().front();
  if (rows > static_cast<std::int64_t>(capacity_)) {
    return FieldError(absl::StrCat(origin, ": tensor 'replay.actions'"),
                      absl::StrCat(rows, " states"), absl::StrCat("at most ", capacity_));
  }
  const auto take = [&](const char* name, std::size_t width, MayBe may_be = MayBe::kFinite) {
    return Take(tensors, name, {rows, static_cast<std::int64_t>(width)}, origin, may_be);
  };
  ReplayBuffer read(shape_, capacity_);
  CLEAVE_ASSIGN_OR_RETURN(read.states_, take("replay.states", shape_.state));
  CLEAVE_ASSIGN_OR_RETURN(read.plans_, take("replay.plans", shape_.plans * shape_.plan));
  CLEAVE_ASSIGN_OR_RETURN(read.valid_, take("replay.valid", shape_.plans));
  CLEAVE_ASSIGN_OR_RETURN(read.rewards_, take("replay.rewards", 1));
  CLEAVE_ASSIGN_OR_RETURN(read.entropies_, take("replay.entropies", 1));
  CLEAVE_ASSIGN_OR_RETURN(read.sides_, take("replay.sides", shape_.plans, MayBe::kUnknown));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<float> actions, take("replay.actions", 1));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<float> newest,
                          Take(tensors, "replay.newest", {1}, origin));
  CLEAVE_RETURN_IF_ERROR(CheckInteger(origin, "replay.newest", newest.front(), 0,
                                      std::max<std::int64_t>(rows - 1, 0)));
  for (const float action : actions) {
    CLEAVE_RETURN_IF_ERROR(CheckInteger(origin, "replay.actions", action, kNone,
                                        static_cast<std::int64_t>(shape_.plans) - 1));
    read.actions_.push_back(static_cast<std::int32_t>(action));
  }
  for (std::size_t i = 0; i < read.size(); ++i) {
    Features features;
    const std::span<const float> flags = read.valid(i);
    features.valid.assign(flags.begin(), flags.end());
    features.state.assign(read.state(i).begin(), read.state(i).end());
    features.plans.assign(read.plans(i).begin(), read.plans(i).end());
    CLEAVE_RETURN_IF_ERROR(CheckFeatures(features, shape_));
  }
  read.newest_ = static_cast<std::size_t>(newest.front());
  // A ring that is not full yet is filled from its front.
  if (read.size() < capacity_ && read.size() > 0 && read.newest_ != read.size() - 1) {
    return FieldError(absl::StrCat(origin, ": tensor 'replay.newest'"), read.newest_,
                      read.size() - 1);
  }
  *this = std::move(read);
  return absl::OkStatus();
}

}  // namespace cleave
