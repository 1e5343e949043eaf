// Changes of resolution, one dimension after the other: each output place takes one input place, or
// two with weights.
#include <algorithm>
#include <cmath>
#include <string>

#include "learn/torch_operators.h"

namespace cleave {
namespace {

using Ints = std::vector<std::int64_t>;
using Outputs = std::vector<torch::Tensor>;

struct Axis {
  std::int64_t in = 1;
  std::int64_t out = 1;
  float scale = 1;
};

// Where an output place lies in the input.
float Source(const Axis& axis, std::int64_t place, const std::string& mode) {
  const auto at = static_cast<float>(place);
  if (mode == "asymmetric") return at / axis.scale;
  if (mode == "align_corners") {
    if (axis.out == 1) return 0;
    return at * static_cast<float>(axis.in - 1) / static_cast<float>(axis.out - 1);
  }
  if (mode == "pytorch_half_pixel" && axis.out == 1) return 0;
  TORCH_CHECK(mode == "half_pixel" || mode == "pytorch_half_pixel",
              "coordinate_transformation_mode ", mode);
  return (at + 0.5F) / axis.scale - 0.5F;
}

std::int64_t Nearest(float source, const std::string& mode) {
  if (mode == "floor") return static_cast<std::int64_t>(std::floor(source));
  if (mode == "ceil") return static_cast<std::int64_t>(std::ceil(source));
  if (mode == "round_prefer_ceil") return static_cast<std::int64_t>(std::floor(source + 0.5F));
  TORCH_CHECK(mode == "round_prefer_floor", "nearest_mode ", mode);
  return static_cast<std::int64_t>(std::ceil(source - 0.5F));
}

struct Modes {
  bool linear = false;
  std::string coordinates;
  std::string nearest;
};

torch::Tensor ResizeAxis(const torch::Tensor& x, std::int64_t dimension, const Axis& axis,
                         const Modes& modes) {
  Ints lower;
  Ints upper;
  std::vector<float> share;
  for (std::int64_t place = 0; place < axis.out; ++place) {
    const float source = Source(axis, place, modes.coordinates);
    if (!modes.linear) {
      lower.push_back(std::clamp<std::int64_t>(Nearest(source, modes.nearest), 0, axis.in - 1));
      continue;
    }
    const float inside = std::clamp(source, 0.0F, static_cast<float>(axis.in - 1));
    lower.push_back(static_cast<std::int64_t>(inside));
    upper.push_back(std::min(lower.back() + 1, axis.in - 1));
    share.push_back(inside - static_cast<float>(lower.back()));
  }
  const torch::Tensor first = x.index_select(dimension, torch::tensor(lower, torch::kInt64));
  if (!modes.linear) return first;
  const torch::Tensor second = x.index_select(dimension, torch::tensor(upper, torch::kInt64));
  Ints along(static_cast<std::size_t>(x.dim()), 1);
  along[static_cast<std::size_t>(dimension)] = axis.out;
  return first + (second - first) * torch::tensor(share).reshape(along);
}

// `scales` or `sizes` has one for each dimension; the other is empty.
torch::Tensor Resized(torch::Tensor x, const std::vector<float>& scales, const Ints& sizes,
                      const Modes& modes) {
  const auto rank = static_cast<std::size_t>(x.dim());
  TORCH_CHECK(scales.size() == rank || sizes.size() == rank, "neither scales nor sizes for all ",
              rank, " dimensions");
  for (std::size_t i = 0; i < rank; ++i) {
    const auto dimension = static_cast<std::int64_t>(i);
    Axis axis;
    axis.in = x.size(dimension);
    if (scales.size() == rank) {
      axis.scale = scales[i];
      axis.out = static_cast<std::int64_t>(std::floor(static_cast<float>(axis.in) * axis.scale));
    } else {
      axis.out = sizes[i];
      axis.scale = static_cast<float>(axis.out) / static_cast<float>(axis.in);
    }
    if (axis.in != axis.out) x = ResizeAxis(x, dimension, axis, modes);
  }
  return x;
}

bool IsLinear(const OperatorCall& call) {
  const std::string mode = call.node.Text("mode", "nearest");
  TORCH_CHECK(mode == "nearest" || mode == "linear", "mode ", mode);
  return mode == "linear";
}

std::vector<float> FloatsAt(const OperatorCall& call, std::size_t input) {
  if (!call.Has(input)) return {};
  const torch::Tensor dense = call.At(input).to(torch::kFloat32).contiguous();
  return {dense.data_ptr<float>(), dense.data_ptr<float>() + dense.numel()};
}

Outputs Resize(const OperatorCall& call) {
  TORCH_CHECK(call.node.Int("antialias", 0) == 0, "antialias");
  TORCH_CHECK(!call.node.Has("axes"), "the attribute axes");
  const std::string policy = call.node.Text("keep_aspect_ratio_policy", "stretch");
  TORCH_CHECK(policy == "stretch", "keep_aspect_ratio_policy ", policy);
  Modes modes;
  modes.linear = IsLinear(call);
  // Opset 10 had only these modes and its scales as the second input.
  const bool old = call.opset < 11;
  modes.coordinates =
      old ? "asymmetric" : call.node.Text("coordinate_transformation_mode", "half_pixel");
  modes.nearest = old ? "floor" : call.node.Text("nearest_mode", "round_prefer_floor");
  return {Resized(call.At(0), FloatsAt(call, old ? 1 : 2),
                  call.Has(3) ? IntsOf(call.At(3)) : Ints(), modes)};
}

Outputs Upsample(const OperatorCall& call) {
  std::vector<float> scales = FloatsAt(call, 1);
  const auto attribute = call.node.attributes.find("scales");
  if (scales.empty() && attribute != call.node.attributes.end()) {
    scales = std::get<std::vector<float>>(attribute->second);
  }
  return {Resized(call.At(0), scales, {}, {IsLinear(call), "asymmetric", "floor"})};
}

}  // namespace

void AddResizeOperators(TorchOperators& operators) {
  operators.insert({{"Resize", Resize}, {"Upsample", Upsample}});
}

}  // namespace cleave
