#include "learn/scorer.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "learn/checkpoint.h"

namespace cleave {
namespace {

enum Part {
  kFromState,
  kFromPlan,
  kPlanBias,
  kInner,
  kInnerBias,
  kOutput,
  kOutputBias,
  kParts,
};

constexpr double kLastLayer = 0.1;
constexpr double kLastRate = 0.1;

std::int64_t Int(std::size_t value) { return static_cast<std::int64_t>(value); }

torch::Tensor FromFloats(const std::vector<float>& values) {
  torch::Tensor tensor = torch::empty({Int(values.size())});
  std::copy(values.begin(), values.end(), tensor.data_ptr<float>());
  return tensor;
}

torch::Tensor Normalized(const torch::Tensor& raw, const torch::Tensor& mean,
                         const torch::Tensor& scale) {
  return torch::sub(raw, mean).mul_(scale).clamp_(-kFeatureLimit, kFeatureLimit);
}

// A matrix product as a convolution over single points: oneDNN's are many times faster than the
// product of a LibTorch without a tuned BLAS, as Debian's is, and rows of features are what
// channels-last memory holds.
torch::Tensor Linear(const torch::Tensor& in, const torch::Tensor& weight, std::int64_t out,
                     const torch::Tensor& bias = {}) {
  return torch::conv2d(in, weight.view({out, in.size(1), 1, 1}), bias);
}

// B x A x C as B x C x A x 1, without a copy.
torch::Tensor AsPixels(const torch::Tensor& rows) {
  return rows.view({rows.size(0), rows.size(1), 1, rows.size(2)}).permute({0, 3, 1, 2});
}

}  // namespace

void UseOneThread() { at::set_num_threads(1); }

FeatureReader::FeatureReader(const DecisionShape& shape) : shape_(shape) {
  Set(Normalization::Identity(shape));
}

void FeatureReader::Set(const Normalization& normalization) {
  state_mean_ = FromFloats(normalization.state_mean);
  state_scale_ = FromFloats(normalization.state_scale);
  plan_mean_ = FromFloats(normalization.plan_mean);
  plan_scale_ = FromFloats(normalization.plan_scale);
}

Normalization FeatureReader::Get() const {
  return {FloatsOf(state_mean_), FloatsOf(state_scale_), FloatsOf(plan_mean_),
          FloatsOf(plan_scale_)};
}

Decisions FeatureReader::Read(const ReplayBatch::Side& side) const {
  const std::int64_t batch = Int(side.state.size() / shape_.state);
  const auto view = [](const std::vector<float>& values, at::IntArrayRef sizes) {
    return torch::from_blob(const_cast<float*>(values.data()), sizes);
  };
  const torch::NoGradGuard no_grad;
  return {Normalized(view(side.state, {batch, Int(shape_.state)}), state_mean_, state_scale_),
          Normalized(view(side.plans, {batch, Int(shape_.plans), Int(shape_.plan)}), plan_mean_,
                     plan_scale_),
          view(side.valid, {batch, Int(shape_.plans)}).eq(0)};
}

Decisions FeatureReader::Read(const Features& features) const {
  return Read(ReplayBatch::Side{features.state, features.plans, features.valid});
}

void FeatureReader::AddState(std::map<std::string, torch::Tensor>& state) const {
  state["normalization.state_mean"] = state_mean_;
  state["normalization.state_scale"] = state_scale_;
  state["normalization.plan_mean"] = plan_mean_;
  state["normalization.plan_scale"] = plan_scale_;
}

Scorer::Scorer(const DecisionShape& shape, const LearningOptions& options, at::Generator& generator)
    : shape_(shape), hidden_(options.hidden), inner_(options.inner_hidden) {
  const std::int64_t state = Int(shape.state);
  const std::int64_t plan = Int(shape.plan);
  sizes_ = {hidden_ * state,
            hidden_ * plan,
            Int(shape.plans) * hidden_,
            inner_ * hidden_,
            inner_,
            inner_,
            1};
  const torch::NoGradGuard no_grad;
  const auto draw = [&generator](std::int64_t count, double fan_in) {
    return at::randn({count}, generator, at::kFloat) * std::sqrt(2 / fan_in);
  };
  const double fan_in = static_cast<double>(state + plan);
  std::vector<torch::Tensor> parts(kParts);
  parts[kFromState] = draw(sizes_[kFromState], fan_in);
  parts[kFromPlan] = draw(sizes_[kFromPlan], fan_in);
  parts[kPlanBias] = torch::zeros({sizes_[kPlanBias]});
  parts[kInner] = draw(sizes_[kInner], static_cast<double>(hidden_));
  parts[kInnerBias] = torch::zeros({inner_});
  parts[kOutput] = draw(sizes_[kOutput], static_cast<double>(inner_)) * kLastLayer;
  parts[kOutputBias] = torch::zeros({1});
  weights_ = torch::cat(parts).set_requires_grad(true);
}

std::vector<torch::Tensor> Scorer::Parts() const { return weights_.split_with_sizes(sizes_); }

torch::Tensor Scorer::All(const Decisions& decisions) const {
  const std::int64_t batch = decisions.state.size(0);
  const std::vector<torch::Tensor> parts = Parts();
  const torch::Tensor state =
      Linear(decisions.state.view({batch, -1, 1, 1}), parts[kFromState], hidden_);
  const torch::Tensor bias = AsPixels(parts[kPlanBias].view({1, Int(shape_.plans), hidden_}));
  const torch::Tensor hidden =
      Linear(AsPixels(decisions.plans), parts[kFromPlan], hidden_).add_(bias).add_(state).relu_();
  const torch::Tensor inner = Linear(hidden, parts[kInner], inner_, parts[kInnerBias]).relu_();
  return Linear(inner, parts[kOutput], 1, parts[kOutputBias]).reshape({batch, -1});
}

torch::Tensor Scorer::Of(const Decisions& decisions, const torch::Tensor& action) const {
  const std::int64_t batch = decisions.state.size(0);
  const std::vector<torch::Tensor> parts = Parts();
  const torch::Tensor row = torch::arange(batch);
  const torch::Tensor plan = decisions.plans.index({row, action});
  const torch::Tensor bias =
      parts[kPlanBias].view({Int(shape_.plans), hidden_}).index_select(0, action);
  // The batch as the points of one picture.
  const auto rows = [](const torch::Tensor& values) { return AsPixels(values.unsqueeze(0)); };
  const torch::Tensor hidden = Linear(rows(plan), parts[kFromPlan], hidden_)
                                   .add_(rows(bias))
                                   .add_(Linear(rows(decisions.state), parts[kFromState], hidden_))
                                   .relu_();
  const torch::Tensor inner = Linear(hidden, parts[kInner], inner_, parts[kInnerBias]).relu_();
  return Linear(inner, parts[kOutput], 1, parts[kOutputBias]).reshape({batch});
}

void Scorer::MoveTowards(const Scorer& other, double tau) {
  const torch::NoGradGuard no_grad;
  weights_.lerp_(other.weights_, tau);
}

void Scorer::Export(ScorerWeights& out) const {
  const torch::NoGradGuard no_grad;
  const std::vector<torch::Tensor> parts = Parts();
  out.hidden = hidden_;
  out.inner_hidden = inner_;
  out.from_state = FloatsOf(parts[kFromState]);
  out.from_plan = FloatsOf(parts[kFromPlan]);
  out.plan_bias = FloatsOf(parts[kPlanBias]);
  out.inner = FloatsOf(parts[kInner]);
  out.inner_bias = FloatsOf(parts[kInnerBias]);
  out.output = FloatsOf(parts[kOutput]);
  out.output_bias = FloatsOf(parts[kOutputBias]);
}

Adam::Adam(std::string name, std::vector<torch::Tensor> leaves, double rate)
    : name_(std::move(name)),
      leaves_(std::move(leaves)),
      adam_(leaves_, torch::optim::AdamOptions(rate)),
      steps_(torch::zeros({1})) {
  for (const torch::Tensor& leaf : leaves_) {
    auto state = std::make_unique<torch::optim::AdamParamState>();
    state->step(0);
    state->exp_avg(torch::zeros_like(leaf));
    state->exp_avg_sq(torch::zeros_like(leaf));
    adam_.state()[c10::guts::to_string(leaf.unsafeGetTensorImpl())] = std::move(state);
  }
}

void Adam::Step(const torch::Tensor& loss, double rate, double max_gradient) {
  adam_.zero_grad();
  loss.backward();
  for (const torch::Tensor& leaf : leaves_) {
    torch::nn::utils::clip_grad_norm_(leaf, max_gradient);
  }
  for (auto& group : adam_.param_groups()) {
    static_cast<torch::optim::AdamOptions&>(group.options()).lr(rate);
  }
  adam_.step();
  steps_ += 1;
}

void Adam::AddState(std::map<std::string, torch::Tensor>& state) const {
  auto& adam = const_cast<torch::optim::Adam&>(adam_);
  for (std::size_t i = 0; i < leaves_.size(); ++i) {
    const auto& leaf = static_cast<torch::optim::AdamParamState&>(
        *adam.state()[c10::guts::to_string(leaves_[i].unsafeGetTensorImpl())]);
    state[absl::StrCat(name_, i, ".mean")] = leaf.exp_avg();
    state[absl::StrCat(name_, i, ".square")] = leaf.exp_avg_sq();
  }
  state[name_ + ".steps"] = steps_;
}

void Adam::Restored() {
  const auto steps = static_cast<std::int64_t>(steps_.item<float>());
  for (auto& [key, state] : adam_.state()) {
    static_cast<torch::optim::AdamParamState&>(*state).step(steps);
  }
}

double RateAt(const LearningOptions& options, double share) {
  return options.rate * (1 - (1 - kLastRate) * std::clamp(share, 0.0, 1.0));
}

ScorerWeights ExportWeights(const Scorer& scorer, const FeatureReader& reader,
                            const DecisionShape& shape) {
  ScorerWeights out;
  out.state_features = Int(shape.state);
  out.plan_features = Int(shape.plan);
  out.plans = Int(shape.plans);
  out.limit = kFeatureLimit;
  const Normalization normalization = reader.Get();
  out.state_mean = normalization.state_mean;
  out.state_scale = normalization.state_scale;
  out.plan_mean = normalization.plan_mean;
  out.plan_scale = normalization.plan_scale;
  scorer.Export(out);
  return out;
}

std::vector<float> FloatsOf(const torch::Tensor& tensor) {
  const torch::Tensor dense = tensor.detach().contiguous();
  return {dense.data_ptr<float>(), dense.data_ptr<float>() + dense.numel()};
}

absl::StatusOr<std::map<std::string, Tensor>> CopyOut(
    const std::map<std::string, torch::Tensor>& state) {
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, tensor] : state) {
    CLEAVE_ASSIGN_OR_RETURN(
        tensors[name],
        Tensor::FromFloats(Shape(tensor.sizes().begin(), tensor.sizes().end()), FloatsOf(tensor)));
  }
  return tensors;
}

absl::Status CopyIn(const std::map<std::string, Tensor>& tensors, const std::string& origin,
                    const std::map<std::string, torch::Tensor>& state) {
  for (const auto& [name, tensor] : state) {
    const Shape shape(tensor.sizes().begin(), tensor.sizes().end());
    CLEAVE_ASSIGN_OR_RETURN(const std::span<const float> values,
                            FloatsOf(tensors, name, shape, origin));
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
      return FieldError(absl::StrCat(origin, ": tensor '", name, "'"),
                        "a number that is not finite", "finite ones");
    }
  }
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : state) {
    const std::span<const float> values = tensors.at(name).floats();
    torch::Tensor dense = torch::empty(tensor.sizes());
    std::copy(values.begin(), values.end(), dense.data_ptr<float>());
    torch::Tensor(tensor).copy_(dense);
  }
  return absl::OkStatus();
}

}  // namespace cleave
