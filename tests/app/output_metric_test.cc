#include "app/output_metric.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/file.h"
#include "core/named_tensors.h"
#include "support/temp_dir.h"

namespace cleave::app {
namespace {

NamedTensor Random(const std::string& name, const Shape& shape, std::mt19937& random,
                   float low = -1, float high = 1) {
  std::uniform_real_distribution<float> between(low, high);
  std::vector<float> values(static_cast<std::size_t>(*ElementCount(shape)));
  for (float& value : values) value = between(random);
  return {name, *Tensor::FromFloats(shape, std::move(values))};
}

NamedTensor Moved(const NamedTensor& output, std::size_t at, float by) {
  std::vector<float> values(output.tensor.floats().begin(), output.tensor.floats().end());
  values[at] += by;
  return {output.name, *Tensor::FromFloats(output.tensor.shape(), std::move(values))};
}

// The gradient is what a small step of each element does.
void ExpectGradient(const OutputMetric& metric, const std::vector<NamedTensor>& reference,
                    const std::vector<NamedTensor>& changed) {
  const auto distortion = metric.DistortionOf(reference, changed);
  ASSERT_TRUE(distortion.ok()) << distortion.status();
  const auto change = metric.Change(reference, changed);
  ASSERT_TRUE(change.ok()) << change.status();
  double squared = 0;
  for (const float value : *change) squared += static_cast<double>(value) * value;
  EXPECT_DOUBLE_EQ(distortion->squared, squared);
  constexpr float kStep = 1e-2F;
  for (std::size_t output = 0; output < changed.size(); ++output) {
    const Tensor* gradient = FindTensor(distortion->gradient, changed[output].name);
    ASSERT_NE(gradient, nullptr);
    ASSERT_EQ(gradient->shape(), changed[output].tensor.shape());
    for (std::size_t i = 0; i < gradient->floats().size(); ++i) {
      std::vector<NamedTensor> more = changed;
      std::vector<NamedTensor> less = changed;
      more[output] = Moved(changed[output], i, kStep);
      less[output] = Moved(changed[output], i, -kStep);
      const double slope = (metric.DistortionOf(reference, more)->squared -
                            metric.DistortionOf(reference, less)->squared) /
                           (2 * kStep);
      EXPECT_NEAR(gradient->floats()[i], slope, 2e-3 + 5e-3 * std::abs(slope))
          << changed[output].name << " " << i;
    }
  }
}

TEST(OutputMetricTest, TheGradientForClassesIsThatOfSmallSteps) {
  std::mt19937 random(1);
  const auto metric = OutputMetric::Of("none.onnx", {{"x", DataType::kFloat32, {1, 3, 8, 8}}},
                                       {{"y", DataType::kFloat32, {1, 6}}});
  ASSERT_TRUE(metric.ok()) << metric.status();
  ASSERT_EQ(metric->kind(), OutputMetric::Kind::kClasses);
  ExpectGradient(*metric, {Random("y", {1, 6}, random, -3, 3)},
                 {Random("y", {1, 6}, random, -3, 3)});
  const NamedTensor chances = {"y",
                               *Tensor::FromFloats({1, 6}, {0.5F, 0.2F, 0.1F, 0.1F, 0.05F, 0.05F})};
  ExpectGradient(*metric, {chances}, {Random("y", {1, 6}, random, 0.1F, 0.9F)});
}

TEST(OutputMetricTest, TheGradientForOtherOutputsIsThatOfSmallSteps) {
  std::mt19937 random(2);
  const auto metric =
      OutputMetric::Of("none.onnx", {{"x", DataType::kFloat32, {1, 3, 8, 8}}},
                       {{"a", DataType::kFloat32, {1, 2, 3}}, {"b", DataType::kFloat32, {1, 4}}});
  ASSERT_TRUE(metric.ok()) << metric.status();
  ASSERT_EQ(metric->kind(), OutputMetric::Kind::kOutputs);
  ExpectGradient(*metric, {Random("a", {1, 2, 3}, random), Random("b", {1, 4}, random)},
                 {Random("a", {1, 2, 3}, random), Random("b", {1, 4}, random)});
}

TEST(OutputMetricTest, TheGradientForDetectionsIsThatOfSmallSteps) {
  const testing::TempDir folder;
  ASSERT_TRUE(WriteFileAtomically(folder.path() + "/net.json",
                                  R"({"detections": {"kind": "distribution",
      "outputs": {"scores": ["s"], "distances": ["d"]}, "strides": [8], "reg_max": 1,
      "activation": "sigmoid"}})")
                  .ok());
  std::mt19937 random(3);
  const auto metric = OutputMetric::Of(
      folder.path() + "/net.onnx", {{"x", DataType::kFloat32, {1, 3, 16, 16}}},
      {{"s", DataType::kFloat32, {1, 4, 3}}, {"d", DataType::kFloat32, {1, 4, 8}}});
  ASSERT_TRUE(metric.ok()) << metric.status();
  ASSERT_EQ(metric->kind(), OutputMetric::Kind::kDetections);
  ExpectGradient(*metric, {Random("s", {1, 4, 3}, random), Random("d", {1, 4, 8}, random, -9, 9)},
                 {Random("s", {1, 4, 3}, random), Random("d", {1, 4, 8}, random, -9, 9)});
}

}  // namespace
}  // namespace cleave::app
