// How well the time of an inference is predicted at a shape that was never seen before: the median
// relative error of the first, second, ... inference at it, where the device runs all and where the
// edge does (docs/estimation.md). Without arguments it takes a small network of convolutions whose
// picture is free in height and width; else the ONNX files that are given.
//
// Usage: shape_bench [MODEL.onnx...]

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cleave/device.h"
#include "cleave/edge.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "runtime/chain.h"
#include "support/odd_models.h"

namespace cleave {
namespace {

constexpr int kNewShapes = 24;
constexpr std::size_t kInferences = 5;  // At each shape.
constexpr int kWarmInferences = 20;

// A convolution of `from` to `to` channels, which halves the picture at stride 2.
void AddConvolution(const std::string& in, const std::string& out, int from, int to, int stride,
                    onnx::GraphProto& graph) {
  testing::AddWeights(out + "_w", {to, from, 3, 3}, graph);
  onnx::NodeProto& conv = testing::AddNode(graph, "Conv", {in, out + "_w"}, out + "_c");
  testing::AddInts("kernel_shape", {3, 3}, conv);
  testing::AddInts("pads", {1, 1, 1, 1}, conv);
  testing::AddInts("strides", {stride, stride}, conv);
  testing::AddNode(graph, "Relu", {out + "_c"}, out);
}

std::string SmallNetwork() {
  onnx::ModelProto model = testing::EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  testing::DescribeAs("x", onnx::TensorProto::FLOAT, {1, 3, "H", "W"}, *graph.add_input());
  testing::DescribeAs("y", onnx::TensorProto::FLOAT, {1, 64, 1, 1}, *graph.add_output());
  AddConvolution("x", "a", 3, 16, 2, graph);
  AddConvolution("a", "b", 16, 32, 2, graph);
  AddConvolution("b", "c", 32, 32, 1, graph);
  AddConvolution("c", "d", 32, 64, 2, graph);
  AddConvolution("d", "e", 64, 64, 1, graph);
  testing::AddNode(graph, "GlobalAveragePool", {"e"}, "y");
  return model.SerializeAsString();
}

// Half to twice the size that was profiled, in steps of 32 where that makes sense; one factor for
// all dimensions, so that inputs stay such as the model takes together.
std::vector<TensorSpec> Resized(const Device& device, double factor) {
  std::vector<TensorSpec> specs = device.profiled_inputs();
  const std::vector<std::optional<int>> batch_axes = device.batch_axes();
  for (std::size_t i = 0; i < specs.size(); ++i) {
    for (std::size_t axis = 0; axis < specs[i].shape.size(); ++axis) {
      if (device.inputs()[i].shape[axis] >= 0 || batch_axes[i] == static_cast<int>(axis)) continue;
      constexpr double kStep = 32;
      const auto size = static_cast<double>(specs[i].shape[axis]);
      const double step = size >= 2 * kStep ? kStep : 1;
      specs[i].shape[axis] =
          static_cast<std::int64_t>(step * std::max(1.0, std::round(factor * size / step)));
    }
  }
  return specs;
}

using Errors = std::array<std::vector<double>, kInferences>;

absl::StatusOr<Errors> Measure(Device& device) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(-1, 1);
  CLEAVE_ASSIGN_OR_RETURN(const auto usual, RandomInputs(device.profiled_inputs(), 1));
  for (int i = 0; i < kWarmInferences; ++i) CLEAVE_RETURN_IF_ERROR(device.Infer(usual).status());
  Errors errors;
  std::vector<std::vector<TensorSpec>> seen = {device.profiled_inputs()};
  for (int i = 0; i < kNewShapes; ++i) {
    const std::vector<TensorSpec> specs = Resized(device, std::exp2(exponent(random)));
    const auto same = [&specs](const std::vector<TensorSpec>& other) {
      return std::equal(specs.begin(), specs.end(), other.begin(),
                        [](const auto& a, const auto& b) { return a.shape == b.shape; });
    };
    if (std::any_of(seen.begin(), seen.end(), same)) continue;
    seen.push_back(specs);
    CLEAVE_ASSIGN_OR_RETURN(const auto inputs, RandomInputs(specs, 1));
    for (std::vector<double>& error : errors) {
      CLEAVE_ASSIGN_OR_RETURN(const InferenceRecord record, device.Infer(inputs));
      const auto took_us = static_cast<double>(record.latency_us);
      error.push_back(std::abs(record.predicted_us - took_us) / took_us);
    }
  }
  return errors;
}

absl::Status Run(const std::string& model) {
  EdgeOptions edge_options;
  edge_options.models = {model};
  edge_options.listen = "127.0.0.1:0";
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Edge> edge, Edge::Start(edge_options));
  for (const char* policy : {"device", "edge"}) {
    DeviceOptions options;
    options.plans.policy = policy;
    options.edge.address = absl::StrCat("127.0.0.1:", edge->port());
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<Device> device, Device::Open(model, options));
    CLEAVE_ASSIGN_OR_RETURN(const Errors errors, Measure(*device));
    std::printf("%-40s %-8s %3zu shapes, median error of inference", model.c_str(), policy,
                errors[0].size());
    for (std::size_t i = 0; i < errors.size(); ++i) {
      std::printf("  %zu: %3.0f%%", i + 1, 100 * Median(errors[i]));
    }
    std::printf("\n");
  }
  return absl::OkStatus();
}

int Main(std::vector<std::string> models) {
  const testing::TempDir folder;
  if (models.empty()) models = {folder.Write("convolutions.onnx", SmallNetwork())};
  for (const std::string& model : models) {
    if (const absl::Status status = Run(model); !status.ok()) {
      std::cerr << "shape_bench: " << status << "\n";
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace cleave

int main(int argc, char** argv) { return cleave::Main({argv + 1, argv + argc}); }
