// Operators that move, join, cut out and reduce elements.
#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

#include "learn/torch_graph.h"
#include "learn/torch_operators.h"

namespace cleave {
namespace {

using Ints = std::vector<std::int64_t>;
using Outputs = std::vector<torch::Tensor>;

Outputs Constant(const OperatorCall& call) {
  for (const auto& [name, value] : call.node.attributes) {
    if (const auto* tensor = std::get_if<Tensor>(&value)) return {ToTorch(*tensor)};
    if (const auto* ints = std::get_if<Ints>(&value)) return {torch::tensor(*ints)};
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return {torch::tensor(*integer)};
    if (const auto* floats = std::get_if<std::vector<float>>(&value)) {
      return {torch::tensor(*floats)};
    }
    if (const auto* number = std::get_if<float>(&value)) return {torch::tensor(*number)};
  }
  TORCH_CHECK(false, "a constant without a number");
}

Outputs ConstantOfShape(const OperatorCall& call) {
  const auto value = call.node.attributes.find("value");
  const torch::Tensor filling = value == call.node.attributes.end()
                                    ? torch::zeros({1})
                                    : ToTorch(std::get<Tensor>(value->second));
  return {filling.reshape({}).expand(IntsOf(call.At(0))).contiguous()};
}

Outputs SizesOf(const OperatorCall& call) {
  const Ints sizes = call.At(0).sizes().vec();
  const auto rank = static_cast<std::int64_t>(sizes.size());
  const auto bound = [rank](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const std::int64_t start = bound(call.node.Int("start", 0));
  const std::int64_t end = std::max(start, bound(call.node.Int("end", rank)));
  return {torch::tensor(Ints(sizes.begin() + start, sizes.begin() + end))};
}

Outputs Gather(const OperatorCall& call) {
  const torch::Tensor& x = call.At(0);
  const std::int64_t axis = AxisOf(call.node.Int("axis", 0), x.dim());
  torch::Tensor places = call.At(1).to(torch::kInt64);
  places = torch::where(places < 0, places + x.size(axis), places);
  Ints sizes = x.sizes().vec();
  const auto at = sizes.erase(sizes.begin() + axis);
  sizes.insert(at, places.sizes().begin(), places.sizes().end());
  return {x.index_select(axis, places.reshape({-1})).reshape(sizes)};
}

Outputs Concat(const OperatorCall& call) {
  std::vector<torch::Tensor> parts;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) parts.push_back(call.At(i));
  return {torch::cat(parts, AxisOf(call.node.Int("axis", 0), parts.front().dim()))};
}

Outputs Split(const OperatorCall& call) {
  const torch::Tensor& x = call.At(0);
  const std::int64_t axis = AxisOf(call.node.Int("axis", 0), x.dim());
  Ints sizes = call.Ints(1, "split", {});
  if (sizes.empty()) {
    const auto parts = static_cast<std::int64_t>(call.node.outputs.size());
    const std::int64_t each = (x.size(axis) + parts - 1) / parts;
    for (std::int64_t left = x.size(axis); left > 0; left -= each) {
      sizes.push_back(std::min(each, left));
    }
  }
  return torch::split_with_sizes(x, sizes, axis);
}

Outputs Slice(const OperatorCall& call) {
  torch::Tensor x = call.At(0);
  const Ints starts = call.Ints(1, "starts", {});
  const Ints ends = call.Ints(2, "ends", {});
  Ints all(starts.size());
  std::iota(all.begin(), all.end(), 0);
  const Ints axes = call.Ints(3, "axes", all);
  const Ints steps = call.Has(4) ? IntsOf(call.At(4)) : Ints(starts.size(), 1);
  TORCH_CHECK(
      starts.size() == ends.size() && axes.size() == ends.size() && steps.size() == ends.size(),
      "starts, ends, axes and steps of different numbers");
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::int64_t axis = AxisOf(axes[i], x.dim());
    if (steps[i] > 0) {
      x = x.slice(axis, starts[i], ends[i], steps[i]);
      continue;
    }
    TORCH_CHECK(steps[i] < 0, "a step of 0");
    const std::int64_t size = x.size(axis);
    const std::int64_t last = size - 1;
    const std::int64_t from = std::min(starts[i] < 0 ? starts[i] + size : starts[i], last);
    const std::int64_t to =
        std::max<std::int64_t>(ends[i] < 0 ? std::max(ends[i], -size - 1) + size : ends[i], -1);
    Ints places;
    for (std::int64_t at = from; at > to; at += steps[i]) places.push_back(at);
    x = x.index_select(axis, torch::tensor(places, torch::kInt64));
  }
  return {x};
}

Outputs Reshape(const OperatorCall& call) {
  Ints sizes = call.Ints(1, "shape", {});
  if (call.node.Int("allowzero", 0) == 0) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] == 0) sizes[i] = call.At(0).size(static_cast<std::int64_t>(i));
    }
  }
  return {call.At(0).reshape(sizes)};
}

