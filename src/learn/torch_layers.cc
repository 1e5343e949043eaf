// Convolutions, products, norms and pools.
#include <algorithm>
#include <limits>
#include <string>

#include "learn/torch_operators.h"

namespace cleave {
namespace {

using Ints = std::vector<std::int64_t>;
using Outputs = std::vector<torch::Tensor>;

// How a window slides over the dimensions behind batch and channels.
struct Window {
  Ints kernel, strides, dilations;
  Ints before, after;  // Padding at the two ends of each dimension.
};

std::int64_t Reach(const Window& window, std::size_t i) {
  return (window.kernel[i] - 1) * window.dilations[i] + 1;
}

// REQUIRES: all but the padding is set.
void Pad(const OperatorCall& call, const torch::Tensor& x, Window& window) {
  const std::size_t spatial = window.kernel.size();
  const std::string automatic = call.node.Text("auto_pad", "NOTSET");
  if (automatic == "NOTSET") {
    const Ints pads = call.node.Ints("pads", Ints(2 * spatial, 0));
    TORCH_CHECK(pads.size() == 2 * spatial, pads.size(), " pads for ", spatial, " dimensions");
    const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(spatial);
    window.before.assign(pads.begin(), middle);
    window.after.assign(middle, pads.end());
    return;
  }
  for (std::size_t i = 0; i < spatial; ++i) {
    std::int64_t pad = 0;
    if (automatic != "VALID") {
      const std::int64_t size = x.size(static_cast<std::int64_t>(i) + 2);
      const std::int64_t windows = (size + window.strides[i] - 1) / window.strides[i];
      pad = std::max<std::int64_t>(0, (windows - 1) * window.strides[i] + Reach(window, i) - size);
    }
    const std::int64_t less = pad / 2;
    window.before.push_back(automatic == "SAME_LOWER" ? pad - less : less);
    window.after.push_back(automatic == "SAME_LOWER" ? less : pad - less);
  }
}

Window WindowOf(const OperatorCall& call, Ints kernel) {
  Window window;
  window.kernel = std::move(kernel);
  const std::size_t spatial = window.kernel.size();
  const torch::Tensor& x = call.At(0);
  TORCH_CHECK(x.dim() == static_cast<std::int64_t>(spatial) + 2, "an input of ", x.dim(),
              " dimensions for a kernel of ", spatial);
  window.strides = call.node.Ints("strides", Ints(spatial, 1));
  window.dilations = call.node.Ints("dilations", Ints(spatial, 1));
  TORCH_CHECK(window.strides.size() == spatial && window.dilations.size() == spatial,
              "strides or dilations of another number of dimensions than the kernel");
  Pad(call, x, window);
  return window;
}

// LibTorch lists the last dimension first.
torch::Tensor Padded(const torch::Tensor& x, const Ints& before, const Ints& after, double value) {
  Ints pads;
  bool some = false;
  for (std::size_t i = before.size(); i-- > 0;) {
    pads.insert(pads.end(), {before[i], after[i]});
    some = some || before[i] != 0 || after[i] != 0;
  }
  return some ? torch::constant_pad_nd(x, pads, value) : x;
}

Outputs Conv(const OperatorCall& call) {
  const torch::Tensor& weight = call.At(1);
  const Window window = WindowOf(call, weight.sizes().slice(2).vec());
  torch::Tensor x = call.At(0);
  Ints padding = window.before;
  if (window.before != window.after) {
    x = Padded(x, window.before, window.after, 0);
    padding.assign(padding.size(), 0);
  }
  return {at::convolution(x, weight, call.Optional(2), window.strides, padding, window.dilations,
                          /*transposed=*/false, Ints(padding.size(), 0),
                          call.node.Int("group", 1))};
}

Outputs ConvTranspose(const OperatorCall& call) {
  const torch::Tensor& weight = call.At(1);
  TORCH_CHECK(!call.node.Has("output_shape"), "the attribute output_shape");
  const std::string automatic = call.node.Text("auto_pad", "NOTSET");
  TORCH_CHECK(automatic == "NOTSET" || automatic == "VALID", "auto_pad ", automatic);
  const Window window = WindowOf(call, weight.sizes().slice(2).vec());
  const std::size_t spatial = window.kernel.size();
  const Ints more = call.node.Ints("output_padding", Ints(spatial, 0));
  // Padding takes away from the ends of the whole result, which makes the two ends independent.
  torch::Tensor whole = at::convolution(call.At(0), weight, call.Optional(2), window.strides,
                                        Ints(spatial, 0), window.dilations, /*transposed=*/true,
                                        Ints(spatial, 0), call.node.Int("group", 1));
  for (std::size_t i = 0; i < spatial; ++i) {
    const auto axis = static_cast<std::int64_t>(i) + 2;
    const std::int64_t keep = whole.size(axis) - window.before[i] - window.after[i] + more[i];
    const std::int64_t missing = window.before[i] + keep - whole.size(axis);
    TORCH_CHECK(missing <= 0, "output_padding beyond the padding");
    whole = whole.narrow(axis, window.before[i], keep);
  }
  return {whole};
}

Outputs BatchNormalization(const OperatorCall& call) {
  TORCH_CHECK(call.node.Int("training_mode", 0) == 0, "training mode");
  return {torch::batch_norm(call.At(0), call.At(1), call.At(2), call.At(3), call.At(4),
                            /*training=*/false, 0.0, call.node.Float("epsilon", 1e-5F),
                            /*cudnn_enabled=*/false)};
}

Outputs InstanceNormalization(const OperatorCall& call) {
  return {torch::instance_norm(call.At(0), call.At(1), call.At(2), {}, {},
                               /*use_input_stats=*/true, 0.0, call.node.Float("epsilon", 1e-5F),
                               /*cudnn_enabled=*/false)};
}

Outputs LayerNormalization(const OperatorCall& call) {
  const torch::Tensor& x = call.At(0);
  const std::int64_t axis = AxisOf(call.node.Int("axis", -1), x.dim());
  return {torch::layer_norm(x, x.sizes().slice(static_cast<std::size_t>(axis)), call.At(1),
                            call.Optional(2), call.node.Float("epsilon", 1e-5F))};
}

// A pool's window over padded planes. Where sizes are rounded up, the last window may reach over
// what is padded, which `after` then covers.
Window PoolWindow(const OperatorCall& call) {
  Window window = WindowOf(call, call.node.Ints("kernel_shape", {}));
  TORCH_CHECK(window.kernel.size() == 2, "a pool over ", window.kernel.size(), " dimensions");
  return window;
}

// How much further windows reach at the end of each dimension.
Ints RoundedUp(const OperatorCall& call, const torch::Tensor& x, const Window& window) {
  Ints more(window.kernel.size(), 0);
  if (call.node.Int("ceil_mode", 0) == 0) return more;
  for (std::size_t i = 0; i < more.size(); ++i) {
    const std::int64_t size = x.size(static_cast<std::int64_t>(i) + 2);
    const std::int64_t room = size + window.before[i] + window.after[i] - Reach(window, i);
    std::int64_t steps = (room + window.strides[i] - 1) / window.strides[i];
    // A window that would begin behind the input is left out.
    if (steps * window.strides[i] >= size + window.before[i]) --steps;
    more[i] = std::max<std::int64_t>(0, steps * window.strides[i] - room);
  }
  return more;
}

Ints Sum(Ints a, const Ints& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

Outputs MaxPool(const OperatorCall& call) {
  TORCH_CHECK(call.node.outputs.size() == 1, "the output of indices");
  const torch::Tensor& x = call.At(0);
  const Window window = PoolWindow(call);
  const torch::Tensor padded =
      Padded(x, window.before, Sum(window.after, RoundedUp(call, x, window)),
             -std::numeric_limits<float>::infinity());
  return {torch::max_pool2d(padded, window.kernel, window.strides, 0, window.dilations)};
}

// The mean over what a window has of the input, and of the padding where that counts.
Outputs AveragePool(const OperatorCall& call) {
  const torch::Tensor& x = call.At(0);
  const Window window = PoolWindow(call);
  TORCH_CHECK(window.dilations == Ints(2, 1), "dilations of an average");
  const Ints more = RoundedUp(call, x, window);
  const Ints after = Sum(window.after, more);
  const auto sums = [&](const torch::Tensor& padded) {
    return torch::avg_pool2d(padded, window.kernel, window.strides, 0, /*ceil_mode=*/false,
                             /*count_include_pad=*/true, /*divisor_override=*/1);
  };
  torch::Tensor counted = torch::ones({1, 1, x.size(2), x.size(3)}, x.options());
  if (call.node.Int("count_include_pad", 0) != 0) {
    counted = Padded(Padded(counted, window.before, window.after, 1), {0, 0}, more, 0);
  } else {
    counted = Padded(counted, window.before, after, 0);
  }
  return {sums(Padded(x, window.before, after, 0)) / sums(counted)};
}

Ints SpatialAxes(const torch::Tensor& x) {
  Ints axes;
  for (std::int64_t axis = 2; axis < x.dim(); ++axis) axes.push_back(axis);
  return axes;
}

Outputs GlobalAveragePool(const OperatorCall& call) {
  return {call.At(0).mean(SpatialAxes(call.At(0)), /*keepdim=*/true)};
}
Outputs GlobalMaxPool(const OperatorCall& call) {
  return {torch::amax(call.At(0), SpatialAxes(call.At(0)), /*keepdim=*/true)};
}

Outputs MatMul(const OperatorCall& call) { return {torch::matmul(call.At(0), call.At(1))}; }

Outputs Gemm(const OperatorCall& call) {
  const torch::Tensor a = call.node.Int("transA", 0) != 0 ? call.At(0).t() : call.At(0);
  const torch::Tensor b = call.node.Int("transB", 0) != 0 ? call.At(1).t() : call.At(1);
  torch::Tensor product = torch::matmul(a, b) * call.node.Float("alpha", 1);
  if (call.Has(2)) product = product + call.At(2) * call.node.Float("beta", 1);
  return {product};
}

}  // namespace

void AddLayerOperators(TorchOperators& operators) {
  operators.insert({{"AveragePool", AveragePool},
                    {"BatchNormalization", BatchNormalization},
                    {"Conv", Conv},
                    {"ConvTranspose", ConvTranspose},
                    {"Gemm", Gemm},
                    {"GlobalAveragePool", GlobalAveragePool},
                    {"GlobalMaxPool", GlobalMaxPool},
                    {"InstanceNormalization", InstanceNormalization},
                    {"LayerNormalization", LayerNormalization},
                    {"MatMul", MatMul},
                    {"MaxPool", MaxPool}});
}

}  // namespace cleave
