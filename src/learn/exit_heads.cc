#include "learn/exit_heads.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "learn/libtorch_errors.h"

namespace cleave {
namespace {

constexpr int kMaxSteps = 100'000;
constexpr int kMaxClasses = 1 << 16;
constexpr int kStepsAtOnce = 5;  // Between looks at progress and cancellation.
constexpr int kHistory = 20;
// A round of steps that lowers the loss by a smaller share than this is the last one.
constexpr double kLeastGain = 1e-6;
// A standard deviation below this share of the mean is rounding, not information.
constexpr double kLeastDeviation = 1e-5;

absl::Status Check(const HeadSamples& samples, const HeadOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  if (samples.labels.empty() || samples.width < 1 ||
      samples.features.size() != samples.labels.size() * static_cast<std::size_t>(samples.width)) {
    return FieldError("samples", absl::StrCat(samples.features.size(), " numbers"),
                      absl::StrCat(samples.labels.size(), " x ", samples.width, ", and some"));
  }
  for (const int label : samples.labels) {
    if (label < 0 || label >= options.classes) {
      return FieldError("label", absl::StrCat(label), absl::StrCat("0 to ", options.classes - 1));
    }
  }
  const bool finite = std::all_of(samples.features.begin(), samples.features.end(),
                                  [](float value) { return std::isfinite(value); });
  return finite ? absl::OkStatus()
                : FieldError("features", "one that is not finite", "finite numbers");
}

// LibTorch's operators run on one thread while this lives.
class OneThread {
 public:
  OneThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const int before_;
};

// What makes features standardized: (feature - mean) * scale.
struct Standard {
  torch::Tensor mean;  // Double.
  torch::Tensor scale;
};

Standard StandardOf(const torch::Tensor& features) {
  const torch::Tensor mean = features.mean(0, /*keepdim=*/false, torch::kFloat64);
  torch::Tensor variance = torch::zeros_like(mean);
  constexpr std::int64_t kRows = 4096;  // At once in double precision.
  for (std::int64_t first = 0; first < features.size(0); first += kRows) {
    const std::int64_t end = std::min(first + kRows, features.size(0));
    variance += (features.slice(0, first, end).to(torch::kFloat64) - mean).square().sum(0);
  }
  const torch::Tensor deviation = (variance / static_cast<double>(features.size(0))).sqrt();
  const torch::Tensor steady = deviation <= mean.abs() * kLeastDeviation;
  return {mean, torch::where(steady, torch::zeros_like(mean), deviation.reciprocal())};
}

LinearHead Fold(const torch::Tensor& weights, const torch::Tensor& bias, const Standard& standard) {
  const torch::Tensor folded = weights.to(torch::kFloat64) * standard.scale;
  const torch::Tensor shifted = bias.to(torch::kFloat64) - folded.matmul(standard.mean);
  const auto floats = [](const torch::Tensor& tensor) {
    const torch::Tensor dense = tensor.to(torch::kFloat32).contiguous();
    return std::vector<float>(dense.data_ptr<float>(), dense.data_ptr<float>() + dense.numel());
  };
  return {floats(folded), floats(shifted), 0, 0};
}

absl::StatusOr<LinearHead> Train(const HeadSamples& samples, const HeadOptions& options) {
  const OneThread one_thread;
  const auto count = static_cast<std::int64_t>(samples.labels.size());
  const torch::Tensor raw = torch::empty({count, samples.width});
  std::copy(samples.features.begin(), samples.features.end(), raw.data_ptr<float>());
  const torch::Tensor labels = torch::empty({count}, torch::kInt64);
  std::copy(samples.labels.begin(), samples.labels.end(), labels.data_ptr<std::int64_t>());
  const Standard standard = StandardOf(raw);
  const torch::Tensor features =
      (raw - standard.mean.to(torch::kFloat32)) * standard.scale.to(torch::kFloat32);

  torch::Tensor weights = torch::zeros({options.classes, samples.width}, torch::requires_grad());
  torch::Tensor bias = torch::zeros({options.classes}, torch::requires_grad());
  torch::optim::LBFGS optimizer({weights, bias}, torch::optim::LBFGSOptions(1)
                                                     .max_iter(kStepsAtOnce)
                                                     .history_size(kHistory)
                                                     .line_search_fn("strong_wolfe"));
  const auto loss_of_all = [&] {
    optimizer.zero_grad();
    torch::Tensor loss =
        torch::cross_entropy_loss(torch::addmm(bias, features, weights.t()), labels) +
        options.weight_decay / 2 * weights.square().sum();
    loss.backward();
    return loss;
  };
  // Each round tells the loss that it began with.
  double loss = optimizer.step(loss_of_all).item<double>();
  int steps = kStepsAtOnce;
  for (double gain = 1; gain > kLeastGain && steps < options.steps; steps += kStepsAtOnce) {
    if (options.cancel.cancelled()) return absl::CancelledError("stopped");
    if (options.on_progress) options.on_progress(static_cast<double>(steps) / options.steps);
    const double now = optimizer.step(loss_of_all).item<double>();
    gain = (loss - now) / std::max(now, kLeastGain);
    loss = now;
  }
  loss = loss_of_all().item<double>();
  if (!std::isfinite(loss)) return absl::InternalError(absl::StrCat("the loss became ", loss));
  const torch::NoGradGuard no_grad;
  LinearHead head = Fold(weights.detach(), bias.detach(), standard);
  head.loss = loss;
  head.steps = steps;
  return head;
}

}  // namespace

absl::Status HeadOptions::Validate() const {
  if (classes < 2 || classes > kMaxClasses) {
    return FieldError("classes", absl::StrCat(classes), absl::StrCat("2 to ", kMaxClasses));
  }
  if (!(weight_decay >= 0 && weight_decay <= 1)) {
    return FieldError("weight decay", absl::StrCat(weight_decay), "0 to 1");
  }
  if (steps < 1 || steps > kMaxSteps) {
    return FieldError("steps", absl::StrCat(steps), absl::StrCat("1 to ", kMaxSteps));
  }
  return absl::OkStatus();
}

absl::StatusOr<LinearHead> TrainLinearHead(const HeadSamples& samples, const HeadOptions& options) {
  CLEAVE_RETURN_IF_ERROR(Check(samples, options));
  return StopLibTorchErrors([&] { return Train(samples, options); });
}

std::vector<double> ApplyHead(const LinearHead& head, std::span<const float> features) {
  std::vector<double> logits(head.bias.begin(), head.bias.end());
  for (std::size_t label = 0; label < logits.size(); ++label) {
    const float* row = head.weights.data() + label * features.size();
    for (std::size_t i = 0; i < features.size(); ++i) {
      logits[label] += static_cast<double>(row[i]) * static_cast<double>(features[i]);
    }
  }
  return logits;
}

}  // namespace cleave