Outputs Flatten(const OperatorCall& call) {
  const torch::Tensor& x = call.At(0);
  const std::int64_t axis = call.node.Int("axis", 1);
  std::int64_t rows = 1;
  for (std::int64_t i = 0; i < (axis < 0 ? axis + x.dim() : axis); ++i) rows *= x.size(i);
  return {x.reshape({rows, rows == 0 ? 0 : x.numel() / rows})};
}

Outputs Transpose(const OperatorCall& call) {
  Ints reversed(static_cast<std::size_t>(call.At(0).dim()));
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  return {call.At(0).permute(call.node.Ints("perm", reversed))};
}

Outputs Squeeze(const OperatorCall& call) {
  torch::Tensor x = call.At(0);
  Ints axes = call.Ints(1, "axes", {});
  if (axes.empty()) return {x.squeeze()};
  for (std::int64_t& axis : axes) axis = AxisOf(axis, x.dim());
  std::sort(axes.rbegin(), axes.rend());
  for (const std::int64_t axis : axes) x = x.squeeze(axis);
  return {x};
}

Outputs Unsqueeze(const OperatorCall& call) {
  torch::Tensor x = call.At(0);
  Ints axes = call.Ints(1, "axes", {});
  const std::int64_t rank = x.dim() + static_cast<std::int64_t>(axes.size());
  for (std::int64_t& axis : axes) axis = AxisOf(axis, rank);
  std::sort(axes.begin(), axes.end());
  for (const std::int64_t axis : axes) x = x.unsqueeze(axis);
  return {x};
}

Outputs Expand(const OperatorCall& call) {
  const torch::Tensor& x = call.At(0);
  // A size of 1 keeps the input's, unlike LibTorch's.
  return {x * torch::ones(IntsOf(call.At(1)), x.options())};
}

Outputs Tile(const OperatorCall& call) { return {call.At(0).repeat(IntsOf(call.At(1)))}; }

// Places along one axis when it is padded: mirrored at the edges, or the edges repeated.
torch::Tensor PaddedPlaces(std::int64_t size, std::int64_t before, std::int64_t after,
                           bool mirrored) {
  Ints places;
  for (std::int64_t at = -before; at < size + after; ++at) {
    std::int64_t place = at;
    if (mirrored) {
      if (place < 0) place = -place;
      if (place >= size) place = 2 * (size - 1) - place;
    }
    places.push_back(std::clamp<std::int64_t>(place, 0, size - 1));
  }
  return torch::tensor(places, torch::kInt64);
}

Outputs Pad(const OperatorCall& call) {
  torch::Tensor x = call.At(0);
  const std::string mode = call.node.Text("mode", "constant");
  const Ints pads = call.Ints(1, "pads", {});
  Ints axes(static_cast<std::size_t>(x.dim()));
  std::iota(axes.begin(), axes.end(), 0);
  if (call.Has(3)) axes = IntsOf(call.At(3));
  TORCH_CHECK(pads.size() == 2 * axes.size(), pads.size(), " pads for ", axes.size(), " axes");
  TORCH_CHECK(mode == "constant" || mode == "edge" || mode == "reflect", "mode ", mode);
  const double value =
      call.Has(2) ? call.At(2).item<double>() : double{call.node.Float("value", 0)};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t axis = AxisOf(axes[i], x.dim());
    const std::int64_t before = pads[i];
    const std::int64_t after = pads[i + axes.size()];
    if (before == 0 && after == 0) continue;
    if (mode == "constant") {
      Ints torch_pads(2 * static_cast<std::size_t>(x.dim() - axis), 0);
      torch_pads[torch_pads.size() - 2] = before;
      torch_pads.back() = after;
      x = torch::constant_pad_nd(x, torch_pads, value);
    } else {
      TORCH_CHECK(before >= 0 && after >= 0, "negative pads of mode ", mode);
      x = x.index_select(axis, PaddedPlaces(x.size(axis), before, after, mode == "reflect"));
    }
  }
  return {x};
}

template <typename Function>
Outputs Reduce(const OperatorCall& call, Function function) {
  const torch::Tensor& x = call.At(0);
  Ints axes = call.Ints(1, "axes", {});
  if (axes.empty()) {
    if (call.node.Int("noop_with_empty_axes", 0) != 0) return {x};
    axes.resize(static_cast<std::size_t>(x.dim()));
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (std::int64_t& axis : axes) axis = AxisOf(axis, x.dim());
  return {function(x, axes, call.node.Int("keepdims", 1) != 0)};
}
Outputs ReduceMean(const OperatorCall& call) {
  return Reduce(call,
                [](const auto& x, const Ints& axes, bool keep) { return x.mean(axes, keep); });
}
Outputs ReduceSum(const OperatorCall& call) {
  return Reduce(call, [](const auto& x, const Ints& axes, bool keep) { return x.sum(axes, keep); });
}
Outputs ReduceMax(const OperatorCall& call) {
  return Reduce(
      call, [](const auto& x, const Ints& axes, bool keep) { return torch::amax(x, axes, keep); });
}
Outputs ReduceL2(const OperatorCall& call) {
  return Reduce(call, [](const auto& x, const Ints& axes, bool keep) {
    return x.square().sum(axes, keep).sqrt();
  });
}

// Channels become places: in depth-column-row order, or column-row-depth.
Outputs DepthToSpace(const OperatorCall& call) {
  const torch::Tensor& x = call.At(0);
  TORCH_CHECK(x.dim() == 4, "an input of ", x.dim(), " dimensions");
  const std::int64_t side = call.node.Int("blocksize", 1);
  const std::int64_t n = x.size(0);
  const std::int64_t c = x.size(1) / (side * side);
  const std::int64_t h = x.size(2);
  const std::int64_t w = x.size(3);
  const torch::Tensor moved = call.node.Text("mode", "DCR") == "DCR"
                                  ? x.reshape({n, side, side, c, h, w}).permute({0, 3, 4, 1, 5, 2})
                                  : x.reshape({n, c, side, side, h, w}).permute({0, 1, 4, 2, 5, 3});
  return {moved.reshape({n, c, h * side, w * side})};
}

}  // namespace

void AddShapeOperators(TorchOperators& operators) {
  operators.insert({{"Concat", Concat},
                    {"Constant", Constant},
                    {"ConstantOfShape", ConstantOfShape},
                    {"DepthToSpace", DepthToSpace},
                    {"Expand", Expand},
                    {"Flatten", Flatten},
                    {"Gather", Gather},
                    {"Pad", Pad},
                    {"ReduceL2", ReduceL2},
                    {"ReduceMax", ReduceMax},
                    {"ReduceMean", ReduceMean},
                    {"ReduceSum", ReduceSum},
                    {"Reshape", Reshape},
                    {"Shape", SizesOf},
                    {"Slice", Slice},
                    {"Split", Split},
                    {"Squeeze", Squeeze},
                    {"Tile", Tile},
                    {"Transpose", Transpose},
                    {"Unsqueeze", Unsqueeze}});
}

}  // namespace cleave
